/**
 * Finds what npm packages ship and a program never loads: types, source maps, tests, builds for browsers. `deno compile`
 * embeds every file of every package, and an executable reads all that is embedded into memory before it does anything.
 *
 * A file counts as used if an import or a require leads to it, in whatever condition: a few too many are kept, never too few.
 *
 * @module
 */

/** What `deno info --json` tells of a program. */
export interface Graph {
  readonly modules: readonly { readonly kind?: string; readonly specifier: string }[];
  readonly npmPackages: Readonly<Record<string, NpmPackage>>;
}

/** A package, and the names and versions of those that it needs. */
interface NpmPackage {
  readonly name: string;
  readonly version: string;
  readonly dependencies: readonly string[];
}

/** Files and folders that are smaller stay: each that is left out takes room in the command line, of which Windows has little. */
const MIN_BYTES = 4096;

/** What stays whether it is loaded or not: what a package is, and the terms under which it may be passed on. */
const KEPT = /^(package\.json|licen[cs]e.*|notice.*)$/i;

/** How a specifier stands in a module: behind `from`, in `import "x"`, `import("x")` or `require("x")`. */
const SPECIFIER = /\b(?:from|import|require)\s*\(?\s*["'`]([^"'`\n]+)["'`]/g;

/** What may be left out of a specifier that leads to a file. */
const ENDINGS: readonly string[] = ["", ".js", ".cjs", ".mjs", ".json", "/index.js", "/index.json"];

/**
 * Finds the files and folders of npm packages that a program never loads.
 *
 * @param graph The program, as `deno info --json` tells it.
 * @param npmCache Where the packages are.
 * @returns Their paths; of a folder in which nothing is used, that of the folder alone.
 */
export function unusedFiles({ modules, npmPackages }: Graph, npmCache: string): string[] {
  const folders = new Map(Object.entries(npmPackages).map(([id, found]) => [id, folderOf(found, npmCache)]));
  const used = new Set<string>();
  const pending = modules.filter(({ kind }) => kind === "npm").flatMap(({ specifier }) => {
    const [, id, path] = /^npm:\/?((?:@[^/]+\/)?[^/]+)(.*)$/.exec(specifier)!;
    return entriesOf(folders.get(id)!, `.${path}`);
  });
  for (const path of pending) {
    const file = ENDINGS.map((ending) => path + ending).find(isFile);
    if (file === undefined || used.has(file)) continue;
    used.add(file);
    if (file.endsWith(".json")) continue;
    const dependencies = dependenciesAt(file, npmPackages, folders);
    for (const [, specifier] of Deno.readTextFileSync(file).matchAll(SPECIFIER)) {
      pending.push(...targetsOf(specifier, file, dependencies));
    }
  }
  return [...folders.values()].flatMap((folder) => lookThrough(folder, used).unused);
}

/** Where a package is: below the name of the registry that it came from. */
function folderOf({ name, version }: NpmPackage, npmCache: string): string {
  const registries = [...Deno.readDirSync(npmCache)].map((entry) => `${npmCache}/${entry.name}/${name}/${version}`);
  const folder = registries.find((path) => isFile(`${path}/package.json`));
  if (folder === undefined) throw new Error(`${name}@${version} is not in ${npmCache}`);
  return folder;
}

/** The folders of the packages that the package of a file may import, by their names. */
function dependenciesAt(
  file: string,
  packages: Graph["npmPackages"],
  folders: Map<string, string>,
): Map<string, string> {
  const [importer] = [...folders].find(([, folder]) => file.startsWith(`${folder}/`))!;
  return new Map(packages[importer].dependencies.map((id) => [packages[id].name, folders.get(id)!]));
}

/** Where a specifier may lead: not to what is part of the runtime. */
function targetsOf(specifier: string, from: string, dependencies: Map<string, string>): string[] {
  if (specifier.startsWith(".")) return [join(from.slice(0, from.lastIndexOf("/")), specifier)];
  const [, name, path = ""] = /^((?:@[^/]+\/)?[^/]+)(\/.*)?$/.exec(specifier) ?? [];
  const folder = dependencies.get(name);
  return folder === undefined ? [] : entriesOf(folder, `.${path}`);
}

/** A path that may go up by `..`, without that. */
function join(folder: string, path: string): string {
  const parts = folder.split("/");
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "." && part !== "") parts.push(part);
  }
  return parts.join("/");
}

/** The files to which a path of a package may lead, by the `exports` or the `main` of its package.json. */
function entriesOf(folder: string, path: string): string[] {
  const { exports, main = "index.js", module = main } = JSON.parse(Deno.readTextFileSync(`${folder}/package.json`));
  if (exports === undefined) return path === "." ? [join(folder, main), join(folder, module)] : [join(folder, path)];
  const isTable = typeof exports === "object" && Object.keys(exports).every((key) => key.startsWith("."));
  const table: Record<string, unknown> = isTable ? exports : { ".": exports };
  return Object.entries(table).flatMap(([key, target]) => {
    const [start, end] = key.split("*");
    const isMatch = end === undefined ? key === path : path.startsWith(start) && path.endsWith(end);
    const star = path.slice(start.length, path.length - (end ?? "").length);
    return isMatch ? leavesOf(target).map((leaf) => join(folder, leaf.replaceAll("*", star))) : [];
  });
}

/** All that an entry of `exports` may lead to, but for types. */
function leavesOf(target: unknown): string[] {
  if (typeof target === "string") return [target];
  if (typeof target !== "object" || target === null) return [];
  return Object.entries(target).flatMap(([condition, inner]) => condition === "types" ? [] : leavesOf(inner));
}

/** What is found in a folder, or of a file. */
interface Found {
  readonly isUsed: boolean;
  readonly bytes: number;
  /** What of it may be left out. */
  readonly unused: readonly string[];
}

/** Looks through a folder; one in which nothing is used is left out as a whole. */
function lookThrough(folder: string, used: ReadonlySet<string>): Found {
  const found = [...Deno.readDirSync(folder)].map(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (isDirectory) return lookThrough(path, used);
    return leaveOut(path, { isUsed: used.has(path), bytes: Deno.statSync(path).size, unused: [] }, KEPT.test(name));
  });
  const isUsed = found.some((one) => one.isUsed);
  const bytes = found.reduce((sum, one) => sum + one.bytes, 0);
  return leaveOut(folder, { isUsed, bytes, unused: found.flatMap(({ unused }) => unused) });
}

/** Leaves a file or folder out that is not used, if it is worth it. */
function leaveOut(path: string, found: Found, isKept = false): Found {
  if (found.isUsed || isKept) return found;
  return { ...found, unused: found.bytes < MIN_BYTES ? [] : [path] };
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false; // There is none.
  }
}
