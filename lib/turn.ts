/**
 * The end of a turn of the event loop: when everything that has arrived has been dealt with.
 *
 * @module
 */
import { setImmediate } from "node:timers";

/** In versions of Deno before this one `setImmediate` is a timer, and waits for a millisecond. */
const FIRST_WITH_IMMEDIATE = [2, 6];

const schedule = hasImmediate(Deno.version.deno) ? (task: () => void) => void setImmediate(task) : await messageTasks();

/**
 * Calls a function when this turn of the event loop is over. What is called in one turn is called in the order in which
 * it was handed in.
 *
 * @param task The function. What it throws is not caught.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const order: string[] = [];
 * const ended = new Promise<void>((resolve) => atTurnEnd(resolve)).then(() => order.push("end"));
 * await Promise.resolve();
 * order.push("turn");
 * await ended;
 * assertEquals(order, ["turn", "end"]);
 * ```
 */
export function atTurnEnd(task: () => void): void {
  schedule(task);
}

function hasImmediate(version: string): boolean {
  const [major, minor] = version.split(".").map(Number);
  const [firstMajor, firstMinor] = FIRST_WITH_IMMEDIATE;
  return major > firstMajor || (major === firstMajor && minor >= firstMinor);
}

/** A message to oneself arrives in the next turn, fifty times as fast as a timer. */
async function messageTasks(): Promise<(task: () => void) => void> {
  const { MessageChannel } = await import("node:worker_threads");
  const { port1, port2 } = new MessageChannel();
  const tasks: (() => void)[] = [];
  port1.on("message", () => {
    const task = tasks.shift()!;
    if (tasks.length === 0) port1.unref(); // Only what is still to be done keeps a program alive.
    task();
  });
  port1.unref();
  return (task) => {
    if (tasks.push(task) === 1) port1.ref();
    port2.postMessage(null);
  };
}
