import { assert, assertEquals } from "@std/assert";
import { Backoff } from "../../lib/client/backoff.ts";
import { ConnectionError, ProtocolError } from "../../mod.ts";

const REFUSAL = new ConnectionError("disconnected", "The broker closed the connection", {
  cause: new ProtocolError("too-many-connections", "This broker has room for 1 connections"),
});
const BROKEN = new ConnectionError("disconnected", "The connection broke");

/** The next delays, each as the power of two that it is a multiple of 250 ms by. */
function next(backoff: Backoff, count: number): number[] {
  return Array.from({ length: count }, () => Math.round(Math.log2(backoff.nextMs() / 250)));
}

Deno.test("Backoff doubles the delay up to its limit", () => {
  assertEquals(next(new Backoff(), 5), [0, 1, 2, 2, 2]);
});

Deno.test("Backoff begins anew after a connection that has lasted, and not after a short one", () => {
  const backoff = new Backoff();
  next(backoff, 5);
  backoff.ended(BROKEN, 10);
  assertEquals(next(backoff, 1), [2]);
  backoff.ended(BROKEN, 10_000);
  assertEquals(next(backoff, 2), [0, 1]);
});

Deno.test("Backoff goes up to 30 s while the broker refuses the client", () => {
  const backoff = new Backoff();
  const delays = Array.from({ length: 12 }, () => {
    backoff.ended(REFUSAL, 10);
    return backoff.nextMs();
  });
  assert(delays.at(-1)! >= 22_500 && delays.at(-1)! <= 37_500, String(delays));
  backoff.failed(new ConnectionError("unreachable", "No broker answers"));
  assert(backoff.nextMs() <= 1250);
});
