/** Likely mistakes in a schema become warnings with their lines, and the schema is used. */
import { assertEquals, assertThrows } from "@std/assert";
import { parseCatalog, ProtocolError } from "../../mod.ts";

const WARNED: [schema: string, warnings: string[]][] = [
  ["{type: object, properties: {id: {type: integer}}, required: [id]}", []],
  ["{x-any: 1, $comment: a, title: b, default: 1, examples: [], deprecated: true, readOnly: true}", []],
  ["{properties: {requird: {}, minimum: {}}, required: [typ]}", []], // Names of properties are no keywords.
  ["{enum: [{typ: 1}], const: {typ: 1}, default: {typ: 1}}", []],
  ["{type: [string, 'null'], minLength: 1}", []],
  ["{type: integer, minimum: 1}", []],
  ["{if: {}, then: {}}", []],
  ["{requird: [id]}", ['"requird" is not a keyword of JSON Schema and has no effect; did you mean "required"?']],
  ["{Type: string}", ['"Type" is not a keyword of JSON Schema and has no effect; did you mean "type"?']],
  ["{nullable: true}", ['"nullable" is not a keyword of JSON Schema and has no effect']],
  ['{"\\e[2J": 1}', ['"\\u001b[2J" is not a keyword of JSON Schema and has no effect']],
  ["{type: string, minimum: 1}", ['"minimum" applies to the type number and has no effect on string']],
  ["{type: [string, 'null'], items: {}}", ['"items" applies to the type array and has no effect on string or null']],
  ["{format: emial}", ['the format "emial" is unknown and has no effect']],
  ["{then: {}}", ['"then" has no effect without "if"']],
  ["{else: {}}", ['"else" has no effect without "if"']],
  ["{if: {}}", ['"if" has no effect without "then" or "else"']],
  ["{minContains: 1, maxContains: 2}", [
    '"minContains" has no effect without "contains"',
    '"maxContains" has no effect without "contains"',
  ]],
  ["{minLength: 3, maxLength: 2}", ['"minLength" is greater than "maxLength": no value is valid']],
  ["{minimum: 3, maximum: 2}", ['"minimum" is greater than "maximum": no value is valid']],
  ["{contains: {}, minContains: 3, maxContains: 2}", [
    '"minContains" is greater than "maxContains": no value is valid',
  ]],
];

/** Where schemas may be in others. */
const AROUND = [
  "items: SCHEMA",
  "not: SCHEMA",
  "additionalProperties: SCHEMA",
  "allOf: [true, SCHEMA]",
  "prefixItems: [SCHEMA]",
  "properties: {a: SCHEMA}",
  "patternProperties: {a: SCHEMA}",
  "dependentSchemas: {a: SCHEMA}",
  "$defs: {a: SCHEMA}",
];

async function warningsOf(schema: string): Promise<readonly string[]> {
  return (await parseCatalog(`a:\n  schema:\n    ${schema}`, "shop.yml")).warnings;
}

for (const [schema, warnings] of WARNED) {
  Deno.test(`parseCatalog warns of ${warnings.length === 0 ? "nothing" : warnings[0]} in ${schema}`, async () => {
    assertEquals(await warningsOf(schema), warnings.map((warning) => `shop.yml, line 3: ${warning}`));
  });
}

Deno.test("parseCatalog warns of mistakes in all subschemas", async () => {
  const warning = 'shop.yml, line 3: the format "emial" is unknown and has no effect';
  for (const around of AROUND) {
    assertEquals(await warningsOf(around.replace("SCHEMA", "{format: emial}")), [warning], around);
  }
});

Deno.test("parseCatalog warns in the order of the lines, and uses the rest of the schema", async () => {
  const catalog = await parseCatalog(
    '{"a":{"schema":{"type":"object",\n"properties":{"b":{\n"typ":1,\n"format":"x"}},\n"requird":[],"required":["b"]}}}',
    "x.json",
  );
  assertEquals(catalog.warnings.map((warning) => warning.slice(0, 24)), [
    'x.json, line 3: "typ" is',
    "x.json, line 4: the form",
    'x.json, line 5: "requird',
  ]);
  assertThrows(() => catalog.check("a", "a {}"), ProtocolError, "must have required property 'b'");
});
