/** JSON Schema 2020-12 as its official test suite has it (tests/files/json-schema-test-suite). */
import { assert, assertEquals } from "@std/assert";
import { type Catalog, type Json, MqError, parseCatalog, ProtocolError } from "../../mod.ts";

const SUITE = new URL("../files/json-schema-test-suite/draft2020-12/", import.meta.url);

/** Some tests of one schema. */
interface Group {
  readonly description: string;
  readonly schema: Json;
  readonly tests: readonly { readonly description: string; readonly data: Json; readonly valid: boolean }[];
}

/** What came of a test: what it should, the opposite, or its schema was refused. */
type Outcome = "right" | "wrong" | "refused";

/** Where the suite has schemas that others refer to: mq fetches none, and refuses what refers to them. */
const REMOTE = "localhost:1234";

/** What is not as the suite has it, and why. Nothing else may be so, and all of this must. */
const KNOWN: [group: string, outcomes: Outcome[], reason: string][] = [
  [
    "unknownKeyword: $id inside an unknown keyword is not a real identifier",
    ["wrong", "right", "wrong"],
    "TypeBox takes an $id for one in whatever object it stands, in that of a keyword that nobody knows, too",
  ],
];

Deno.test("a catalog validates JSON Schema 2020-12 like the official test suite", async () => {
  const figures = { right: 0, wrong: 0, refused: 0 };
  const others: [group: string, outcomes: Outcome[]][] = [];
  for (const [name, group] of await groupsOf(SUITE)) {
    const outcomes = await outcomesOf(group);
    for (const outcome of outcomes) figures[outcome]++;
    if (outcomes.includes("refused")) assert(JSON.stringify(group.schema).includes(REMOTE), name);
    else if (outcomes.includes("wrong")) others.push([name, outcomes]);
  }
  assertEquals(others, KNOWN.map(([name, outcomes]) => [name, outcomes]));
  assertEquals(figures, { right: 1129, wrong: 2, refused: 45 });
});

Deno.test("a catalog validates formats like the official test suite", async () => {
  let tests = 0;
  for (const [name, group] of await groupsOf(new URL("optional/format/", SUITE))) {
    assertEquals(await outcomesOf(group), group.tests.map(() => "right"), name);
    tests += group.tests.length;
  }
  assertEquals(tests, 467);
});

async function groupsOf(folder: URL): Promise<[name: string, group: Group][]> {
  const files = (await Array.fromAsync(Deno.readDir(folder))).filter(({ isFile }) => isFile);
  const groups = await Promise.all(files.map(async ({ name }) => {
    const read: Group[] = JSON.parse(await Deno.readTextFile(new URL(name, folder)));
    return read.map((group): [string, Group] => [`${name.replace(".json", "")}: ${group.description}`, group]);
  }));
  return groups.flat();
}

/** What comes of the tests of a group. */
async function outcomesOf({ schema, tests }: Group): Promise<Outcome[]> {
  try {
    const catalog = await parseCatalog(JSON.stringify({ a: { schema } }));
    return tests.map(({ data, valid }) => takes(catalog, data) === valid ? "right" : "wrong");
  } catch (error) {
    if (error instanceof MqError && error.code === "bad-catalog") return tests.map(() => "refused");
    throw error;
  }
}

function takes(catalog: Catalog, data: Json): boolean {
  try {
    catalog.check("a", `a ${JSON.stringify(data)}`);
    return true;
  } catch (error) {
    if (error instanceof ProtocolError && error.code === "invalid-data") return false;
    throw error;
  }
}
