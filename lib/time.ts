/**
 * Waiting, but not for ever.
 *
 * @module
 */
import { TimeoutError } from "./errors.ts";

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
 * import { TimeoutError } from "./errors.ts";
 *
 * assertEquals(await within(1000, Promise.resolve(7)), 7);
 * await assertRejects(() => within(1, new Promise(() => {})), TimeoutError);
 * ```
 */
export async function within<T>(timeoutMs: number, promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  const { promise: givenUp, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new TimeoutError("timeout", `No answer within ${timeoutMs} ms`)), timeoutMs);
  const abort = () => reject(signal!.reason);
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  try {
    return await Promise.race([promise, givenUp]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
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
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
    if (signal?.aborted) end();
  });
}
