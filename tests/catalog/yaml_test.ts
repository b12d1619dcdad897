/** Catalogs in YAML: the values they become, and the errors of those that are not valid. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { parseYaml } from "../../lib/catalog/parse_yaml.ts";
import { type Json, MqError, parseCatalog } from "../../mod.ts";

const VALUES: [text: string, value: Json][] = [
  ["", null],
  ["# nothing", null],
  ["---\na: 1\n...\n", { a: 1 }],
  ["a:", { a: null }],
  ["a: no\nb: on\nc: Yes\nd: y", { a: "no", b: "on", c: "Yes", d: "y" }],
  ["a: true\nb: False\nc: ~\nd: NULL\ne: 'true'", { a: true, b: false, c: null, d: null, e: "true" }],
  ["a: 2020-01-31\nb: 2020-01-31T09:30:00Z\nc: 12:30", { a: "2020-01-31", b: "2020-01-31T09:30:00Z", c: "12:30" }],
  ["a: 1\nb: -1.5\nc: 1e3\nd: 0x1F\ne: 0o14\nf: 1_000\ng: 1.0.0", {
    ...{ a: 1, b: -1.5, c: 1000, d: 31, e: 12, f: "1_000", g: "1.0.0" },
  }],
  ["404: a\ntrue: b\nnull: c\n1.0: d", { 404: "a", true: "b", null: "c", "1.0": "d" }],
  ["? a\n: b", { a: "b" }],
  ["a: |\n  x\n  y\nb: >-\n  x\n  y", { a: "x\ny\n", b: "x y" }],
  ['{"a": [1, {"b": "\\u00e9"}], c: [x, y,]}', { a: [1, { b: "é" }], c: ["x", "y"] }],
  ["%YAML 1.1\n---\na: yes", { a: "yes" }],
  ["a: !!str 1\nb: !!map {c: 1}\nd: !!seq [1]\ne: ! 2", { a: "1", b: { c: 1 }, d: [1], e: "2" }],
  ["a: &x [1]\nb: *x\nc: &x 2\nd: *x", { a: [1], b: [1], c: 2, d: 2 }],
  ["a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}", { a: { p: 1, q: 2 }, b: { p: 1, q: 3 } }],
  ["a: {q: 3, <<: [{p: 1, q: 2}, {p: 4, r: 5}]}", { a: { p: 1, q: 3, r: 5 } }],
  ["a: {'<<': 1}", { a: { "<<": 1 } }],
  ["- \n- a\n-\n  - b", [null, "a", ["b"]]],
  ["a: b\r\nc: d\r\n", { a: "b", c: "d" }],
];

for (const [text, value] of VALUES) {
  Deno.test(`parseYaml reads ${JSON.stringify(text)} as ${JSON.stringify(value)}`, () => {
    assertEquals(parseYaml(text).value, value);
  });
}

Deno.test("parseYaml accepts a key that is an Object property", () => {
  assertEquals(Object.entries(parseYaml("__proto__: 1\nconstructor: 2").value as object), [
    ["__proto__", 1],
    ["constructor", 2],
  ]);
});

const NESTED_ALIASES = [
  "a: &a0 {example: [1,1,1,1,1,1,1,1,1,1]}",
  ...Array.from(
    { length: 8 },
    (_, index) => `b${index}: &a${index + 1} {example: [${Array(10).fill(`*a${index}`)}]}`,
  ),
].join("\n");

const BROKEN: [text: string, message: string][] = [
  ["a:\n\t- b", "line 2: not valid YAML at column 1 (tab characters must not be used in indentation)"],
  ["a: {}\nb: [1", "line 2: not valid YAML at column 6 (unexpected end of the stream within a flow collection)"],
  ["a: {}\n b: {}", "line 2: not valid YAML at column 2 (bad indentation of a mapping entry)"],
  ["a: {}\nb: 'x\n", "line 3: not valid YAML at column 1 (deficient indentation)"],
  ["[".repeat(1000), "line 1: not valid YAML at column 500 (nesting exceeded maxDepth (500))"],
  ["a: {}\n---\nb: {}", "line 3: a second document begins here; a catalog is a single document"],
  ["a: {}\nb: {}\na: {}", 'line 3: duplicate key "a"'],
  ["a:\n  schema:\n    type: array\n    'type': object", 'line 4: duplicate key "type"'],
  ["a: {}\n? [b, c]\n: {}", "line 2: a key must be a scalar, not a mapping, list or alias"],
  ["a: &x b\n*x : {}", "line 2: a key must be a scalar, not a mapping, list or alias"],
  ["a: {}\n: {}", "line 2: a key is missing before the colon"],
  ["a: {}\nb: *c", 'line 2: the alias "*c" has no anchor above it'],
  ["a: {}\nb: &b\n  example: [*b]", 'line 3: the alias "*b" refers to itself'],
  ["a: {}\nb: {example: .inf}", 'line 2: JSON cannot express the number ".inf"'],
  ["a: {}\nb: {example: .NaN}", 'line 2: JSON cannot express the number ".NaN"'],
  ["a: {}\nb: {example: !!binary aGk=}", 'line 2: the tag "!!binary" is not supported'],
  ["a: {}\nb: {example: !!timestamp 2020-01-31}", 'line 2: the tag "!!timestamp" is not supported'],
  ["a: {}\nb: !own {}", 'line 2: the tag "!own" is not supported'],
  ["a: {}\nb: {<<: 1}", "line 2: a merge key (<<) needs a mapping, or a list of mappings"],
  ["%YAML 2.0\n---\na: {}", "line 2: not valid YAML at column 1 (unacceptable YAML version of the document)"],
  [NESTED_ALIASES, "line 6: with its aliases expanded, it has more than 1000000 values"],
  // Valid YAML, but not a valid catalog.
  ["", "line 1: a catalog must be an object: "],
  ["just a text", "line 1: a catalog must be an object: "],
  ["- a", "line 1: a catalog must be an object: "],
  ["a:\n  schema: {type: object}\nb c:\n", 'line 3: Cannot read "b c" as a pattern: '],
  ["a:\n  scheme: {}", 'line 2: unknown key "scheme": an entry has description, schema, example'],
  ["a:\n  schema:\n    items:\n      type: strng", "line 4: the schema at /items/type must be equal to one of "],
  [
    "a:\n  schema:\n    properties:\n      b: &b\n        $ref: '#/$defs/b'",
    'line 5: the reference "#/$defs/b" is not found in the schema',
  ],
  ["a:\n  schema: {type: integer}\n  example: one", "line 3: the example must be integer"],
  ["x: &x\n  schema:\n    type: [integer]\ny:\n  <<: *x\n  example: one", "line 6: the example must be integer"],
];

for (const [text, message] of BROKEN) {
  Deno.test(`parseCatalog refuses the YAML ${JSON.stringify(text.slice(0, 60))}`, async () => {
    const error = await assertRejects(() => parseCatalog(text, "shop.yml"), MqError, `shop.yml, ${message}`);
    assertEquals(error.code, "bad-catalog");
  });
}

Deno.test("parseCatalog distinguishes JSON and YAML by the file's name, else by the first character", async () => {
  const patterns = async (text: string, name?: string) =>
    (await parseCatalog(text, name)).entries.map(({ pattern }) => pattern);
  assertEquals(await patterns("a: {}"), ["a"]);
  assertEquals(await patterns("\ufeffa: {}", "A.YAML"), ["a"]);
  assertEquals(await patterns('\ufeff \n{"a":{}}'), ["a"]);
  assertEquals(await patterns("{a: {}}", "a.yml"), ["a"]);
  for (const [text, name] of [["{a: {}}", "a"], ["a: {}", "a.json"]]) {
    assertStringIncludes(
      (await assertRejects(() => parseCatalog(text, name), MqError)).message,
      "not valid JSON at column ",
    );
  }
});

Deno.test("parseCatalog reports lines in YAML with CRLF line ends", async () => {
  await assertRejects(() => parseCatalog("a: {}\r\nb: 1\r\n"), MqError, "The catalog, line 2: ");
});

Deno.test("parseCatalog refuses JSON that is nested too deeply", async () => {
  const deep = '{"a":{"example":' + "[".repeat(200_000) + "]".repeat(200_000) + "}}";
  await assertRejects(
    () => parseCatalog(deep, "x.json"),
    MqError,
    "x.json, line 1: it is nested too deeply",
  );
});
