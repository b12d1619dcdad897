/**
 * Waiting, but not for ever.
 *
 * @module
 */
import { TimeoutError } from "../protocol/errors.ts";

/**
 * Waits for a promise, up to a time.
 *
 * @param timeoutMs How long, in milliseconds.
 * @param promise What is waited for.
 * @param signal Gives up when it is aborted.
 * @returns What the promise resolves to.
 * @throws {TimeoutError} When the time has run out.
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
  const { promise: givenUp, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new TimeoutError("timeout", `No answer within ${timeoutMs} ms`)), timeoutMs);
  const forget = onAbort(signal, reject);
  try {
    return await Promise.race([promise, givenUp]);
  } finally {
    clearTimeout(timer);
    forget();
  }
}

/**
 * Waits for a promise, up to a time, where it does not matter whether it is kept by then.
 *
 * @param timeoutMs How long, in milliseconds.
 * @param promise What is waited for.
 * @returns What the promise resolves to; undefined when the time has run out.
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

/**
 * Waits for a time to pass.
 *
 * @param ms How long, in milliseconds.
 * @param signal Rejects with its reason when it is aborted.
 *
 * @example
 * ```ts
 * import { assertRejects } from "@std/assert";
 *
 * await sleep(1);
 * await assertRejects(() => sleep(60_000, AbortSignal.timeout(1)));
 * ```
 */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      forget();
      resolve();
    }, ms);
    const forget = onAbort(signal, (reason) => {
      clearTimeout(timer);
      reject(reason);
    });
  });
}

/** Those who wait for a signal to be aborted, and how to stop listening to it. */
interface Waiting {
  readonly callbacks: Set<(reason: unknown) => void>;
  stop(): void;
}

const waitingFor = new WeakMap<AbortSignal, Waiting>();

/**
 * Calls a function when a signal is aborted, or at once if it has been. However many wait for one signal, it has one
 * listener: to add another to a thousand takes a thousand comparisons.
 *
 * @param signal The signal; undefined for one that is never aborted.
 * @param callback Called once, with the signal's reason.
 * @returns A function that undoes it.
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
  const { callbacks, stop } = waitingFor.get(signal) ?? listenFor(signal);
  const entry = (reason: unknown) => callback(reason); // The same function may wait twice.
  callbacks.add(entry);
  return () => {
    if (callbacks.delete(entry) && callbacks.size === 0) stop();
  };
}

function listenFor(signal: AbortSignal): Waiting {
  const callbacks = new Set<(reason: unknown) => void>();
  const onAbort = () => {
    for (const callback of callbacks) callback(signal.reason);
  };
  const stop = () => {
    signal.removeEventListener("abort", onAbort); // One with listeners may keep a program alive.
    waitingFor.delete(signal);
  };
  signal.addEventListener("abort", onAbort);
  const waiting = { callbacks, stop };
  waitingFor.set(signal, waiting);
  return waiting;
}
