/** The rooms of lib/ and the direction of the imports between them, as docs/architecture.md draws them. */
import { assert, assertEquals } from "@std/assert";

const root = new URL("../lib/", import.meta.url);

/** Each room, and the rooms that it may import. The two faces are rooms of their own. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  protocol: [],
  net: ["protocol"],
  catalog: ["protocol"],
  store: ["protocol"],
  broker: ["protocol", "net", "catalog", "store"],
  client: ["protocol", "net"],
  "broker.ts": ["protocol", "net", "catalog", "store", "broker"],
  "client.ts": ["protocol", "net", "client"],
  http: ["protocol", "net", "broker.ts"],
};

/** The files of a folder and of those in it, as paths within lib/. */
function* filesOf(folder = ""): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, root))) {
    if (isDirectory) yield* filesOf(`${folder}${name}/`);
    else yield `${folder}${name}`;
  }
}

/** The room of a file, given by its path within lib/. */
function roomOf(path: string): string {
  return path.split("/")[0];
}

/** The modules of lib/ that a file imports, for their values or their types; not those that its examples import. */
function importsOf(path: string): string[] {
  return specifiersOf(Deno.readTextFileSync(new URL(path, root)))
    .map((specifier) => new URL(specifier, new URL(path, root)).href)
    .filter((href) => href.startsWith(root.href))
    .map((href) => href.slice(root.href.length));
}

/** The relative paths that a program imports, without those in its comments. */
function specifiersOf(code: string): string[] {
  return [...code.replaceAll(/^ *\/?\*.*$/gm, "").matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)]
    .map(([, specifier]) => specifier);
}

const files = [...filesOf()];

Deno.test("every file of lib/ is in a known folder", () => {
  for (const file of files) assert(Object.hasOwn(MAY_IMPORT, roomOf(file)), file);
});

for (const [room, allowed] of Object.entries(MAY_IMPORT)) {
  Deno.test(`lib/${room} imports nothing of lib/ except ${[room, ...allowed].join(", ")}`, () => {
    const own = files.filter((file) => roomOf(file) === room);
    assert(own.length > 0);
    const against = own.flatMap((file) => importsOf(file).map((target) => ({ file, target })))
      .filter(({ target }) => roomOf(target) !== room && !allowed.includes(roomOf(target)));
    assertEquals(against, []);
  });
}

Deno.test("web/ imports nothing of lib/ except lib/protocol", () => {
  const web = new URL("../web/", root);
  const against = [...Deno.readDirSync(web)].filter(({ name }) => name.endsWith(".ts")).flatMap(({ name }) =>
    specifiersOf(Deno.readTextFileSync(new URL(name, web)))
      .map((specifier) => ({ file: name, target: new URL(specifier, new URL(name, web)).href }))
      .filter(({ target }) => !target.startsWith(web.href) && !target.startsWith(`${root.href}protocol/`))
  );
  assertEquals(against, []);
});
