/**
 * What the operating system says of an error, in words for people.
 *
 * @module
 */

/**
 * Why the operating system, or the runtime, has refused something, as part of a sentence.
 *
 * @param error What was thrown.
 * @returns The message without the number of the error, and without advice for who starts Deno.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(systemReason(new Error("Is a directory (os error 21)")), "Is a directory");
 * ```
 */
export function systemReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "NotCapable") return "mq has no permission to open it"; // Such as what is in /proc.
  return error.message.replace(/ \(os error \d+\).*$/, "");
}
