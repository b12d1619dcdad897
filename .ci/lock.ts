/**
 * Writes deno.lock anew: the part of deno.dev.lock that the imports of deno.json lead to, without what only the page and the
 * tests import, which have a deno.json of their own. The executable is made of what it names.
 *
 *     deno task lock
 *
 * @module
 */
import config from "../deno.json" with { type: "json" };

/** A lock of Deno, version 5, as far as it is of interest here. */
interface Lock {
  specifiers: Record<string, string>;
  npm: Record<string, { integrity: string; dependencies?: string[] }>;
  workspace: { dependencies: string[]; members?: unknown };
}

/** The text of deno.lock. */
export async function productLock(): Promise<string> {
  const lock: Lock = JSON.parse(await Deno.readTextFile("deno.dev.lock"));
  const wanted = new Set(Object.values(config.imports).map((target) => `npm:${/^npm:\/?([^/]+)/.exec(target)![1]}`));
  const specifiers = Object.entries(lock.specifiers).filter(([specifier]) => wanted.has(specifier));
  const packages = new Set(specifiers.map(([specifier, version]) => `${nameOf(specifier.slice(4))}@${version}`));
  for (const id of packages) {
    for (const dependency of lock.npm[id].dependencies ?? []) packages.add(find(dependency, lock));
  }
  lock.specifiers = Object.fromEntries(specifiers);
  lock.npm = Object.fromEntries(Object.entries(lock.npm).filter(([id]) => packages.has(id)));
  delete lock.workspace.members;
  return JSON.stringify(lock, null, 2) + "\n";
}

/** The name of a package, from its name and version. */
function nameOf(id: string): string {
  return id.slice(0, id.lastIndexOf("@"));
}

/** A package, as a dependency is given: without its version where there is but one. */
function find(dependency: string, { npm }: Lock): string {
  return Object.keys(npm).find((id) => id === dependency || nameOf(id) === dependency)!;
}

if (import.meta.main) await Deno.writeTextFile("deno.lock", await productLock());
