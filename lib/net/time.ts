/**
 * Waiting for a promise up to a time, and for a signal to be aborted. To wait for a time alone there is `delay` of
 * `@std/async`.
 *
 * `deadline` of `@std/async` is not used: it needs `AbortSignal.any`, and Deno 2.4 collects such a signal as garbage while
 * somebody listens to it, so that neither the time nor the signal ends the wait. Also, it keeps 0.8 KB for each wait until
 * its time is over, even if the promise has been settled long before.
 *
 * @module
 */
import { TimeoutError } from "../protocol/errors.ts";

/**
 * Waits for a promise, up to a time.
 *
 * @param timeoutMs The time, in milliseconds.
 * @param promise The promise. It goes on when the time is over.
 * @param signal Ends the wait when it is aborted; its reason is thrown.
 * @returns The value of the promise.
 * @throws {TimeoutError} With the code `timeout`, when the time is over.
 *
 * @example
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 * import { TimeoutError } from "../protocol/errors.ts";
 *
 * assertEquals(await within(1000, Promise.resolve(7)), 7);
 * await assertRejects(() => within(1, new Promise(() => {})), TimeoutError);
 * ```
 */
export async function within<T>(timeoutMs: number, promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  const { promise: abandoned, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new TimeoutError("timeout", `No answer within ${timeoutMs} ms`)), timeoutMs);
  const forget = onAbort(signal, reject);
  try {
    return await Promise.race([promise, abandoned]);
  } finally {
    clearTimeout(timer);
    forget();
  }
}

/**
 * Waits for a promise, up to a time; that the time is over is no error.
 *
 * @param timeoutMs The time, in milliseconds.
 * @param promise The promise. It goes on when the time is over.
 * @returns The value of the promise; undefined when the time is over.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await atMost(1000, Promise.resolve(7)), 7);
 * assertEquals(await atMost(1, new Promise(() => {})), undefined);
 * ```
 */
export async function atMost<T>(timeoutMs: number, promise: Promise<T>): Promise<T | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), timeoutMs);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The callbacks of one signal, and how to remove the listener that calls them. */
interface AbortCallbacks {
  readonly callbacks: Set<(reason: unknown) => void>;
  stop(): void;
}

const callbacksOf = new WeakMap<AbortSignal, AbortCallbacks>();

/**
 * Calls a function when a signal is aborted, or at once if it has been. A signal has one listener for all of its
 * callbacks: an `addEventListener` compares the listener with each that is there, so that 10,000 waits on one signal take
 * 300 ms, and 7 ms this way.
 *
 * @param signal The signal; undefined for one that is never aborted.
 * @param callback Called once, with the signal's reason.
 * @returns A function that removes the callback.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const ending = new AbortController();
 * const reasons: unknown[] = [];
 * const forget = onAbort(ending.signal, () => reasons.push("not this one"));
 * onAbort(ending.signal, (reason) => reasons.push(reason));
 * forget();
 * ending.abort("enough");
 * assertEquals(reasons, ["enough"]);
 * ```
 */
export function onAbort(signal: AbortSignal | undefined, callback: (reason: unknown) => void): () => void {
  if (signal === undefined) return () => {};
  if (signal.aborted) {
    callback(signal.reason);
    return () => {};
  }
  const { callbacks, stop } = callbacksOf.get(signal) ?? listenTo(signal);
  const entry = (reason: unknown) => callback(reason); // The same function may be given twice.
  callbacks.add(entry);
  return () => {
    if (callbacks.delete(entry) && callbacks.size === 0) stop();
  };
}

function listenTo(signal: AbortSignal): AbortCallbacks {
  const callbacks = new Set<(reason: unknown) => void>();
  const callAll = () => {
    for (const callback of callbacks) callback(signal.reason);
  };
  const stop = () => {
    signal.removeEventListener("abort", callAll); // A signal with listeners may keep a program alive.
    callbacksOf.delete(signal);
  };
  signal.addEventListener("abort", callAll);
  const entry = { callbacks, stop };
  callbacksOf.set(signal, entry);
  return entry;
}
