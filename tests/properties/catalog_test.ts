/** A catalog validates any data as TypeBox does by itself, and what mq app generates is valid. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { Check } from "typebox/schema";
import { catalogSamples } from "../../cmd/app/schema_samples.ts";
import { type Json, parseCatalog, ProtocolError } from "../../mod.ts";
import { encodeData } from "../../lib/protocol/data.ts";
import { formatEvent } from "../../lib/protocol/lines.ts";
import { runs, someJson, someText } from "./arbitraries.ts";

const TEXT = await Deno.readTextFile(new URL("../files/catalog.json", import.meta.url));
const catalog = await parseCatalog(TEXT);

/** Whether a datum fits the schema of a name, to TypeBox alone. */
function fits(name: string, data: Json | undefined): boolean {
  const { schema } = catalog.find(name)!;
  return schema === undefined || Check(schema as boolean, data);
}

/** Why the catalog refuses an event; nothing, if it does not. */
function reason(name: string, text: string): string | undefined {
  try {
    catalog.check(catalog.find(name)!.pattern, formatEvent(name, text));
  } catch (error) {
    assert(error instanceof ProtocolError);
    return error.message;
  }
}

/** Some of the events that mq app generates. */
const someEvents = fc.nat().map(async (seed) => (await catalogSamples(seed, catalog)).take(20).toArray());

/** A value in which one part is another than it was. */
function withOther(data: Json, other: Json, pick: number): Json {
  const keys = typeof data === "object" && data !== null ? Object.keys(data) : [];
  const key = keys[pick % (keys.length + 1)];
  if (key === undefined) return other;
  const copy = structuredClone(data) as { [key: string]: Json };
  copy[key] = withOther(copy[key], other, Math.floor(pick / (keys.length + 1)));
  return copy;
}

Deno.test("mq app generates valid events for a catalog, the same for the same seed", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), async (seed) => {
      const events = (await catalogSamples(seed, catalog)).take(20).toArray();
      for (const { name, data } of events) assert(fits(name, data), `${name} ${encodeData(data)}`);
      assertEquals((await catalogSamples(seed, catalog)).take(20).toArray(), events);
      assertNotEquals((await catalogSamples(seed + 1, catalog)).take(20).toArray(), events);
    }),
    runs(50),
  );
});

Deno.test("a catalog validates data with one changed part as TypeBox does", async () => {
  await fc.assert(
    fc.asyncProperty(someEvents, someJson, fc.nat(), async (events, other, pick) => {
      for (const { name, data } of await events) {
        const changed = withOther(data, other, pick);
        const why = reason(name, encodeData(changed));
        assertEquals(why === undefined, fits(name, changed), `${name} ${encodeData(changed)}`);
        assertEquals(why?.match(/\p{Cc}|\p{Zl}|\p{Zp}/u) ?? null, null);
      }
    }),
    runs(100),
  );
});

Deno.test("parseCatalog refuses invalid text with one sentence on one line", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: TEXT.length }), someText, async (at, text) => {
      const broken = TEXT.slice(0, at) + text + TEXT.slice(at + 1);
      const message = await parseCatalog(broken).then(() => "", ({ name, message }) => `${name}: ${message}`);
      assert(message === "" || /^MqError: The catalog, line \d+: .+$/.test(message), message);
    }),
    runs(300),
  );
});
