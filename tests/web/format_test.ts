import { assertEquals } from "@std/assert";
import {
  count,
  describeEnd,
  describeFailure,
  describePatterns,
  formatBytes,
  formatCompactRate,
  formatRate,
  formatTime,
  groupName,
  indentJson,
  isInboxName,
  summarize,
} from "../../web/format.ts";
import type { Notice } from "../../web/model.ts";

Deno.test("count uses the singular for 1", () => {
  assertEquals([0, 1, 2000].map((number) => count(number, "event")), ["0 events", "1 event", "2,000 events"]);
});

Deno.test("formatRate has a decimal below 10", () => {
  assertEquals([0, 0.25, 9.9, 26.4, 200_000].map(formatRate), ["0", "0.3", "9.9", "26", "200,000"]);
});

Deno.test("formatCompactRate shortens large rates", () => {
  assertEquals([26.4, 9999, 200_000, 1_500_000].map(formatCompactRate), ["26", "9,999", "200K", "1.5M"]);
});

Deno.test("formatBytes switches to the next unit before a thousand", () => {
  assertEquals(
    [1, 999, 1000, 99_400, 999_499, 999_500, 16_777_216].map(formatBytes),
    ["1 byte", "999 bytes", "1.0 kB", "99 kB", "999 kB", "1.0 MB", "17 MB"],
  );
});

Deno.test("formatTime returns the time of day of a ULID", () => {
  assertEquals(formatTime("01ARYZ6S41TSV4RRFFQ69G5FAV"), new Date(1469918176385).toLocaleTimeString("en-GB"));
});

Deno.test("groupName groups the replies to requests", () => {
  const names = ["_INBOX.01ARYZ6S41TSV4RRFFQ69G5FAV.1", "_INBOX.x", "_INBOX", "_INBOXES.x", "order._INBOX.x"];
  assertEquals(names.map(groupName), ["_INBOX", "_INBOX", "_INBOX", "_INBOXES.x", "order._INBOX.x"]);
  assertEquals(names.map(isInboxName), [true, true, false, false, false]);
});

Deno.test("describePatterns describes all, some and no patterns, and reply patterns once", () => {
  assertEquals([[], [">"], [">", "mq.>"]].map((patterns) => describePatterns(patterns)), [
    "nothing",
    "everything",
    "everything, mq.>",
  ]);
  assertEquals(describePatterns(["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
  assertEquals(describePatterns(["a", "b"], 1), "a and 1 more");
  assertEquals(describePatterns(["a", "_INBOX.x.*", "_INBOX.y.*"]), "a, _INBOX");
  assertEquals(describePatterns(["a", "b"], 3, 12), "a, b and 10 more");
  assertEquals(describePatterns([], 3, 1000), "1,000 patterns");
});

Deno.test("describeEnd describes a reason in words, and quotes other codes", () => {
  assertEquals(describeEnd("slow"), "was disconnected: it is a slow consumer");
  assertEquals(describeEnd("line-too-long"), "was disconnected: line-too-long");
});

Deno.test("indentJson breaks JSON into lines, and leaves its values as they are", () => {
  assertEquals(
    indentJson('{"id":12345678901234567890,"a":[1, {"b":"}, {"}],"none":{ },"few":[\n]}'),
    '{\n  "id": 12345678901234567890,\n  "a": [\n    1,\n    {\n      "b": "}, {"\n    }\n  ],\n  "none": {},\n  "few": []\n}',
  );
  assertEquals(indentJson(' "a\\" b" '), '"a\\" b"');
});

Deno.test("summarize names up to two clients that joined, and counts more", () => {
  const joined = (name: string): Notice => ({ kind: "joined", id: name, name, what: "connected" });
  assertEquals(summarize([joined("a"), joined("b")]), "a connected. b connected");
  assertEquals(summarize([joined("a"), joined("b"), joined("c")]), "3 programs connected");
});

Deno.test("summarize ends with the last other notice, but not about a client that left", () => {
  const slow = (name: string): Notice => ({ kind: "other", id: name, name, what: "is slow" });
  const left: Notice = { kind: "left", id: "a", name: "a", what: "left" };
  assertEquals(summarize([slow("a"), slow("b"), left]), "a left. b is slow");
  assertEquals(summarize([slow("a"), left]), "a left");
});

Deno.test("groupName names a refused line without an event", () => {
  assertEquals(["order.paid", "_INBOX.x.1", ""].map(groupName), ["order.paid", "_INBOX", "a line"]);
});

Deno.test("describeFailure says why the store cannot be written, and nothing if it can", () => {
  const log = { events: 1, deleted: 0, bytes: 9, syncMs: 0 };
  assertEquals([log, { ...log, failed: "Cannot write the store: database or disk is full" }].map(describeFailure), [
    "",
    "Cannot write the store: database or disk is full. Until the store works again, no event is stored.",
  ]);
});
