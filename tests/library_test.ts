/** The public API: what mod.ts exports is what docs/library.md lists, and each name has a description and an example. */
import { assert, assertEquals } from "@std/assert";

const root = new URL("../", import.meta.url);
const read = (path: string) => Deno.readTextFileSync(new URL(path, root));

/** The names that mod.ts exports, each with the file that declares it. */
const exported = new Map(
  [...read("mod.ts").matchAll(/^export (?:type )?\{([^}]*)\} from "\.\/([^"]+)";/gm)].flatMap(([, names, path]) =>
    names.split(",").map((name) => name.trim().replace(/^type /, "")).filter((name) => name !== "")
      .map((name): [string, string] => [name, path])
  ),
);

Deno.test("mod.ts lists each of its exports, and docs/library.md lists them with who needs each", () => {
  assertEquals(/^export \*/m.exec(read("mod.ts")), null);
  const listed = [...read("docs/library.md").matchAll(/^\| `(\w+)` +\| \S/gm)].map(([, name]) => name);
  assertEquals(listed.toSorted(), [...exported.keys()].toSorted());
  assert(exported.size <= 66, `${exported.size} names`);
});

for (const [name, path] of exported) {
  Deno.test(`${name} has a description and an example in ${path}`, () => {
    const declaration = new RegExp(
      String.raw`/\*\*((?:(?!\*/)[^])*)\*/\nexport (?:async )?(?:class|const|function|interface|type) ${name}\b`,
    );
    const [, comment] = declaration.exec(read(path)) ?? [];
    assert(comment !== undefined, `${path} does not declare ${name} with a comment`);
    assert(comment.includes("@example"), `the comment of ${name} has no example`);
  });
}
