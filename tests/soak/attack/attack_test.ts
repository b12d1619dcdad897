/** Attacks of each kind, briefly: the honest hear all that was published, and the broker disconnects none of them. */
import { assert, assertEquals } from "@std/assert";
import { KINDS } from "./kinds.ts";
import { beside, drain, memory } from "./trials.ts";

const BRIEFLY = { connections: 10, forMs: 500, seed: 1 };

for (const kind of Object.keys(KINDS)) {
  Deno.test(`attackers of the kind ${kind} do not keep the honest from hearing all events`, async () => {
    const { heard, toHear, closed, attacks, troubles } = await beside(kind, { ...BRIEFLY, warmUpMs: 0, restMs: 0 });
    assertEquals([heard, closed], [toHear, 0]);
    assert(attacks >= BRIEFLY.connections);
    assertEquals(troubles, []);
  });
}

for (const kind of ["unread", "half-posts", "resets", "clients"]) {
  Deno.test(`a broker ends when it is told to, beside attackers of the kind ${kind}`, async () => {
    const { troubles } = await drain(kind, 100, BRIEFLY);
    assertEquals(troubles, []);
  });
}

Deno.test("a broker that may take little memory refuses patterns, says so, and answers others", async () => {
  const flags = ["--max-memory", "132MiB"];
  const { told, troubles } = await memory("patterns", flags, { ...BRIEFLY, connections: 50 });
  assert(told.some((message) => message.includes("memory")), told.join("\n"));
  assertEquals(troubles, []);
});
