/** `Idempotency-Key`: a POST that is sent again is published once (docs/protocol.md, 13.3 and 14.4). */
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { BrokerOptions } from "../../mod.ts";
import { openStore } from "../../lib/store/sqlite.ts";
import { type Folder, tempFolder } from "../store/folder.ts";
import { type Answer, refusalIn, startWeb, type TestWeb } from "./fixtures.ts";

async function startStoredWeb({ path }: Folder, options: BrokerOptions = {}): Promise<TestWeb> {
  return startWeb({ events: [">"], ...options, store: await openStore({ folder: path }) });
}

function post(test: TestWeb, key: string, body = "1", headers: Record<string, string> = {}): Promise<Answer> {
  return test.ask("/pub/create", { method: "POST", body, headers: { "idempotency-key": key, ...headers } });
}

Deno.test("13.3 a POST with the same Idempotency-Key gets the first receipt, also after a restart and beside /once", async () => {
  await using folder = tempFolder();
  let first: Answer;
  {
    await using test = await startStoredWeb(folder);
    const answers = await Promise.all([post(test, '"cart-1"'), post(test, '"cart-1"', "2"), post(test, "cart-1")]);
    const firsts = answers.filter(({ body }) => !body.includes("duplicate"));
    assertEquals([answers.map(({ status }) => status), firsts.length], [[202, 202, 202], 1]);
    first = firsts[0];
    assertEquals(JSON.parse((await post(test, '"other"')).body).duplicate, undefined);
    assertEquals(test.server.broker.stats().published, 2);
    assertEquals(test.server.told("mq.http").length, 2);
  }
  await using test = await startStoredWeb(folder);
  const expected = { ...JSON.parse(first.body), duplicate: true };
  assertEquals(expected.stored, true);
  assertEquals(JSON.parse((await post(test, "cart-1")).body), expected);
  const [client] = await test.server.connect(1);
  assertEquals(await client.ask("/once 1 cart-1 create 3"), `/ok 1 ${JSON.stringify(expected)}`);
  assertEquals(test.server.broker.stats().published, 0);
});

Deno.test("13.3 an Idempotency-Key that is none is refused, and what is refused leaves the key free", async () => {
  await using folder = tempFolder();
  await using test = await startStoredWeb(folder, { events: ["create"], limits: { lineBytes: 500 } });
  for (const key of ["", '""', '"', '"a', '"a"b"', '"a";b=1', "two words", '"two words"', "x".repeat(129)]) {
    assertEquals(refusalIn(await post(test, key)), [400, "bad-arguments"], key);
  }
  const twice = await test.forged("POST /pub/create", { "idempotency-key": "a\r\nidempotency-key: b" }, "1");
  assertEquals(refusalIn(twice), [400, "bad-arguments"]);
  assertEquals(refusalIn(await post(test, "k", "x".repeat(498))), [413, "line-too-long"]);
  const unknown = { method: "POST", body: "1", headers: { "idempotency-key": "k" } };
  assertEquals(await test.refused("/pub/archive", unknown), [404, "unrecognized"]);
  assertEquals(JSON.parse((await post(test, "k")).body).duplicate, undefined);
  const quoted = String.raw`"a\"b\\c"`;
  assertEquals(JSON.parse((await post(test, quoted)).body).duplicate, undefined);
  assertEquals(JSON.parse((await post(test, String.raw`a"b\c`)).body).duplicate, true);
});

Deno.test("13.3 an Idempotency-Key is refused without a store, and tells nothing with a token for listening only", async () => {
  await using bare = await startWeb();
  const answer = await post(bare, '"k"');
  assertEquals(refusalIn(answer), [501, "no-store"]);
  assertStringIncludes(answer.body, "Cannot publish with a key: this broker keeps nothing; mq server --store DIR does");
  assertEquals(bare.server.told("mq.refused").map(({ code }) => code), ["no-store"]);
  await using folder = tempFolder();
  const tokens = [{ token: "all", scope: "all" }, { token: "ears", scope: "listen" }] as const;
  await using test = await startStoredWeb(folder, { tokens });
  assertEquals((await post(test, "k", "1", { authorization: "Bearer all" })).status, 202);
  assertEquals(refusalIn(await post(test, "k", "1", { authorization: "Bearer ears" })), [403, "forbidden"]);
});
