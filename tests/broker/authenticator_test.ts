import { assertEquals, assertThrows } from "@std/assert";
import { Authenticator } from "../../lib/broker/authenticator.ts";
import { MqError } from "../../lib/protocol/errors.ts";

Deno.test("Authenticator without tokens is open", () => {
  assertEquals([new Authenticator([]).isOpen, new Authenticator([{ token: "x", scope: "all" }]).isOpen], [true, false]);
});

Deno.test("Authenticator accepts each of its tokens, and no similar one", () => {
  const gate = new Authenticator([{ token: "s3cret", scope: "all" }, { token: "her", scope: "listen" }]);
  assertEquals([gate.authorize("s3cret"), gate.authorize("her")], ["all", "listen"]);
  const others = ["", "s3cre", "s3crett", "S3cret", "s 3cret", "s3cret\0", "hér", "\u00ff", "x".repeat(100_000)];
  for (const other of others) assertEquals(gate.authorize(other), undefined, other);
});

Deno.test("Authenticator accepts a token of 1,024 bytes, and refuses a longer or empty one", () => {
  const token = "x".repeat(1024);
  const gate = new Authenticator([{ token, scope: "publish" }]);
  assertEquals(gate.authorize(token), "publish");
  for (const more of ["x", "xx", "é", "é".repeat(1000), "\u{1f995}"]) {
    assertEquals(gate.authorize(token + more), undefined, more);
  }
  for (const token of ["", "x".repeat(1025), "é"]) {
    assertEquals(assertThrows(() => new Authenticator([{ token, scope: "all" }]), MqError).code, "bad-tokens");
  }
});
