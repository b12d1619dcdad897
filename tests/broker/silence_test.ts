/** What a client does about a broker that has fallen silent, or that does not read. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { connect, ConnectionError } from "../../mod.ts";
import { DEFAULT_LIMITS } from "../../lib/protocol/limits.ts";
import { FakeBroker, happened } from "../fake_broker.ts";
import { soon, startBroker } from "../helpers.ts";

Deno.test("Client pings a silent broker, and connects to the next if there is no response", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet({ heartbeat: { silenceMs: 40, answerMs: 40 } });
  const disconnected = happened(client, "disconnect");
  const reconnected = happened(client, "reconnect");
  await peer.expect("/ping");
  assertEquals((await soon(disconnected, "the disconnect")).message, "The broker has been silent for 0.08 s");
  await fake.welcome();
  await soon(reconnected, "the reconnect");
});

Deno.test("Client stays connected to a broker that responds, or sends anything else", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet({ heartbeat: { silenceMs: 40, answerMs: 400 } });
  let disconnects = 0;
  client.addEventListener("disconnect", () => disconnects++);
  for (const answer of ["/pong", "/pong"]) {
    await peer.expect("/ping");
    await peer.say("/ping are you there");
    await peer.expect("/pong are you there");
    await peer.say(answer);
  }
  assertEquals(disconnects, 0);
});

Deno.test("Client rejects pending receipts when the broker is silent", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet({ heartbeat: { silenceMs: 40, answerMs: 40 }, reconnect: false });
  const publishing = client.publishConfirmed("create", 1);
  const outcome = publishing.then(() => "taken", (error) => error.code);
  await peer.expect("/pub 1 create 1", "/ping");
  assertEquals(await soon(outcome, "its end"), "unconfirmed");
});

Deno.test("Client detects within 45 s by default that a broker is gone", () => {
  const { silenceMs, answerMs } = DEFAULT_LIMITS;
  const tickMs = 1000;
  assert(silenceMs + answerMs + 2 * tickMs <= 45_000);
});

Deno.test("Client and broker that ping each other stay connected", async () => {
  const times = { silenceMs: 20, answerMs: 400 };
  await using server = await startBroker({ limits: times });
  await using client = await connect({ hostname: "127.0.0.1", port: server.port, heartbeat: times });
  let disconnects = 0;
  client.addEventListener("disconnect", () => disconnects++);
  await using watcher = await connect({ hostname: "127.0.0.1", port: server.port });
  for (let times = 0; times < 20; times++) {
    await watcher.flush();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assertEquals([disconnects, client.connected], [0, true]);
});

Deno.test("Client.publish throws while the queue of a stalled broker is full, and works again later", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet({ queueBytes: 1_000_000 });
  const data = "x".repeat(100_000);
  let sent = 0;
  const publish = () => {
    client.publish("create", data);
    sent++;
  };
  let error: ConnectionError | undefined;
  while (error === undefined) {
    try {
      for (let count = 0; count < 5; count++) publish();
      await new Promise((resolve) => setTimeout(resolve, 1)); // What can be written is written.
    } catch (thrown) {
      error = thrown as ConnectionError;
    }
  }
  assertEquals(error.code, "queue-full");
  assert(/^Cannot publish: \d+ bytes wait to be sent already, of 1000000 allowed$/.test(error.message), error.message);
  for (let read = 0; read < sent; read++) await peer.expect(`create ${data}`);
  client.publish("create", "after");
  await peer.expect("create after");
});

Deno.test("Client.flush and Client.stats do not fail because the queue is full", async () => {
  await using server = await startBroker();
  await using client = await connect({ hostname: "127.0.0.1", port: server.port, queueBytes: 20 });
  client.publish("create", "123456789");
  assertThrows(() => client.publish("create", "123456789"), ConnectionError, "20 allowed");
  await client.flush();
  assertEquals((await client.stats()).published, 1);
});

Deno.test("Client reports how many events the broker dropped for it, in their place", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  const heard: unknown[] = [];
  client.addEventListener("dropped", ({ detail }) => heard.push(`dropped ${detail}`));
  client.subscribe("create", { handler: ({ data }) => heard.push(data) });
  await peer.expect("/sub create");
  await peer.say("/ok sub", "create 1", "/dropped 12", "create 14");
  const flushed = client.flush();
  await peer.expect("/ping");
  await peer.say("/pong");
  await soon(flushed, "the answer");
  assertEquals(heard, [1, "dropped 12", 14]);
});
