import { assertEquals } from "@std/assert";
import { pubLine, shapeOf } from "../../../cmd/events/schema_text.ts";
import type { Json } from "../../../mod.ts";

const SHAPES: [schema: Json, shape: string][] = [
  [true, "any"],
  [{}, "any"],
  [{ type: "integer" }, "integer"],
  [{ type: ["string", "null"] }, "string|null"],
  [{ type: "string", format: "date" }, "date"],
  [{ const: null }, "null"],
  [{ enum: ["a", 1] }, '"a"|1'],
  [{ type: "array" }, "array"],
  [{ type: "array", items: { type: "integer" } }, "integer[]"],
  [{ type: "array", items: { enum: [1, 2] } }, "(1|2)[]"],
  [{ prefixItems: [{ type: "integer" }, {}], items: false }, "[integer, any]"],
  [{ prefixItems: [{ type: "integer" }] }, "[integer, ...any[]]"],
  [{ anyOf: [{ type: "integer" }, { $ref: "#/$defs/a~1b" }] }, "integer|a/b"],
  [{ $ref: "#/nowhere" }, "nowhere"],
  [{ $ref: "#" }, "#"],
  [{ properties: { id: {}, at: { type: "string" } }, required: ["at"] }, "id: any, at*: string"],
  [{ $ref: "#/$defs/a", $defs: { a: { allOf: [{ properties: { b: {} } }, { required: ["b"] }] } } }, "b*: any"],
  [{ enum: Array.from({ length: 20 }, (_, index) => index) }, "0|1|2|3|4|5|6|7|8|9|10|11|…"],
];

for (const [schema, shape] of SHAPES) {
  Deno.test(`shapeOf describes ${JSON.stringify(schema)} as ${shape}`, () => assertEquals(shapeOf(schema), shape));
}

Deno.test("pubLine returns a command that can be pasted", () => {
  assertEquals(pubLine("order.paid", { id: 1 }), `mq pub order.paid '{ "id": 1 }'`);
  assertEquals(pubLine("a.*.>", "it's"), `mq pub a.NAME.NAME 'it'\\''s'`);
});
