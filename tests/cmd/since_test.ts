/** Where `--since` and `--until` begin and end, and how times are shown. */
import { assertEquals, assertThrows } from "@std/assert";
import { setColorEnabled } from "@std/fmt/colors";
import { InvalidValueError } from "../../cmd/shared/errors.ts";
import { formatDateTime, formatForPeople, formatTime, formatWhen } from "../../cmd/shared/format.ts";
import { since, until, untilId } from "../../cmd/shared/since.ts";
import { MqEvent } from "../../lib/protocol/event.ts";

setColorEnabled(false);

const ID = "01JD3K5E8Q5V1M4S3R6T7W8X9Y";

/** A local time as it is on the wire. */
function local(...parts: [year: number, month: number, day: number, hours?: number, minutes?: number]): string {
  return new Date(...parts).toISOString();
}

const MOMENTS: [text: string, wire: string][] = [
  ["1h", "1h"],
  ["1.5m", "1.5m"],
  [ID, ID],
  ["2026-11-28", local(2026, 10, 28)],
  ["2026-11-28T10:05", local(2026, 10, 28, 10, 5)],
  ["2026-11-28 10:05", local(2026, 10, 28, 10, 5)],
  ["2024-02-29T00:00:00", local(2024, 1, 29)],
  ["2026-11-28T10:05Z", "2026-11-28T10:05:00.000Z"],
  ["2026-11-28T10:05:07.25+01:00", "2026-11-28T09:05:07.250Z"],
];

for (const [text, wire] of MOMENTS) {
  Deno.test(`--since ${text} and --until ${text} are ${text === wire ? "the same" : "in UTC"} on the wire`, () => {
    assertEquals([since(text), until(text)], [wire, wire]);
  });
}

Deno.test("--since all and --since first are first on the wire, and --until takes neither", () => {
  assertEquals([since("all"), since("first")], ["first", "first"]);
  for (const text of ["all", "first"]) assertThrows(() => until(text), InvalidValueError);
});

const INVALID: [text: string, suggestion?: string][] = [
  ["", undefined],
  ["yesterday", undefined],
  ["0s", undefined],
  ["7", undefined],
  ["2026-02-29", undefined],
  ["2026-02-30T10:00Z", undefined],
  ["2026-13-01", undefined],
  ["2026-11-28T24:30", undefined],
  ["1969-01-01T00:00Z", undefined],
  ["10:00", undefined],
  ["2 hours", "2h"],
  ["7days", "7d"],
  [ID.toLowerCase(), ID],
];

for (const [text, suggestion] of INVALID) {
  Deno.test(`--since and --until do not take ${JSON.stringify(text)}`, () => {
    for (const parse of [since, until]) {
      assertEquals(assertThrows(() => parse(text), InvalidValueError).suggestion, suggestion);
    }
  });
}

Deno.test("--until is the last id that is wanted: none at a time, and that of an event itself", () => {
  assertEquals(untilId(undefined), undefined);
  assertEquals(untilId(until(ID)), ID);
  assertEquals(untilId("1970-01-01T00:00:00.001Z"), "00000000010000000000000000");
});

Deno.test("formatWhen shows the date of a time that is not today", () => {
  const now = new Date(2026, 10, 28, 0, 5);
  const before = new Date(2026, 10, 27, 23, 59, 58);
  assertEquals(formatWhen(now, now), "00:05:00");
  assertEquals(formatWhen(before, now), "2026-11-27 23:59:58");
  assertEquals([formatTime(before), formatDateTime(before)], ["23:59:58", "2026-11-27 23:59:58"]);
});

Deno.test("formatForPeople shows the date of an old event", () => {
  const event = new MqEvent("create", "1", { id: "01ARYZ6S41TSV4RRFFQ69G5FAV", from: "shop" });
  assertEquals(formatForPeople(event), `${formatDateTime(new Date("2016-07-30T22:36:16.385Z"))}  shop  create 1`);
});
