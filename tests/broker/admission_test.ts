/** Who may connect: tokens, the number of connections, TLS. Over bare sockets, as in section 10 of docs/protocol.md. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { classic } from "../../lib/net/classic.ts";
import { Broker, type BrokerOptions, connect, ConnectionError, MqError, type Token } from "../../mod.ts";
import { RawClient, startBroker, until } from "../helpers.ts";

const TOKENS: Token[] = [
  { token: "s3cret", scope: "all" },
  { token: "speak", scope: "publish" },
  { token: "hear", scope: "listen" },
];

const CERTIFICATE = await read("cert.pem");
const TLS = { cert: CERTIFICATE, key: await read("key.pem") };

function read(name: string): Promise<string> {
  return Deno.readTextFile(new URL(`../files/${name}`, import.meta.url));
}

function hello(token: unknown): string {
  return `/hello ${JSON.stringify({ token })}`;
}

// Tokens

Deno.test("tokens: a known token is accepted, and its connection receives every event", async () => {
  await using server = await startBroker({ tokens: TOKENS });
  const [client] = await server.connect(1);
  assertMatch((await client.ask(hello("s3cret")))!, /^\/ok hello /);
  await client.line("create 1");
  await client.expect("create 1");
});

for (const line of [hello("wrong"), hello(""), "/hello", "/hello {}", "create 1", "/ping", "/sub create", "/quit"]) {
  Deno.test(`tokens: ${line} is refused, and the connection is closed`, async () => {
    await using server = await startBroker({ tokens: TOKENS });
    const [client] = await server.connect(1);
    assertMatch((await client.ask(line))!, /^\/err hello unauthorized Cannot let you in: /);
    await client.expectEnd();
    await until(() => server.told("mq.disconnect").length === 1, "it has left");
    assertEquals(server.told("mq.disconnect")[0].reason, "unauthorized");
    const { published, unrecognized } = server.broker.stats();
    assertEquals([published, unrecognized], [0, 0]);
  });
}

Deno.test("tokens: the broker reads nothing after a wrong token", async () => {
  await using server = await startBroker({ tokens: TOKENS });
  const [client] = await server.connect(1);
  await client.send(`${hello("wrong")}\n${hello("s3cret")}\ncreate 1\n`);
  assertMatch((await client.lines.next())!, /^\/err hello unauthorized /);
  await client.expectEnd();
  assertEquals(server.broker.stats().published, 0);
});

Deno.test("tokens: a client that is not authenticated receives nothing", async () => {
  await using server = await startBroker({ tokens: TOKENS });
  const [outside, inside] = await server.connect(2);
  await inside.ask(hello("s3cret"));
  await inside.line("create 1");
  await inside.expect("create 1");
  assertMatch((await outside.ask(hello("s3cret")))!, /^\/ok hello /);
});

Deno.test("tokens: blank lines and a malformed /hello do not end the connection", async () => {
  await using server = await startBroker({ tokens: TOKENS });
  const [client] = await server.connect(1);
  await client.send("\n \n");
  assertMatch((await client.ask("/hello {"))!, /^\/err hello bad-arguments /);
  assertMatch((await client.ask(hello(7)))!, /^\/err hello bad-arguments .*"token" takes a string$/);
  assertMatch((await client.ask(hello("s3cret")))!, /^\/ok hello /);
});

Deno.test("tokens: a line may have 4,096 bytes before authentication, and the usual limit after it", async () => {
  await using server = await startBroker({ tokens: TOKENS });
  const [patient, long] = await server.connect(2);
  const padded = `/hello {"token":"s3cret"${" ".repeat(4096 - 25)}}`;
  assertEquals(padded.length, 4096);
  assertMatch((await patient.ask(padded))!, /^\/ok hello /);
  await patient.line(`create ${"x".repeat(100_000)}`);
  assertEquals((await patient.lines.next())?.length, 100_007);
  assertMatch((await long.ask(padded + " "))!, /^\/err - line-too-long /);
  await long.expectEnd();
});

Deno.test("tokens: a line sent right after a long /hello may have any length within the limit", async () => {
  const token = "x".repeat(1024);
  await using server = await startBroker({ tokens: [{ token, scope: "all" }] });
  const [client] = await server.connect(1);
  const line = `create ${"x".repeat(100_000)}`;
  await client.send(`${"\n".repeat(2000)}${hello(token)}\n${line}\n`);
  assertMatch((await client.lines.next())!, /^\/ok hello /);
  await client.expect(line);
});

Deno.test("tokens: an HTTP request still gets the HTTP refusal", async () => {
  await using server = await startBroker({ tokens: TOKENS });
  const [client] = await server.connect(1);
  await client.send("POST / HTTP/1.1\r\n\r\ncreate 1\r\n");
  assertMatch(await client.lines.rest(), /^HTTP\/1\.1 400 /);
  assertEquals(server.broker.stats().published, 0);
});

Deno.test("tokens: a client that sends no token in time gets an error, and is closed", async () => {
  await using server = await startBroker({ tokens: TOKENS, limits: { helloMs: 20 } });
  const [client] = await server.connect(1);
  assertEquals(
    await client.lines.next(),
    "/err hello unauthorized Cannot let you in: no token came within 20 ms",
  );
  await client.expectEnd();
});

Deno.test("tokens: an authenticated client may be silent for longer than the hello timeout", async () => {
  await using server = await startBroker({ tokens: TOKENS, limits: { helloMs: 20 } });
  const [inside] = await server.connect(1);
  assertMatch((await inside.ask(hello("s3cret")))!, /^\/ok hello /);
  const [outside] = await server.connect(1);
  assertMatch((await outside.lines.next())!, /^\/err hello unauthorized /); // So the time has passed.
  assertEquals(await inside.ask("/ping"), "/pong");
});

Deno.test("tokens: a token for publishing allows publishing, and no subscriptions", async () => {
  await using server = await startBroker({ tokens: TOKENS });
  const [speaker, hearer] = await server.connect(2);
  await hearer.ask(hello("hear"));
  await speaker.ask(hello("speak"));
  await speaker.line("create 1");
  await hearer.expect("create 1");
  assertMatch((await speaker.ask("/pub 7 create 2"))!, /^\/ok 7 \{.*"receivers":1\}$/);
  assertMatch((await speaker.ask("/sub create"))!, /^\/err sub forbidden /);
  assertEquals(await speaker.ask("/unsub >"), "/ok unsub");
  assertEquals(server.broker.clients()[0].patterns, []);
});

Deno.test("tokens: a token for listening allows subscriptions, and no publishing", async () => {
  await using server = await startBroker({ tokens: TOKENS });
  const [hearer, speaker] = await server.connect(2);
  await hearer.ask(hello("hear"));
  await speaker.ask(hello("speak"));
  assertMatch((await hearer.ask("create 1"))!, /^\/err - forbidden /);
  assertMatch((await hearer.ask("/pub 7 create 2"))!, /^\/err 7 forbidden /);
  assertEquals(await hearer.ask("/sub create"), "/ok sub");
  await speaker.line("create 3");
  await hearer.expect("create 3");
  assertEquals(server.broker.stats().published, 1);
});

Deno.test("tokens: a later /hello does not change the scope", async () => {
  await using server = await startBroker({ tokens: TOKENS });
  const [client] = await server.connect(1);
  await client.ask(hello("hear"));
  assertMatch((await client.ask(hello("s3cret")))!, /^\/ok hello /);
  assertMatch((await client.ask(hello("wrong")))!, /^\/ok hello /);
  assertMatch((await client.ask("create 1"))!, /^\/err - forbidden /);
});

Deno.test("tokens: a broker without tokens accepts any token", async () => {
  await using server = await startBroker();
  const [client] = await server.connect(1);
  assertMatch((await client.ask(hello("anything")))!, /^\/ok hello /);
});

Deno.test("tokens: no system event and no response contains a token", async () => {
  await using server = await startBroker({ tokens: TOKENS });
  const [inside, outside] = await server.connect(2);
  const answers = [await inside.ask(hello("s3cret")), await inside.ask("/clients"), await outside.ask(hello("wr0ng"))];
  const told = JSON.stringify([server.activities, answers]);
  for (const { token } of [...TOKENS, { token: "wr0ng" }]) assert(!told.includes(`"${token}`), token);
});

Deno.test("Broker refuses an empty token", async () => {
  await assertRejects(() => startBroker({ tokens: [{ token: "", scope: "all" }] }), MqError, "Cannot use the token");
});

Deno.test("connect sends its token, and rejects a wrong one at once, even with wait", async () => {
  await using server = await startBroker({ tokens: TOKENS });
  const { port } = server;
  await using client = await connect({ hostname: "127.0.0.1", port, token: "s3cret" });
  assertEquals((await client.publishConfirmed("create", 1)).receivers, 0);
  for (const options of [{ token: "wrong" }, {}, { wait: true }]) {
    const error = await assertRejects(() => connect({ hostname: "127.0.0.1", port, ...options }), MqError);
    assertEquals(error.code, "unauthorized");
  }
});

// How many

Deno.test("connections: a connection past the limit gets an error and is closed, until another leaves", async () => {
  await using server = await startBroker({ limits: { connections: 2 } });
  const [first, second] = await server.connect(2);
  const third = await RawClient.connect(server.port);
  assertEquals(
    await third.lines.next(),
    "/err - too-many-connections This broker has room for 2 connections, and none is free",
  );
  await third.expectEnd();
  third.close();
  assertEquals(await second.ask("/ping"), "/pong");
  const [refused] = server.told("mq.refused");
  assertEquals([refused.id, refused.name, refused.code, refused.times], ["", "mq", "too-many-connections", 1]);

  first.close();
  await until(() => server.broker.stats().connections === 1, "the first has left");
  const [fourth] = await server.connect(1);
  assertEquals(await fourth.ask("/ping"), "/pong");
});

Deno.test("connections: rejected connections get an error while they are few, and block nobody", async () => {
  await using server = await startBroker({ limits: { connections: 1 } });
  const [inside] = await server.connect(1);
  const others = await Promise.all(Array.from({ length: 150 }, () => RawClient.connect(server.port)));
  const words = await Promise.all(others.map((client) => client.lines.next()));
  assert(words.filter((line) => line?.startsWith("/err - too-many-connections")).length >= 100);
  assertEquals(server.told("mq.refused").length, 150);
  assertEquals(await inside.ask("/ping"), "/pong");
  for (const client of others) client.close();
});

Deno.test("connections: connect rejects with the broker's reason when there is no room", async () => {
  await using server = await startBroker({ limits: { connections: 1 } });
  await server.connect(1);
  const connecting = () => connect({ hostname: "127.0.0.1", port: server.port });
  const error = await assertRejects(connecting, ConnectionError, "has room for 1 connections, and none is free");
  assertEquals(error.code, "refused");
});

// TLS

/** A broker that speaks TLS. */
async function startTls(options: BrokerOptions = {}): Promise<{ broker: Broker; port: number; told: unknown[] }> {
  const told: unknown[] = [];
  const onSystemEvent = (name: string, data: unknown) => void (name === "mq.refused" && told.push(data));
  const broker = new Broker({ onSystemEvent, ...options });
  const { port } = await broker.listen({ port: 0, tls: TLS });
  return { broker, port, told };
}

for (const hostname of ["localhost", "127.0.0.1"]) {
  Deno.test(`TLS: clients that trust the certificate exchange events with mqs://${hostname}`, async () => {
    const { broker, port } = await startTls();
    await using _ = broker;
    const options = { url: `mqs://${hostname}:${port}`, caCerts: [CERTIFICATE] };
    await using listener = await connect(options);
    const events = listener.subscribe("create");
    await events.ready;
    await using publisher = await connect(options);
    const data = "x".repeat(500_000);
    assertEquals((await publisher.publishConfirmed("create", data)).receivers, 1);
    assertEquals((await events.next()).value?.data, data);
  });
}

Deno.test("TLS: client and broker both report an untrusted certificate", async () => {
  const { broker, port, told } = await startTls();
  await using _ = broker;
  const error = await assertRejects(() => connect({ url: `mqs://localhost:${port}` }), ConnectionError);
  assertEquals(error.code, "untrusted");
  assertMatch(error.message, /^Cannot agree on TLS with localhost:\d+: the certificate is not signed by an authority/);
  await until(() => told.length === 1, "the broker says so");
  assertMatch(JSON.stringify(told[0]), /"code":"tls","text":"No TLS with 127\.0\.0\.1:\d+: the certificate is not/);
});

Deno.test("TLS: a plain client of a TLS broker gets a hint to use mqs://", async () => {
  const { broker, port, told } = await startTls();
  await using _ = broker;
  const error = await assertRejects(() => connect({ port, wait: true }), ConnectionError);
  assertEquals(error.code, "tls-failed");
  assertEquals(error.message, `The program at localhost:${port} speaks TLS: try mqs://localhost:${port}`);
  await until(() => told.length === 1, "the broker says so");
  assertMatch(JSON.stringify(told[0]), /the peer does not speak TLS/);
});

Deno.test("TLS: a TLS client of a plain broker gets no-tls, and the broker reports it", async () => {
  await using server = await startBroker();
  const url = `mqs://127.0.0.1:${server.port}`;
  const error = await assertRejects(() => connect({ url, wait: true }), ConnectionError);
  assertEquals(error.code, "no-tls");
  await until(() => server.told("mq.disconnect").length === 1, "it has left");
  assertEquals(server.told("mq.disconnect")[0].reason, "tls");
  assertEquals(server.told("mq.refused").map(({ code }) => code), ["tls"]);
});

Deno.test("TLS: a handshake that does not end is reported, and its socket is closed", async () => {
  for (const sent of [[], [0x16, 0x03, 0x01, 0x02]]) {
    const { broker, port, told } = await startTls({ limits: { helloMs: 50 } });
    await using _ = broker;
    using silent = await Deno.connect({ hostname: "127.0.0.1", port });
    if (sent.length > 0) await silent.write(new Uint8Array(sent)); // The beginning of a ClientHello.
    assertEquals(await silent.read(new Uint8Array(1)), null);
    await until(() => told.length === 1, "it is told of");
    assertMatch(JSON.stringify(told[0]), /"text":"No TLS with 127\.0\.0\.1:\d+: nothing was agreed on within 50 ms"/);
  }
});

Deno.test("TLS: handshakes that do not end take no places of the pool", async () => {
  const { broker, port } = await startTls({ limits: { connections: 1 } });
  await using _ = broker;
  const silent = await Promise.all(Array.from({ length: 5 }, () => RawClient.connect(port)));
  await using client = await connect({ url: `mqs://localhost:${port}`, caCerts: [CERTIFICATE] });
  await client.flush();
  for (const each of silent) each.close();
});

Deno.test("TLS: one handshake more than there may be takes the place of the oldest", async () => {
  const { broker, port, told } = await startTls();
  await using _ = broker;
  using oldest = await Deno.connect({ hostname: "127.0.0.1", port });
  const others = [];
  for (let count = 0; count < 1000; count++) others.push(await Deno.connect({ hostname: "127.0.0.1", port }));
  assertEquals(await oldest.read(new Uint8Array(1)), null);
  assertMatch(JSON.stringify(told[0]), /nothing was agreed on while 1000 others began/);
  await using client = await connect({ url: `mqs://localhost:${port}`, caCerts: [CERTIFICATE] });
  await client.flush();
  for (const each of others) each.close();
});

Deno.test("TLS: Broker.close does not wait for unfinished handshakes", async () => {
  const { broker, port } = await startTls({ limits: { helloMs: 50 } });
  const silent = await RawClient.connect(port);
  await broker.close();
  silent.close();
});

Deno.test("TLS: a connection past the limit is told so, and closed", async () => {
  const { broker, port, told } = await startTls({ limits: { connections: 1 } });
  await using _ = broker;
  await using client = await connect({ url: `mqs://localhost:${port}`, caCerts: [CERTIFICATE] });
  const error = await assertRejects(
    () => connect({ url: `mqs://localhost:${port}`, caCerts: [CERTIFICATE] }),
    ConnectionError,
  );
  assertMatch(error.message, /room for 1 connections, and none is free/);
  assertMatch(JSON.stringify(told[0]), /too-many-connections/);
  await client.flush();
});

for (
  const [what, options, tls] of [["a token", { tokens: [{ token: "x", scope: "all" }] }], ["TLS", {}, TLS]] as const
) {
  Deno.test(`classic: Broker.listen refuses classic clients together with ${what}`, async () => {
    await using broker = new Broker(options);
    const error = await assertRejects(() => broker.listen({ port: 0, tls, codec: classic("text") }), MqError);
    assertEquals([error.code, broker.addr], ["classic", undefined]);
  });
}

for (
  const [what, tls] of [["no certificate", { ...TLS, cert: "x" }], ["no key", { ...TLS, key: "x" }]] as const
) {
  Deno.test(`TLS: Broker.listen refuses ${what}`, async () => {
    const error = await assertRejects(
      () => new Broker().listen({ port: 0, tls }),
      MqError,
      "Cannot use the certificate",
    );
    assertEquals(error.code, "bad-certificate");
  });
}
