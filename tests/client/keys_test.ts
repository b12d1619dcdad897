/** `publishConfirmed` with a key: what is sent again, and what the program is told if it is not known to be published. */
import { assertEquals, assertRejects } from "@std/assert";
import { ConnectionError } from "../../mod.ts";
import { FakeBroker, happened, NEVER, RECEIPT } from "../fake_broker.ts";

const STORE = { store: { keep: [">"], syncMs: 0 } };

/** The code with which a promise rejects, which is that of an error of the connection. */
async function codeOf(promise: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => promise, ConnectionError)).code;
}

Deno.test("Client.publishConfirmed with a key rejects as unconfirmed, if the client does not reconnect", async () => {
  for (const reconnect of [false, { attempts: 2, minDelayMs: 1 }] as const) {
    await using broker = new FakeBroker(STORE);
    const { client, peer } = await broker.meet({ reconnect });
    const receipt = client.publishConfirmed("n", 1, { key: "k" });
    await peer.expect("/once 1 k n 1");
    broker.vanish();
    peer.close();
    assertEquals(await codeOf(receipt), "unconfirmed");
    await client.closed;
    assertEquals(await codeOf(client.publishConfirmed("n", 2, { key: "l" })), "closed"); // It was never sent.
  }
});

Deno.test("Client.publishConfirmed with a key rejects as unconfirmed, if the client is closed before it is sent again", async () => {
  await using broker = new FakeBroker(STORE);
  const { client, peer } = await broker.meet({ reconnect: NEVER });
  const sent = client.publishConfirmed("n", 1, { key: "k" });
  await peer.expect("/once 1 k n 1");
  const disconnected = happened(client, "disconnect");
  peer.close();
  await disconnected;
  await new Promise((resolve) => setTimeout(resolve)); // It is queued again.
  const unsent = client.publishConfirmed("n", 2, { key: "l" });
  const codes = Promise.all([codeOf(sent), codeOf(unsent)]);
  await client.close();
  assertEquals(await codes, ["unconfirmed", "closed"]);
});

Deno.test("Client.publishConfirmed with a key has room for what is sent again", async () => {
  await using broker = new FakeBroker(STORE);
  const { client, peer } = await broker.meet({ queueBytes: 100 });
  const receipts: Promise<unknown>[] = [];
  for (let n = 0; n < 20; n++) {
    receipts.push(client.publishConfirmed("n", n, { key: `k${n}` }));
    await peer.expect(`/once ${n + 1} k${n} n ${n}`);
  }
  peer.close();
  const next = await broker.welcome();
  for (let n = 0; n < 20; n++) {
    await next.expect(`/once ${n + 21} k${n} n ${n}`);
    await next.say(`/ok ${n + 21} ${RECEIPT}`);
  }
  assertEquals((await Promise.all(receipts)).length, 20);
});

Deno.test("Client.publishConfirmed refuses a key that is none", async () => {
  await using broker = new FakeBroker(STORE);
  const { client } = await broker.meet();
  for (const key of ["", "two words", "a\tb", "a\nb", "x".repeat(129)]) {
    await assertRejects(
      () => client.publishConfirmed("n", 1, { key }),
      TypeError,
      "one word of at most 128 characters",
    );
  }
});
