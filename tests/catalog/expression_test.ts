import { assert, assertEquals, assertThrows } from "@std/assert";
import { ExpressionError, Expressions, isSimple } from "../../lib/catalog/expression.ts";

const expressions = await Expressions.load();

for (
  const [pattern, good, bad] of [
    ["^[a-z0-9-]{1,64}$", "a-1", "A"],
    ["^(a+)+$", "aaa", "aab"],
    ["^(a|a)*b$", "aab", "aac"],
    ["(.*,){20}x", "1,".repeat(20) + "x", "1,x"],
    ["^[\\w.+-]+@[\\w-]+\\.[\\w.]+$", "a.b@c.org", "a@b"],
    ["^\\p{Letter}cole$", "école", "1cole"],
    ["^\\p{Lu}+\\d*$", "ÉA1", "é1"],
    ["\\u00e9+x?", "é", "e"],
    ["^[^]+(x|y)+$", "\n\nx", "\n\nz"],
    ["^(?<year>\\d{4})-?(\\d\\d)?$", "2026-11", "26-11"],
    ["^[\\w\\.\\_]+$", "a.b", "a b"], // Not valid with the flag u.
  ]
) {
  Deno.test(`the expression ${pattern} matches ${JSON.stringify(good)}, and not ${JSON.stringify(bad)}`, () => {
    const expression = expressions.make(pattern);
    assertEquals([expression.test(good), expression.test(bad)], [true, false]);
  });
}

for (
  const [pattern, why] of [
    ["(", '"(" is not a regular expression'],
    ["^(?=.*\\d).+$", '"^(?=.*\\\\d).+$" cannot be matched in linear time (invalid or unsupported Perl syntax: `(?=`)'],
    ["(a)\\1", '"(a)\\\\1" cannot be matched in linear time (invalid escape sequence: `\\1`)'],
    ["(ab){1001,}", '"(ab){1001,}" cannot be matched in linear time (invalid repeat count: `{1001,}`)'],
  ]
) {
  Deno.test(`the expression ${pattern} is refused: ${why}`, () => {
    const { message } = assertThrows(() => expressions.make(pattern), ExpressionError);
    assert(message.startsWith(why), message);
  });
}

Deno.test("isSimple is true only for expressions that cannot backtrack at more than one place", () => {
  const simple = [
    "",
    "a",
    "^a*$",
    "^a{3}b?",
    "^(a|b|c)$",
    "[*+?]",
    "\\*\\+",
    "^(?:a|b*)c",
    "\\p{L}",
    "^\\d{4}-\\d\\d$",
  ];
  const others = ["a*", "^a*b*", "^(a)*", "^(a|a)(b|b)", "^a|b", "^(?=a)", "(a)\\1", "^a+?", "a{1000}b", "^((a))"];
  assertEquals([simple.filter((pattern) => !isSimple(pattern)), others.filter(isSimple)], [[], []]);
});
