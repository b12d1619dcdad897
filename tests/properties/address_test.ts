/** Any text is an address or refused. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Address, formatAddress, parseAddress } from "../../lib/protocol/address.ts";
import { MqError } from "../../lib/protocol/errors.ts";
import { resultOf, runs, someText, textOf } from "./arbitraries.ts";

const someAddress: fc.Arbitrary<Address> = fc.record({
  hostname: fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6()),
  port: fc.integer({ min: 1, max: 65535 }),
}, { noNullPrototype: true });

Deno.test("parseAddress reads what formatAddress writes", () => {
  const property = fc.property(someAddress, fc.constantFrom("", "mq://", "mqs://"), (address, scheme) => {
    assertEquals(parseAddress(scheme + formatAddress(address)), { ...address, tls: scheme === "mqs://" });
  });
  fc.assert(property, runs(1000));
});

Deno.test("parseAddress reads any text as an address that formatAddress writes, or refuses it", () => {
  const attempt = fc.oneof(
    someText,
    textOf("mq://", "mqs://", "localhost", "127.0.0.1", "[", "::1", "]", ":", "3001", "70000", "0", "/", "%lo"),
  );
  const property = fc.property(attempt, (text) => {
    const address = resultOf(() => parseAddress(text), MqError);
    if (address instanceof MqError) return assertEquals(address.code, "bad-address");
    assertEquals(parseAddress((address.tls ? "mqs://" : "") + formatAddress(address)), address);
    assert(address.port >= 1 && address.port <= 65535);
  });
  fc.assert(property, runs(5000));
});
