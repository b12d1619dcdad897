/** Names and patterns, held to the rules of docs/protocol.md. */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { ProtocolError } from "../../lib/protocol/errors.ts";
import { PatternIndex } from "../../lib/broker/pattern_index.ts";
import { checkName, checkPublishable } from "../../lib/protocol/event.ts";
import { Pattern } from "../../lib/protocol/pattern.ts";
import { resultOf, runs, someName, somePattern, textOf } from "./arbitraries.ts";
import { isName, isPattern, matches } from "./reference.ts";

const encoder = new TextEncoder();
const special = ["a", "é", "e\u0301", "٣", "_", "-", ".", "*", ">", "mq", "mq.", " ", "😀", "½", "\u200b", "\ud800"];

/** What is nearly a name or a pattern, also such as are nearly too long. */
const someAttempt = fc.oneof(
  someName,
  textOf(...special),
  fc.tuple(somePattern, fc.nat({ max: 12 }), fc.constantFrom(...special))
    .map(([pattern, at, more]) => pattern.slice(0, at) + more + pattern.slice(at)),
  fc.tuple(fc.constantFrom("a", "é", "事", "a.", "*."), fc.integer({ min: 245, max: 260 }), fc.nat({ max: 4 }))
    .map(([unit, bytes, more]) => unit.repeat(bytes / encoder.encode(unit).length) + "x".repeat(more)),
);

Deno.test("checkName accepts exactly the names of rule 2.1", () => {
  const property = fc.property(someAttempt, (text) => {
    assertEquals(refusal(() => checkName(text)), isName(text) ? undefined : "bad-name");
  });
  fc.assert(property, runs(5000));
});

Deno.test("checkPublishable accepts exactly the names that are not reserved", () => {
  const property = fc.property(someAttempt, (text) => {
    const code = !isName(text) ? "bad-name" : text.startsWith("mq.") ? "reserved-name" : undefined;
    assertEquals(refusal(() => checkPublishable(text)), code);
  });
  fc.assert(property, runs(5000));
});

Deno.test("Pattern accepts exactly the patterns of rule 2.3", () => {
  const property = fc.property(someAttempt, (text) => {
    assertEquals(refusal(() => new Pattern(text)), isPattern(text) ? undefined : "bad-pattern");
  });
  fc.assert(property, runs(5000));
});

Deno.test("Pattern.matches agrees with rules 2.4 and 2.5", () => {
  const property = fc.property(somePattern, someName, (pattern, name) => {
    assertEquals(new Pattern(pattern).matches(name), matches(pattern, name));
  });
  fc.assert(property, runs(5000));
});

/** Long enough to tell any two short patterns apart; `x` stands for every token that no pattern has. */
const SHORT_NAMES = joinedUpTo(4, ["a", "b", "mq", "x"]);
const SHORT_CLOSED_PATTERNS = joinedUpTo(3, ["a", "b", "mq", "*"]);
const SHORT_PATTERNS = [">", ...SHORT_CLOSED_PATTERNS, ...SHORT_CLOSED_PATTERNS.map((text) => `${text}.>`)]
  .map((text) => ({
    pattern: new Pattern(text),
    names: new Set(SHORT_NAMES.filter((name) => matches(text, name))),
  }));

Deno.test("Pattern.matches agrees with rules 2.4 and 2.5 on all short patterns and names", () => {
  for (const { pattern, names } of SHORT_PATTERNS) {
    assertEquals(new Set(SHORT_NAMES.filter((name) => pattern.matches(name))), names, pattern.text);
  }
});

Deno.test("Pattern.isLiteral is true for short patterns that match only their own text", () => {
  const wrong = SHORT_PATTERNS.filter(({ pattern, names }) =>
    pattern.isLiteral !== (names.size === 1 && names.has(pattern.text))
  );
  assertEquals(wrong.map(({ pattern }) => pattern.text), []);
});

Deno.test("Pattern.overlaps agrees with a search over all short names", () => {
  const wrong = SHORT_PATTERNS.flatMap((a) =>
    SHORT_PATTERNS
      .filter((b) => a.pattern.overlaps(b.pattern) === a.names.isDisjointFrom(b.names))
      .map((b) => `${a.pattern.text} ${b.pattern.text}`)
  );
  assertEquals(wrong, []);
});

Deno.test("Pattern.overlaps is true for any two patterns that match the same name, in either order", () => {
  const property = fc.property(somePattern, somePattern, someName, (a, b, name) => {
    const [one, other] = [new Pattern(a), new Pattern(b)];
    assertEquals(one.overlaps(other), other.overlaps(one));
    fc.pre(matches(a, name) && matches(b, name));
    assertEquals(one.overlaps(other), true);
  });
  fc.assert(property, runs(1000));
});

Deno.test("PatternIndex finds for each short name who holds a pattern that matches it, and nobody who has given it back", () => {
  const indexes = [0, 10_000].map((others) => { // With many others it looks up the forms of a name, and not every pattern.
    const index = new PatternIndex<string>();
    for (let other = 0; other < others; other++) index.add(new Pattern(`other.${other}`), "other");
    for (const { pattern } of SHORT_PATTERNS) {
      for (const holder of [pattern.text, "all", "none"]) index.add(pattern, holder);
    }
    for (const { pattern } of SHORT_PATTERNS) index.delete(pattern.text, "none");
    return index;
  });
  for (const name of SHORT_NAMES) {
    const holders = SHORT_PATTERNS.filter(({ names }) => names.has(name)).map(({ pattern }) => pattern.text);
    const expected = new Set(holders.length > 0 ? [...holders, "all"] : []);
    for (const index of indexes) assertEquals(index.find(name), expected, name);
  }
});

/** The code with which something is refused; undefined if it is not. */
function refusal(act: () => unknown): string | undefined {
  const result = resultOf(act, ProtocolError);
  return result instanceof ProtocolError ? result.code : undefined;
}

function joinedUpTo(length: number, tokens: string[]): string[] {
  if (length === 1) return tokens;
  const shorter = joinedUpTo(length - 1, tokens);
  const longest = shorter.filter((text) => text.split(".").length === length - 1);
  return [...shorter, ...longest.flatMap((text) => tokens.map((token) => `${text}.${token}`))];
}
