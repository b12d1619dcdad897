import { assertEquals, assertInstanceOf } from "@std/assert";
import {
  ConnectionError,
  FatalProtocolError,
  MqError,
  ProtocolError,
  quote,
  TimeoutError,
} from "../../lib/protocol/errors.ts";

const CLASSES = [
  { Class: MqError, name: "MqError", bases: [Error] },
  { Class: ProtocolError, name: "ProtocolError", bases: [MqError] },
  { Class: FatalProtocolError, name: "FatalProtocolError", bases: [MqError, ProtocolError] },
  { Class: ConnectionError, name: "ConnectionError", bases: [MqError] },
  { Class: TimeoutError, name: "TimeoutError", bases: [MqError] },
];

for (const { Class, name, bases } of CLASSES) {
  Deno.test(`${name} has its class's name`, () => {
    assertEquals(new Class("closed", "It was closed").name, name);
  });

  Deno.test(`${name} is an instance of ${bases.map((base) => base.name).join(" and of ")}`, () => {
    for (const base of bases) assertInstanceOf(new Class("closed", "It was closed"), base);
  });

  Deno.test(`${name} has its code, message and cause`, () => {
    const cause = new Error("why");
    const error = new Class("closed", "It was closed", { cause });
    assertEquals([error.code, error.message, error.cause], ["closed", "It was closed", cause]);
  });
}

Deno.test("ProtocolError, ConnectionError and TimeoutError are distinct", () => {
  const siblings = [ProtocolError, ConnectionError, TimeoutError];
  const kinds = siblings.map((Class) => siblings.filter((other) => new Class("closed", "") instanceof other));
  assertEquals(kinds, siblings.map((Class) => [Class]));
});

Deno.test("MqError without a cause has none", () => {
  assertEquals("cause" in new MqError("closed", "It was closed"), false);
});

const QUOTED: [what: string, value: string, quoted: string][] = [
  ["nothing", "", '""'],
  ["60 characters whole", "x".repeat(60), `"${"x".repeat(60)}"`],
  ["61 characters cut to 60", "x".repeat(61), `"${"x".repeat(60)}…"`],
  ["a line end on one line", "a\r\nb", '"a\\r\\nb"'],
  ["a quotation mark", 'a"b', '"a\\"b"'],
  ["a control character", "a\x1b[2Jb", '"a\\u001b[2Jb"'],
];

for (const [what, value, quoted] of QUOTED) {
  Deno.test(`quote writes ${what}`, () => assertEquals(quote(value), quoted));
}

Deno.test("quote leaves well-formed text where it cuts a surrogate pair", () => {
  assertEquals(quote("x".repeat(59) + "😀").isWellFormed(), true);
});
