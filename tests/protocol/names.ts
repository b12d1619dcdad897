/** Well-formed and malformed names, for the tests of names and of patterns. */
import { assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../lib/protocol/errors.ts";

export const GOOD_NAMES = [
  "create",
  "a",
  "order.created",
  "a.b.c.d.e",
  "order_line-2",
  "_",
  "-",
  "2024",
  "٣",
  "commande.créée",
  "cre\u0301ée",
  "注文.作成",
  "हिन्दी",
  "mq",
  "mqtt.x",
  "constructor",
  "__proto__",
  "x".repeat(255),
  "é".repeat(127) + "x",
];

export const BAD_NAMES = [
  "",
  ".",
  ".a",
  "a.",
  "a..b",
  "a b",
  "a\tb",
  "a\n",
  "\na",
  "a\nb",
  "a\0",
  "\0",
  "/sub",
  "a/b",
  "a:b",
  "a,b",
  'a"b',
  "*",
  "a.*",
  ">",
  "a.>",
  "½",
  "😀",
  "\ufeffcreate",
  "a\u00a0b",
  "a\u200bb",
  "\ud800",
];

export const OVER_LONG = ["x".repeat(256), "é".repeat(128), "a.".repeat(128) + "a"];

export function assertRefused(act: () => unknown, code: string): void {
  assertEquals(assertThrows(act, ProtocolError).code, code);
}

export function shown(text: string): string {
  const json = JSON.stringify(text).replaceAll(/\p{C}/gu, (unit) => `\\u${unit.charCodeAt(0).toString(16)}`);
  return json.length > 20 ? `${json.slice(0, 20)}… (${text.length} characters)` : json;
}
