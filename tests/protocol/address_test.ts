import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { formatAddress, parseAddress } from "../../lib/protocol/address.ts";
import { MqError } from "../../lib/protocol/errors.ts";

const GOOD: [text: string, hostname: string, port: number][] = [
  ["localhost", "localhost", 3001],
  ["localhost:4000", "localhost", 4000],
  [":4000", "localhost", 4000],
  ["mq://:4000", "localhost", 4000],
  ["mq://example.org", "example.org", 3001],
  ["mq://example.org:4000", "example.org", 4000],
  ["mq://example.org:4000/", "example.org", 4000],
  ["127.0.0.1:1", "127.0.0.1", 1],
  ["127.0.0.1:65535", "127.0.0.1", 65535],
  ["my-host_2", "my-host_2", 3001],
  ["münchen.example:4000", "münchen.example", 4000],
  ["[::1]", "::1", 3001],
  ["[::1]:4000", "::1", 4000],
  ["[::ffff:192.0.2.1]:4000", "::ffff:192.0.2.1", 4000],
  ["mq://[2001:DB8::1]:4000", "2001:DB8::1", 4000],
  ["mqs://example.org", "example.org", 3001],
  ["mqs://[::1]:4000", "::1", 4000],
  ["mqs://:4000", "localhost", 4000],
];

for (const [text, hostname, port] of GOOD) {
  Deno.test(`parseAddress reads ${text}`, () => {
    assertEquals(parseAddress(text), { hostname, port, tls: text.startsWith("mqs:") });
  });
}

const BAD = [
  "",
  " ",
  "/",
  "mq://",
  "mq:///",
  ":",
  "localhost:",
  "localhost:0",
  "localhost:65536",
  "localhost:123456",
  "localhost:-1",
  "localhost:1.5",
  "localhost:80a",
  "localhost:4000:4000",
  "localhost:٣",
  " localhost",
  "localhost ",
  "local host:4000",
  "localhost:4000\n",
  "localhost/path",
  "localhost:4000/path",
  "localhost?query",
  "localhost#fragment",
  "user@localhost",
  "http://localhost:4000",
  "mq:localhost",
  "mq://mq://localhost",
  "::1",
  "::1:4000",
  "[::1",
  "::1]",
  "[]",
  "[]:4000",
  "[localhost]:4000",
  "[::1]4000",
  "x[::1]:4000",
];

for (const text of BAD) {
  Deno.test(`parseAddress refuses ${JSON.stringify(text)}`, () => {
    const error = assertThrows(() => parseAddress(text), MqError);
    assertEquals(error.code, "bad-address");
    assertStringIncludes(error.message, JSON.stringify(text));
  });
}

Deno.test("formatAddress puts an IPv6 host in brackets", () => {
  assertEquals(formatAddress({ hostname: "2001:db8::1", port: 4000 }), "[2001:db8::1]:4000");
});

Deno.test("formatAddress writes any other host as it is", () => {
  assertEquals(formatAddress({ hostname: "example.org", port: 4000 }), "example.org:4000");
});
