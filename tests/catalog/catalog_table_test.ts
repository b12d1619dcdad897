/** Fifty values, valid and invalid: a broker with a catalog validates each as TypeBox does by itself. */
import { assert, assertEquals } from "@std/assert";
import { Check } from "typebox/schema";
import { type Json, parseCatalog } from "../../mod.ts";
import { encodeData } from "../../lib/protocol/data.ts";
import { Pattern } from "../../lib/protocol/pattern.ts";
import { startBroker } from "../helpers.ts";

const TEXT = await Deno.readTextFile(new URL("../files/catalog.json", import.meta.url));

const ORDER = { id: 1, customer: "ada@example.com", orderedAt: "2026-01-31T09:30:00Z" };

/** The broker refuses those marked as bad. */
const TABLE: [name: string, data: Json | undefined, verdict: "good" | "bad"][] = [
  ["order.created", ORDER, "good"],
  ["order.created", { ...ORDER, note: "x".repeat(40) }, "good"],
  ["order.created", { ...ORDER, note: "é🦕".repeat(20) }, "good"], // Characters count, not what they are coded in.
  ["order.created", { ...ORDER, note: "x".repeat(41) }, "bad"],
  ["order.created", { ...ORDER, id: "1" }, "bad"],
  ["order.created", { ...ORDER, id: 0 }, "bad"],
  ["order.created", { ...ORDER, id: 1.5 }, "bad"],
  ["order.created", { ...ORDER, customer: "ada" }, "bad"],
  ["order.created", { ...ORDER, orderedAt: "2026-02-30T09:30:00Z" }, "bad"],
  ["order.created", { ...ORDER, nota: "" }, "bad"],
  ["order.created", { id: 1 }, "bad"],
  ["order.created", [ORDER], "bad"],
  ["order.created", "an order", "bad"],
  ["order.created", undefined, "bad"],
  ["order.state", "sent", "good"],
  ["order.state", null, "good"],
  ["order.state", 404, "good"],
  ["order.state", "404", "bad"],
  ["order.state", "Sent", "bad"],
  ["order.state", undefined, "bad"],
  ["shop.opened", { open: true }, "good"],
  ["shop.opened", { open: true, since: 1 }, "bad"],
  ["shop.opened", { open: 1 }, "bad"],
  ["basket", ["ada", "fresh"], "good"],
  ["basket", ["ada", "tinned", "fresh", "fresh"], "good"],
  ["basket", ["ada", "fresh", "fresh", "fresh"], "bad"],
  ["basket", ["Ada", "fresh"], "bad"],
  ["basket", ["ada", "tinned"], "bad"],
  ["basket", ["fresh"], "bad"],
  ["tags", [], "good"],
  ["tags", ["a", "b", "A"], "good"],
  ["tags", ["a", "b", "a"], "bad"],
  ["tags", ["a", "b", "c", "d"], "bad"],
  ["category.changed", { name: "books", below: [{ name: "atlases", below: [] }] }, "good"],
  ["category.changed", { name: "books", below: [{ name: "atlases", below: [{ name: "x" }] }] }, "bad"],
  ["category.changed", { name: "books", over: [] }, "bad"],
  ["payment", { kind: "cash" }, "good"],
  ["payment", { kind: "card", number: "1234", address: "Main Street", city: "London" }, "good"],
  ["payment", { kind: "card" }, "bad"],
  ["payment", { kind: "cash", number: "1234" }, "bad"],
  ["payment", { kind: "cash", address: "Main Street" }, "bad"],
  ["settings", { "x-rows": 20, "x-columns": -1 }, "good"],
  ["settings", { "x-rows": 20, rows: 20 }, "bad"],
  ["settings", {}, "bad"],
  ["price", 19.75, "good"],
  ["price", "GBP", "good"],
  ["price", 1000, "bad"], // It is both: one of the numbers up to a thousand, and one of those from there on.
  ["price", 0.3, "bad"],
  ["order.paid", { id: 7, by: "ada" }, "good"],
  ["order.paid", { id: 7, to: "ada" }, "bad"],
];

Deno.test("the table holds fifty values for ten schemas, valid and invalid for each", () => {
  assertEquals(TABLE.length, 50);
  const entries = Object.entries<{ schema?: Json }>(JSON.parse(TEXT)).filter(([, { schema }]) => schema !== undefined);
  const verdicts = (pattern: string) =>
    TABLE.filter(([name]) => entryOf(name) === pattern).map(([, , verdict]) => verdict);
  assertEquals(entries.length, 10);
  for (const [pattern] of entries) assertEquals(new Set(verdicts(pattern)), new Set(["good", "bad"]), pattern);
});

/** Which entry is meant for a name, found without the broker: the one of that name, else the only pattern. */
function entryOf(name: string): string {
  const patterns = Object.keys(JSON.parse(TEXT));
  return patterns.find((pattern) => pattern === name) ?? patterns.find((text) => new Pattern(text).matches(name))!;
}

for (const [index, [name, data, verdict]] of TABLE.entries()) {
  Deno.test(`${index + 1}: ${name} ${encodeData(data)} is ${verdict}, to TypeBox and to the broker`, async () => {
    assertEquals(Check(JSON.parse(TEXT)[entryOf(name)].schema, data), verdict === "good");

    await using server = await startBroker({ catalog: await parseCatalog(TEXT) });
    const [publisher, listener] = await server.connect(2);
    const answer = await publisher.ask(`/unsub >\n/pub 1 ${name} ${encodeData(data)}`) && await publisher.lines.next();
    const refusal = `/err 1 invalid-data Cannot take ${name}: its data `;
    assert(answer!.startsWith(verdict === "good" ? '/ok 1 {"id":' : refusal), answer!);
    const { published, refused } = server.broker.stats();
    assertEquals([published, refused], verdict === "good" ? [1, 0] : [0, 1]);
    await publisher.line("log.end");
    if (verdict === "good") await listener.expect(`${name} ${encodeData(data)}`.trimEnd());
    await listener.expect("log.end");
  });
}
