/**
 * Work at the end of a tick of the event loop.
 *
 * @module
 */
import { setImmediate } from "node:timers";

/** The first version of Deno, major and minor, whose `setImmediate` is not a timer of one millisecond. */
const FIRST_WITH_IMMEDIATE = [2, 6];

const scheduleTask = hasImmediate(Deno.version.deno)
  ? (task: () => void) => void setImmediate(task)
  : await messageTasks();

/**
 * Calls a function when the current tick of the event loop is over. Functions are called in the order of these calls.
 *
 * @param task The function. An error that it throws is not caught.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const order: string[] = [];
 * const ended = new Promise<void>((resolve) => afterCurrentTick(resolve)).then(() => order.push("end"));
 * await Promise.resolve();
 * order.push("microtask");
 * await ended;
 * assertEquals(order, ["microtask", "end"]);
 * ```
 */
export function afterCurrentTick(task: () => void): void {
  scheduleTask(task);
}

function hasImmediate(version: string): boolean {
  const [major, minor] = version.split(".").map(Number);
  const [firstMajor, firstMinor] = FIRST_WITH_IMMEDIATE;
  return major > firstMajor || (major === firstMajor && minor >= firstMinor);
}

/** Schedules tasks by messages of this thread to itself, which arrive in the next tick: 50 times as fast as a timer. */
async function messageTasks(): Promise<(task: () => void) => void> {
  const { MessageChannel } = await import("node:worker_threads");
  const { port1, port2 } = new MessageChannel();
  const tasks: (() => void)[] = [];
  port1.on("message", () => {
    const task = tasks.shift()!;
    if (tasks.length === 0) port1.unref(); // Only pending tasks keep the program alive.
    task();
  });
  port1.unref();
  return (task) => {
    if (tasks.push(task) === 1) port1.ref();
    port2.postMessage(null);
  };
}
