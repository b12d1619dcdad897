/**
 * What the property tests share: how often they try, and arbitrary texts, JSON values, names and patterns.
 *
 * A property that fails prints its seed and the path to the smallest counterexample; with both among the options of its
 * `fc.assert` it fails in the same way again.
 *
 * @module
 */
import fc from "fast-check";
import type { Json } from "../../lib/protocol/data.ts";

/** How many times as often as in a test each property is tried: `MQ_FUZZ_RUNS=100` makes it a long hunt. */
const FACTOR = Number(Deno.env.get("MQ_FUZZ_RUNS") || 1);

/** How long the runs with a broker may take, in milliseconds: far more than they need. */
const BROKER_RUNS_MS = 120_000;

/** How often a property is tried. */
export function runs(count: number): { numRuns: number } {
  return { numRuns: count * FACTOR };
}

/** The same with a broker. What does not come is waited for each time: the search for a smaller counterexample ends. */
export function brokerRuns(count: number): { numRuns: number; interruptAfterTimeLimit: number } {
  return { ...runs(count), interruptAfterTimeLimit: BROKER_RUNS_MS * FACTOR };
}

/** Characters that are likely to matter, and any UTF-16 code unit, halves of surrogate pairs included. */
const character = fc.oneof(
  fc.constantFrom(...' \t\r\n\0\x1b\x7f\x85\u00a0\u2028\ufeff"\\{}[]:,-+.0123456789eEtruefalsn/\ud83d\ude00'),
  fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
);

const someSpace = fc.constantFrom("", " ", "\t", "\n", "\u00a0", "\ufeff");

/** Any text, often one that is JSON or nearly so. */
export const someText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: character }),
  fc.json(),
  fc.tuple(someSpace, fc.json(), someSpace).map((parts) => parts.join("")),
  fc.double().map(String),
);

/** Any JSON value but -0, which JSON writes as 0. */
export const { someJson } = fc.letrec<{ someJson: Json }>((tie) => ({
  someJson: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number === 0 ? 0 : number),
    someText,
    fc.array(tie("someJson")),
    fc.dictionary(fc.oneof(someText, fc.constantFrom("__proto__", "toJSON", "constructor")), tie("someJson")),
  ),
}));

const token = fc.constantFrom("a", "b", "mq", "mqtt", "é", "事件", "constructor");

/** A name of few different tokens. */
export const someName: fc.Arbitrary<string> = joined(token);

/** A pattern of the same tokens, so that it often matches such a name. */
export const somePattern: fc.Arbitrary<string> = fc.oneof(
  { weight: 1, arbitrary: fc.constant(">") },
  { weight: 4, arbitrary: joined(fc.oneof(token, fc.constant("*"))) },
  { weight: 4, arbitrary: joined(fc.oneof(token, fc.constant("*"))).map((text) => `${text}.>`) },
);

function joined(token: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join("."));
}

/** Pieces of text joined; `from` are those that are likely to matter. */
export function textOf(...from: string[]): fc.Arbitrary<string> {
  const piece = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...from) }, { weight: 1, arbitrary: character });
  return fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
}

/** What something returns, or the error of the declared class that it throws. Any other goes on. */
export function resultOf<T, E extends Error>(act: () => T, errorClass: new (...args: never[]) => E): T | E {
  try {
    return act();
  } catch (error) {
    if (error instanceof errorClass) return error;
    throw error;
  }
}
