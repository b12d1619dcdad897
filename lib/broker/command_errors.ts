/**
 * How a broker says no: what a line is refused for, and what the answer names. Everything here is pure.
 *
 * @module
 */
import { FatalProtocolError, ProtocolError } from "../protocol/errors.ts";
import { ANSWER_BYTES } from "../protocol/limits.ts";
import { byteLength, isLongerThan, takeWord } from "../protocol/text.ts";

/** The longest REF and verb that are answered by their own name, in UTF-16 code units. */
export const MAX_WHAT_CHARACTERS = 64;

/** What becomes of a line without an end is worth a word: whoever writes a first client forgets it. */
export const UNFINISHED_LINE: ProtocolError = new ProtocolError(
  "unfinished-line",
  "The connection ended in the middle of a line, which does not count: every line ends with a line feed",
);

/**
 * Why a connection is not let in.
 *
 * @param why What is missing, as the rest of the sentence.
 * @returns The error to tell.
 */
export function unauthorized(why: string): FatalProtocolError {
  return new FatalProtocolError("unauthorized", `Cannot let you in: ${why}`);
}

/**
 * Checks whether there is room for an answer. A short one always gets some: see {@linkcode ANSWER_BYTES}.
 *
 * @param answer The answer.
 * @param roomBytes What else there is, in bytes.
 * @throws {ProtocolError} With the code `answer-too-long`.
 */
export function checkAnswer(answer: string, roomBytes: number): void {
  if (!isLongerThan(Math.max(roomBytes, ANSWER_BYTES), answer)) return;
  const message = `Cannot answer: that would take ${byteLength(answer)} bytes, and there is room for ${roomBytes}`;
  throw new ProtocolError("answer-too-long", message);
}

/**
 * What an answer names: the verb, or the REF of a `/pub`.
 *
 * @param verb The verb.
 * @param rest What stands behind it.
 * @returns It; `-` for what is too long to repeat.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(subject("sub", "order.*"), "sub");
 * assertEquals(subject("pub", "7 create"), "7");
 * assertEquals(subject("x".repeat(65), ""), "-");
 * ```
 */
export function subject(verb: string, rest: string): string {
  const word = verb === "pub" && takeWord(rest)[1] !== "" ? takeWord(rest)[0] : verb;
  return word === "" || word.length > MAX_WHAT_CHARACTERS ? "-" : word;
}

/**
 * What a line was refused for. An error that is not the client's doing ends that one connection, and nothing else.
 *
 * @param error What was thrown.
 * @returns The error to tell.
 */
export function asProtocolError(error: unknown): ProtocolError {
  if (error instanceof ProtocolError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new FatalProtocolError("internal-error", `The broker failed: ${message}`, { cause: error });
}

/**
 * After a first line that is too long nothing is read: it may be the head of an HTTP request, and its body follows. Nor
 * is anything of one who should have shown a token.
 *
 * @param error What the line was refused for.
 * @param why Why nothing is read after it, as the rest of the sentence.
 * @returns The error to tell.
 */
export function asFatal(error: ProtocolError, why: string): ProtocolError {
  if (error instanceof FatalProtocolError) return error;
  return new FatalProtocolError(error.code, `${error.message}, and ${why}`);
}
