/** What a client does when the broker at the other end is slow, breaks, comes back, or is none: it is played by hand. */
import { assertEquals, assertInstanceOf, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { type Client, ConnectionError, type ConnectOptions, MqError, type MqEvent, ProtocolError } from "../../mod.ts";
import { FakeBroker, happened, HELLO, NEVER, type Peer, QUICK, RECEIPT } from "../fake_broker.ts";
import { soon, until } from "../helpers.ts";

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const settle = () => void (settled = true);
  promise.then(settle, settle);
  await new Promise((resolve) => setTimeout(resolve, 0)); // Whatever is due has run.
  return settled;
}

async function nextData(events: AsyncIterator<MqEvent>): Promise<unknown> {
  return (await soon(events.next(), "an event")).value?.data;
}

Deno.test("connect first sends /hello, then unsubscribes from everything", async () => {
  await using fake = new FakeBroker();
  const { opened } = fake.dial({ name: "shop", meta: false, echo: false });
  const peer = await fake.accept();
  await peer.expect('/hello {"name":"shop","meta":false,"echo":false}', "/unsub >");
  assertEquals(await isSettled(opened), false);
  await peer.answerHello();
  await soon(opened, "the connection");
});

const impostors: [who: string, said: string, options: ConnectOptions, play: (peer: Peer) => void | Promise<void>][] = [
  ["speaks HTTP", " speaks HTTP, and not the lines of an mq broker", {}, async (peer) => {
    await peer.hearHello();
    await peer.say("HTTP/1.1 400 Bad Request\r", "Connection: close\r", "\r", "<p>Bad Request</p>");
    peer.close();
  }],
  [
    "speaks HTTP and keeps the connection",
    " speaks HTTP, and not the lines of an mq broker",
    { timeoutMs: 60_000 },
    async (peer) => {
      await peer.say("HTTP/1.1 400 Bad Request\r", "Connection: keep-alive\r", "\r");
    },
  ],
  ["sends a banner and closes", ' sent "SSH-2.0-OpenSSH_9.6", and closed the connection', {}, async (peer) => {
    await peer.say("SSH-2.0-OpenSSH_9.6\r", "Invalid SSH identification string.\r");
    await peer.hangUp();
  }],
  ["sends a banner and waits", ' sent "220 ready", and no answer within 2 s', { timeoutMs: 2000 }, (peer) => {
    return peer.say("220 ready\r");
  }],
  ["sends half a line", " sent 4 bytes without a line end, and no answer within 2 s", { timeoutMs: 2000 }, (peer) => {
    return peer.send("half");
  }],
  ["sends what is no line", ' is not an mq broker: "J\\u0000" is no event', {}, (peer) => peer.say("J\0")],
  ["answers with what is not JSON", ` is not an mq broker: Cannot read the broker's response "hello"`, {}, (peer) => {
    return peer.say("/ok hello hello", "/ok unsub");
  }],
  [
    "answers with too little",
    ' is not an mq broker: It does not say what it recognizes or what its limits are: "{}"',
    {},
    (
      peer,
    ) => peer.say("/ok hello {}", "/ok unsub"),
  ],
  ["answers with an unknown verb", ' is not an mq broker: Cannot read what the broker sent: "/welcome"', {}, (peer) => {
    return peer.say("/welcome");
  }],
];

for (const [who, said, options, play] of impostors) {
  Deno.test(`connect reports what it received from a program that ${who}`, async () => {
    await using fake = new FakeBroker();
    const { opened } = fake.dial(options);
    await play(await fake.accept());
    const error = await assertRejects(() => soon(opened, "an error"), ConnectionError);
    assertEquals([error.code, error.message], ["not-a-broker", `The program at 127.0.0.1:${fake.port}${said}`]);
    assertInstanceOf(error.cause, Error);
  });
}

Deno.test("connect rejects when the peer closes at once, as a broker that shuts down may", async () => {
  await using fake = new FakeBroker();
  const { opened } = fake.dial();
  (await fake.accept()).close();
  const error = await assertRejects(() => soon(opened, "an error"), ConnectionError, "closed the connection at once");
  assertEquals(error.code, "unreachable");
});

for (const tls of [false, true]) {
  Deno.test(`connect reports a program that accepts the connection and does not respond${tls ? ", over TLS" : ""}`, async () => {
    await using fake = new FakeBroker();
    const { opened } = fake.dial({ timeoutMs: 20, tls });
    const error = await assertRejects(() => soon(opened, "an error"), ConnectionError);
    const message = `The program at 127.0.0.1:${fake.port} accepted the connection, but did not answer within 0.02 s`;
    assertEquals([error.code, error.message], ["no-answer", message]);
  });
}

Deno.test("connect rejects with the broker's reason when the broker refuses the client", async () => {
  await using fake = new FakeBroker();
  const { opened } = fake.dial();
  const peer = await fake.accept();
  await peer.hearHello();
  await peer.say("/err hello bad-arguments No such name here", "/ok unsub");
  const error = await assertRejects(() => soon(opened, "an error"), ProtocolError, "No such name here");
  assertEquals(error.code, "bad-arguments");
  assertEquals(await peer.lines.next(), null);
});

Deno.test("connect can be aborted while it waits for a response", async () => {
  await using fake = new FakeBroker();
  const controller = new AbortController();
  const { opened } = fake.dial({ signal: controller.signal });
  const peer = await fake.accept();
  await peer.hearHello();
  const reason = new Error("Changed my mind");
  controller.abort(reason);
  assertEquals(await assertRejects(() => soon(opened, "its end")), reason);
  assertEquals(await peer.lines.next(), null);
});

Deno.test("connect can be aborted while it waits for a broker", async () => {
  await using fake = new FakeBroker();
  const controller = new AbortController();
  const { opened } = fake.dial({ wait: true, reconnect: NEVER, signal: controller.signal });
  await (await fake.accept()).hangUp();
  assertEquals(await isSettled(opened), false);
  const reason = new Error("Changed my mind");
  controller.abort(reason);
  assertEquals(await assertRejects(() => soon(opened, "its end")), reason);
});

Deno.test("connect can be aborted at the moment in which it is connected", async () => {
  await using fake = new FakeBroker();
  for (let microtasks = 0; microtasks < 30; microtasks++) {
    const controller = new AbortController();
    const { opened } = fake.dial({ signal: controller.signal });
    await fake.accept();
    for (let count = 0; count < microtasks; count++) await null;
    const reason = new Error("Changed my mind");
    controller.abort(reason);
    assertEquals(await assertRejects(() => soon(opened, "its end")), reason);
  }
});

Deno.test("connect with wait retries when the connection is closed at once, up to its attempts", async () => {
  await using fake = new FakeBroker();
  const { opened } = fake.dial({ wait: true, reconnect: { ...QUICK, attempts: 3 } });
  for (let tries = 1; tries <= 3; tries++) {
    assertEquals(await isSettled(opened), false);
    (await fake.accept()).close();
  }
  await assertRejects(() => soon(opened, "its end"), ConnectionError);
});

Deno.test("connect with wait takes the first broker that speaks mq", async () => {
  await using fake = new FakeBroker();
  const { client, opened } = fake.dial({ wait: true });
  for (let tries = 1; tries <= 5; tries++) (await fake.accept()).close();
  await fake.welcome();
  await soon(opened, "the connection");
  assertEquals(client.connected, true);
});

Deno.test("Client.close ends a connection attempt", async () => {
  await using fake = new FakeBroker();
  const { client, opened } = fake.dial();
  await fake.accept();
  await soon(client.close(), "the end");
  assertEquals((await assertRejects(() => soon(opened, "its end"), ConnectionError)).code, "closed");
});

Deno.test("Client.close ends waiting for a broker", async () => {
  await using fake = new FakeBroker();
  const { client, opened } = fake.dial({ wait: true, reconnect: NEVER });
  await (await fake.accept()).hangUp();
  assertEquals(await isSettled(opened), false);
  await soon(client.close(), "the end");
  assertEquals((await assertRejects(() => soon(opened, "its end"), ConnectionError)).code, "closed");
});

Deno.test("Client responds to the broker's pings", async () => {
  await using fake = new FakeBroker();
  const { peer } = await fake.meet();
  await peer.say("/ping x");
  await peer.expect("/pong x");
  await peer.say("/ping", "/ping a b");
  await peer.expect("/pong", "/pong a b");
});

Deno.test("Client sends what it publishes in one tick together, and in order", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  client.publish("create", 1);
  const publishing = client.publishConfirmed("create", 2);
  client.publish("create");
  await peer.expect("create 1", "/pub 1 create 2", "create");
  await peer.say(`/ok 1 ${RECEIPT}`);
  assertEquals(await soon(publishing, "the receipt"), { id: "01", receivers: 7 });
});

Deno.test("Client reads events in both forms between responses", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  const events = client.subscribe(">");
  await peer.expect("/sub >");
  const asked = client.stats();
  await peer.expect("/stats");
  await peer.say('create {"id":1}', "/ok sub", "/event 02 shop create two words", "/ok stats {}", "create");
  assertEquals(await soon(asked, "the answer") as unknown, {});
  const heard = [];
  for (let count = 0; count < 3; count++) heard.push((await soon(events.next(), "an event")).value as MqEvent);
  assertEquals(heard.map(({ id, from, name, text }) => [id, from, name, text]), [
    [undefined, undefined, "create", '{"id":1}'],
    ["02", "shop", "create", "two words"],
    [undefined, undefined, "create", ""],
  ]);
});

Deno.test("Client omits hops for a broker that does not support them", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  const receipt = client.publishConfirmed("create", 1, { hops: 3 });
  await peer.expect("/pub 1 create 1");
  await peer.say(`/ok 1 ${RECEIPT}`);
  assertEquals((await receipt).receivers, 7);
});

Deno.test("Client reports an unsolicited error as a notice, and not as a response", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  const noticed = happened(client, "notice");
  const flushed = client.flush();
  await peer.expect("/ping");
  await peer.say("/err - line-too-long Discarded a line longer than 64 bytes");
  const error = await soon(noticed, "the notice");
  assertInstanceOf(error, ProtocolError);
  assertEquals([error.code, error.message], ["line-too-long", "Discarded a line longer than 64 bytes"]);
  assertEquals(await isSettled(flushed), false);
  await peer.say("/pong");
  await soon(flushed, "the answer");
});

Deno.test("Client gives the broker's close message as the reason of a disconnect", async () => {
  const speeches: [said: string[], reason: string][] = [
    [["/bye The broker is going down"], "The broker is going down"],
    [["/err - slow-consumer Closed: too much waited"], "Closed: too much waited"],
    [[], "The connection was closed"],
  ];
  for (const [said, reason] of speeches) {
    await using fake = new FakeBroker();
    const { client, peer } = await fake.meet();
    const disconnected = happened(client, "disconnect");
    await peer.say(...said);
    peer.close();
    const error = await soon(disconnected, "the disconnect");
    assertInstanceOf(error, ConnectionError);
    assertEquals([error.code, error.message], ["disconnected", reason]);
  }
});

Deno.test("Client does not give an old notice as the reason of a disconnect", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  const disconnected = happened(client, "disconnect");
  await peer.say("/err - bad-name Cannot read a name");
  const flushed = client.flush();
  await peer.expect("/ping");
  await peer.say("/pong");
  await soon(flushed, "the answer");
  peer.close();
  assertEquals((await soon(disconnected, "the disconnect")).message, "The connection was closed");
});

Deno.test("Client disconnects from a broker that sends unknown control lines", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  const disconnected = happened(client, "disconnect");
  await peer.say("/gibberish");
  const { code, message, cause } = await soon(disconnected, "the disconnect");
  assertEquals([code, message], ["disconnected", 'Cannot read what the broker sent: "/gibberish"']);
  assertInstanceOf(cause, ProtocolError);
  assertEquals(await peer.lines.next(), null);
});

Deno.test("Client.subscribe is ready when the broker has confirmed it", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  const { ready } = client.subscribe(["create", "update"]);
  await peer.expect("/sub create update");
  assertEquals(await isSettled(ready), false);
  await peer.say("/ok sub");
  await soon(ready, "ready");
});

Deno.test("Client.subscribe to a pattern with a pending subscription is ready when that is confirmed", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  client.subscribe("create");
  const { ready } = client.subscribe("create");
  await peer.expect("/sub create");
  assertEquals(await isSettled(ready), false);
  await peer.say("/ok sub");
  await soon(ready, "ready");
});

Deno.test("Client.subscribe sends only patterns that are new to the broker", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  const first = client.subscribe(["create", "update", "create"]);
  client.subscribe(["update", "delete"]);
  await first.return();
  await peer.expect("/sub create update", "/sub delete", "/unsub create");
});

const questions: [what: string, ask: (client: Client, signal: AbortSignal) => Promise<unknown>, line: string][] = [
  ["publishConfirmed", (client, signal) => client.publishConfirmed("create", 1, { signal }), "/pub 1 create 1"],
  ["flush", (client, signal) => client.flush(signal), "/ping"],
  ["stats", (client, signal) => client.stats(signal), "/stats"],
  ["clients", (client, signal) => client.clients(signal), "/clients"],
  ["why", (client, signal) => client.why("create", signal), "/why create"],
];

for (const [what, ask, line] of questions) {
  Deno.test(`Client.${what} stops waiting when its signal is aborted, and ignores the late response`, async () => {
    await using fake = new FakeBroker();
    const { client, peer } = await fake.meet();
    const controller = new AbortController();
    const asked = ask(client, controller.signal);
    await peer.expect(line);
    assertEquals(await isSettled(asked), false);
    const reason = new Error("Changed my mind");
    controller.abort(reason);
    assertEquals(await assertRejects(() => soon(asked, "its end")), reason);

    const next = client.why("update");
    await peer.say('/ok late {"late":true}', '/ok why {"name":"update"}');
    assertEquals((await soon(next, "the answer")).name, "update");
  });

  Deno.test(`Client.${what} sends nothing with an already aborted signal`, async () => {
    await using fake = new FakeBroker();
    const { client, peer } = await fake.meet();
    const reason = new Error("Changed my mind");
    assertEquals(await assertRejects(() => ask(client, AbortSignal.abort(reason))), reason);
    client.publish("create", "next");
    await peer.expect("create next");
  });
}

Deno.test("Client reconnects after the connection broke, and counts its attempts", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  const [disconnected, reconnected] = [happened(client, "disconnect"), happened(client, "reconnect")];
  peer.close();
  assertEquals((await soon(disconnected, "the disconnect")).code, "disconnected");
  assertEquals(client.connected, false);
  for (let tries = 1; tries <= 2; tries++) (await fake.accept()).close();
  await fake.welcome();
  assertEquals(await soon(reconnected, "the reconnect"), { attempts: 3 });
  assertEquals(client.connected, true);
});

Deno.test("Client reconnects as often as the connection breaks", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  let current = peer;
  for (let times = 1; times <= 3; times++) {
    const reconnected = happened(client, "reconnect");
    current.close();
    current = await fake.welcome();
    assertEquals(await soon(reconnected, "the reconnect"), { attempts: 1 });
  }
});

Deno.test("Client resubscribes after a reconnect to what it is still subscribed to", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  const events = client.subscribe(["create", "order.*"]);
  const left = client.subscribe("update");
  client.subscribe("delete", { handler: () => {} });
  await peer.expect("/sub create order.*", "/sub update", "/sub delete");
  peer.close();
  await left.return();
  const next = await fake.welcome("create", "order.*", "delete");
  await next.say("/event 02 shop order.paid 7");
  assertEquals(await nextData(events), 7);
});

Deno.test("Client reports a reconnect only when the broker has confirmed its subscriptions", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  client.subscribe("create");
  await peer.expect("/sub create");
  const reconnected = happened(client, "reconnect");
  peer.close();
  const next = await fake.accept();
  await next.hearHello("create");
  await next.answerHello();
  await next.say("/ping");
  await next.expect("/pong");
  assertEquals([await isSettled(reconnected), client.connected], [false, false]);
  await next.say("/ok sub");
  await soon(reconnected, "the reconnect");
});

Deno.test("Client receives events of a subscription made while disconnected", async () => {
  await using fake = new FakeBroker();
  const client = await fake.part();
  const events = client.subscribe("create");
  assertEquals(await isSettled(events.ready), false);
  const peer = await fake.welcome("create");
  await soon(events.ready, "ready");
  await peer.say("/event 02 shop create 7");
  assertEquals(await nextData(events), 7);
});

Deno.test("Client.subscribe that ends while disconnected settles ready", async () => {
  await using fake = new FakeBroker();
  const client = await fake.part();
  const events = client.subscribe("create");
  await events.return();
  await fake.welcome();
  await soon(Promise.allSettled([events.ready]), "an end of getting ready");
});

Deno.test("Client sends a subscription that was made during the handshake of a reconnect", async () => {
  await using fake = new FakeBroker();
  const client = await fake.part();
  const peer = await fake.accept();
  await peer.hearHello();
  const { ready } = client.subscribe("create");
  await peer.answerHello();
  await peer.expect("/sub create");
  assertEquals(await isSettled(ready), false);
  await peer.say("/ok sub");
  await soon(ready, "ready");
});

Deno.test("Client unsubscribes after a reconnect from what ended during its handshake", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  const events = client.subscribe("create");
  await peer.expect("/sub create");
  peer.close();
  const next = await fake.accept();
  await next.hearHello("create");
  await events.return();
  await next.answerHello("create");
  await next.expect("/unsub create");
});

Deno.test("Client with meta ignores events without meta that come before the response to /hello", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  const events = client.subscribe("create");
  await peer.expect("/sub create");
  peer.close();
  const next = await fake.accept();
  await next.say("create bare");
  await next.welcome("create");
  await next.say("/event 02 shop create whole");
  assertEquals(await nextData(events), "whole");
});

Deno.test("Client resumes a subscription interrupted by a disconnect, and is ready only then", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  const disconnected = happened(client, "disconnect");
  const events = client.subscribe("create");
  await peer.expect("/sub create");
  peer.close();
  await soon(disconnected, "the disconnect");
  assertEquals(await isSettled(events.ready), false);
  const next = await fake.welcome("create");
  await soon(events.ready, "ready");
  await next.say("/event 02 shop create 7");
  assertEquals(await nextData(events), 7);
});

Deno.test("Client sends what was published while disconnected, in order", async () => {
  await using fake = new FakeBroker();
  const client = await fake.part();
  client.publish("create", 1);
  const publishing = client.publishConfirmed("create", 2);
  const flushed = client.flush();
  client.publish("create", 3);
  const peer = await fake.accept();
  await peer.hearHello();
  client.publish("create", 4);
  await peer.answerHello();
  await peer.expect("create 1", "/pub 1 create 2", "/ping", "create 3", "create 4");
  await peer.say(`/ok 1 ${RECEIPT}`, "/pong");
  assertEquals((await soon(publishing, "the receipt")).receivers, 7);
  await soon(flushed, "the answer");
});

Deno.test("Client.publish throws while disconnected when queueBytes are already queued", async () => {
  await using fake = new FakeBroker();
  const client = await fake.part({ queueBytes: 20 });
  client.publish("create", "abc");
  client.publish("create", "abc");
  const error = assertThrows(() => client.publish("create", 1), ConnectionError, "20 allowed");
  assertEquals(error.code, "queue-full");
  const publishing = client.publishConfirmed("create", 1);
  assertEquals((await assertRejects(() => publishing, ConnectionError)).code, "queue-full");

  const peer = await fake.welcome();
  await peer.expect("create abc", "create abc");
  client.publish("create", "after");
  await peer.expect("create after");
});

Deno.test("Client counts queueBytes in bytes", async () => {
  await using fake = new FakeBroker();
  const client = await fake.part({ queueBytes: 20 });
  assertEquals(assertThrows(() => client.publish("create", "日本語日本"), ConnectionError).code, "queue-full");
  client.publish("create", "日本語");
  await (await fake.welcome()).expect("create 日本語");
});

Deno.test("Client.publishConfirmed rejects as unconfirmed if the connection breaks before the receipt", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  const publishing = client.publishConfirmed("create", 1);
  const flushed = client.flush();
  flushed.catch(() => {});
  await peer.expect("/pub 1 create 1", "/ping");
  peer.close();
  const message = "it may or may not have been published";
  const error = await assertRejects(() => soon(publishing, "its end"), ConnectionError, message);
  assertEquals(error.code, "unconfirmed");
  assertEquals((await assertRejects(() => soon(flushed, "its end"), ConnectionError)).code, "disconnected");

  const next = await fake.welcome();
  client.publish("create", 2);
  await next.expect("create 2");
});

Deno.test("Client.publishConfirmed can be called again after an unconfirmed receipt", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  const publish = () => client.publishConfirmed("create", 1);
  const publishing = publish().catch(publish);
  await peer.expect("/pub 1 create 1");
  peer.close();
  const next = await fake.welcome();
  await next.expect("/pub 2 create 1");
  await next.say(`/ok 2 ${RECEIPT}`);
  assertEquals((await soon(publishing, "the receipt")).receivers, 7);
});

Deno.test("Client.publishConfirmed settles at whichever moment of a disconnect it is called", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  const receipts: Promise<string>[] = [];
  const handler = async () => {
    for (let microtasks = 0; microtasks < 100; microtasks++) {
      receipts.push(client.publishConfirmed("update", 1).then(() => "taken", (error) => error.code));
      await null;
    }
    subscription.unsubscribe();
  };
  const subscription = client.subscribe("create", { handler });
  await peer.expect("/sub create");
  await peer.say("/ok sub", "/event 02 shop create", "/no-such-answer"); // Behind the event it ends, in a few microtasks.
  const next = await fake.welcome();
  const answering = (async () => {
    for (let line = await next.lines.next(); line !== null; line = await next.lines.next()) {
      await next.say(`/ok ${line.split(" ")[1]} ${RECEIPT}`);
    }
  })();
  const fates = new Set(await soon(Promise.all(receipts), "what became of all of them"));
  assertEquals([...fates], ["unconfirmed", "taken"]);
  next.close();
  await answering;
});

Deno.test("Client is closed after the given number of attempts", async () => {
  await using fake = new FakeBroker();
  const client = await fake.part({ reconnect: { ...QUICK, attempts: 3 } });
  const closed = client.closed;
  const events = client.subscribe("create");
  const publishing = client.publishConfirmed("create", 1);
  const rejected = assertRejects(() => soon(publishing, "its end"), ConnectionError);
  const notReady = assertRejects(() => soon(events.ready, "its end"), ConnectionError);
  for (let tries = 1; tries <= 3; tries++) (await fake.accept()).close();

  const error = await soon(closed, "the end");
  assertInstanceOf(error, ConnectionError);
  assertEquals(error.code, "unreachable");
  for (const { code, cause } of [await rejected, await notReady]) {
    assertEquals(code, "closed");
    assertEquals(cause, error);
  }
  await assertRejects(() => soon(events.next(), "the end"), ConnectionError, "The client no longer tries to reconnect");
  const refused = assertThrows(() => client.publish("create"), ConnectionError);
  assertEquals([refused.code, refused.cause], ["closed", error]);
  await client.close();
});

Deno.test("Client is closed when no broker responds any more", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet({ reconnect: { ...QUICK, attempts: 2 } });
  const closed = client.closed;
  fake.vanish();
  peer.close();
  assertEquals((await soon(closed, "the end"))?.code, "unreachable");
});

Deno.test("Client without reconnect is closed at once", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet({ reconnect: false });
  const events = client.subscribe("create");
  await peer.expect("/sub create");
  const [disconnected, closed] = [happened(client, "disconnect"), client.closed];
  await peer.say("/ok sub", "/event 02 shop create last", "/bye So long");
  peer.close();
  assertEquals((await soon(disconnected, "the disconnect")).message, "So long");
  assertEquals((await soon(closed, "the end"))?.message, "So long");
  assertEquals(await nextData(events), "last");
  await assertRejects(
    () => soon(events.next(), "the end"),
    ConnectionError,
    "The client no longer tries to reconnect: So long",
  );
  assertEquals(assertThrows(() => client.publish("create"), ConnectionError).code, "closed");
  await client.close();
});

Deno.test("Client rejects an event that was never sent with a final error, not as unconfirmed", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet({ reconnect: false });
  const { promise: publishing, resolve } = Promise.withResolvers<unknown>();
  client.addEventListener("disconnect", () => resolve(client.publishConfirmed("create", 1)));
  peer.close();
  const error = await assertRejects(() => soon(publishing, "its end"), ConnectionError);
  assertNotEquals(error.code, "unconfirmed");
});

Deno.test("Client is closed when the broker refuses it at a reconnect", async () => {
  await using fake = new FakeBroker();
  const client = await fake.part();
  const closed = client.closed;
  const peer = await fake.accept();
  await peer.hearHello();
  await peer.say("/err hello bad-arguments Not you", "/ok unsub");
  const error = await soon(closed, "the end");
  assertInstanceOf(error, ProtocolError);
  assertEquals(error.message, "Not you");
});

Deno.test("Client.close sends /quit after everything published before", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  client.publish("create", 1);
  const closed = client.close();
  await peer.expect("create 1", "/quit");
  assertEquals(await isSettled(closed), false);
  await peer.say("/bye");
  peer.close();
  await soon(closed, "the end");
});

Deno.test("Client.close does not reconnect after its own /quit", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  let told = 0;
  for (const type of ["disconnect", "reconnect"]) client.addEventListener(type, () => told++);
  const closed = client.close();
  await peer.expect("/quit");
  await peer.say("/bye");
  peer.close();
  await soon(closed, "the end");
  assertEquals(told, 0);
});

Deno.test("Client.close delivers the events that come before the broker's /bye", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  const events = client.subscribe("create");
  const closed = client.close();
  await peer.expect("/sub create", "/quit");
  await peer.say("/ok sub", "/event 02 shop create last", "/bye");
  peer.close();
  await soon(closed, "the end");
  assertEquals(await nextData(events), "last");
  assertEquals((await soon(events.next(), "the end")).done, true);
});

Deno.test("Client.drain unsubscribes, receives earlier events, and sends /quit after its handlers", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  const { promise: handled, resolve } = Promise.withResolvers<void>();
  const received: unknown[] = [];
  const handler = async ({ data }: MqEvent) => {
    received.push(data);
    await handled;
    client.publish("update", data);
  };
  client.subscribe("create", { handler });
  const drained = client.drain();
  await peer.expect("/sub create", "/unsub create", "/ping");
  await peer.say("/ok sub", "/event 02 shop create 1", "/ok unsub", "/event 03 shop create 2", "/pong");
  await until(() => received.length > 0, "the first event is handled");
  assertEquals([await isSettled(drained), received], [false, [1]]);
  resolve();
  await peer.expect("update 1", "update 2", "/ping");
  await peer.say("/pong");
  await peer.expect("/quit");
  await peer.say("/bye");
  peer.close();
  await soon(drained, "the end");
});

Deno.test("Client.drain while disconnected ends at once, and reports how many events were never sent", async () => {
  await using fake = new FakeBroker();
  const client = await fake.part({ reconnect: NEVER });
  client.subscribe("create", { handler: () => {} });
  client.publish("create", 1);
  const error = await assertRejects(() => soon(client.drain(), "the end"), ConnectionError, "of 1 event published");
  assertEquals([error.code, await client.closed], ["closed", undefined]);
});

Deno.test("Client.drain ends if the connection breaks while it waits for the broker", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet({ reconnect: NEVER });
  const events = client.subscribe("create");
  await peer.expect("/sub create");
  await peer.say("/ok sub", "/event 02 shop create 1");
  const drained = client.drain();
  await peer.expect("/unsub create", "/ping");
  peer.close();
  await soon(drained, "the end");
  assertEquals([await nextData(events), (await events.next()).done], [1, true]);
});

Deno.test("Client.close rejects if the connection breaks before everything published was sent", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet({ queueBytes: Infinity });
  const data = "x".repeat(1_000_000);
  for (let count = 0; count < 20; count++) client.publish("create", data);
  const closed = client.close();
  peer.close();
  assertEquals((await assertRejects(() => soon(closed, "the end"), ConnectionError)).code, "closed");
});

Deno.test("Client.close resolves without /bye if the broker has confirmed that it read everything", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  client.publish("create", 1);
  const flushed = client.flush();
  await peer.expect("create 1", "/ping");
  await peer.say("/pong");
  await soon(flushed, "the answer");
  const closed = client.close();
  await peer.expect("/quit");
  peer.close();
  await soon(closed, "the end");
});

Deno.test("Client.close while disconnected reports how many events were never sent", async () => {
  await using fake = new FakeBroker();
  const client = await fake.part({ reconnect: NEVER });
  const events = client.subscribe("create");
  client.publish("create", 1);
  client.publish("create", 2);
  const publishing = client.publishConfirmed("create", 3);
  const rejected = assertRejects(() => soon(publishing, "its end"), ConnectionError);
  const error = await assertRejects(() => soon(client.close(), "the end"), ConnectionError, "of 2 events");
  assertEquals(error.code, "closed");
  assertEquals((await rejected).code, "closed");
  assertEquals((await soon(events.next(), "the end")).done, true);
  await client.close();
});

Deno.test("Client.close rejects with the number of events that a reconnect left unconfirmed", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  client.publish("create", 1);
  client.publish("create", 2);
  await peer.expect("create 1", "create 2");
  const reconnected = happened(client, "reconnect");
  peer.close();
  const next = await fake.welcome();
  await soon(reconnected, "the connection");
  client.publish("create", 3);
  const closed = client.close();
  await next.expect("create 3", "/quit");
  await next.say("/bye"); // That one has been read.
  next.close();
  const error = await assertRejects(() => soon(closed, "the end"), ConnectionError, "of 2 events");
  assertEquals(error.code, "closed");
  await client.close();
});

Deno.test("Client.flush reports events that a reconnect left unconfirmed, once", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  client.publish("create", 1);
  await peer.expect("create 1");
  peer.close();
  const next = await fake.welcome();
  const flush = async () => {
    const flushed = client.flush();
    await next.expect("/ping");
    await next.say("/pong");
    await soon(flushed, "the answer");
  };
  const error = await assertRejects(flush, ConnectionError, "of 1 event published");
  assertEquals(error.code, "unconfirmed");
  await flush();
  const closed = client.close();
  await next.expect("/quit");
  next.close();
  await soon(closed, "the end");
});

Deno.test("Client.close rejects if the client was closed with events that were never sent", async () => {
  await using fake = new FakeBroker();
  const client = await fake.part({ reconnect: { ...QUICK, attempts: 1 } });
  const closed = client.closed;
  client.publish("create", 1);
  (await fake.accept()).close();
  await soon(closed, "the end");
  await assertRejects(() => soon(client.close(), "the end"), ConnectionError, "of 1 event published");
});

Deno.test("Client confirms what it publishes without receipts at intervals, so that little is uncertain", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet({ reconnect: NEVER });
  for (let number = 1; number <= 130; number++) client.publish("create", number);
  for (let number = 1; number <= 100; number++) await peer.expect(`create ${number}`);
  await peer.expect("/ping");
  const disconnected = happened(client, "disconnect");
  await peer.say("/pong");
  await peer.hangUp();
  await soon(disconnected, "the disconnect");
  await assertRejects(() => soon(client.close(), "the end"), ConnectionError, "of 30 events");
});

Deno.test("Subscription is ready when the broker has confirmed it, and receives earlier events, too", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  const events = client.subscribe("create");
  await peer.expect("/sub create");
  await peer.say("/event 02 shop create 1");
  assertEquals(await nextData(events), 1);
  assertEquals(await isSettled(events.ready), false);
  await peer.say("/ok sub");
  await soon(events.ready, "the answer");
});

Deno.test("Client.close while disconnected ends at once if nothing is queued", async () => {
  await using fake = new FakeBroker();
  const client = await fake.part({ reconnect: NEVER });
  await soon(client.close(), "the end");
});

Deno.test("Client.close ends during the handshake of a reconnect", async () => {
  await using fake = new FakeBroker();
  const client = await fake.part();
  const peer = await fake.accept();
  await peer.hearHello();
  await soon(client.close(), "the end");
  assertEquals(await peer.lines.next(), null);
  assertEquals(await client.closed, undefined);
});

for (const when of ["first", "again"]) {
  Deno.test(`Client.close can be called at the moment of connecting ${when}`, async () => {
    for (let microtasks = 0; microtasks < 30; microtasks++) {
      await using fake = new FakeBroker();
      const client = when === "first" ? fake.dial().client : await fake.part();
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      const handler = async () => {
        for (let count = 0; count < microtasks; count++) await null;
        resolve(client.close());
      };
      client.subscribe("create", { handler });
      const peer = await fake.accept();
      await peer.hearHello("create");
      await peer.say(`/ok hello ${JSON.stringify(HELLO)}`, "/ok unsub", "/ok sub", "/event 02 shop create");
      while (![null, "/quit"].includes(await peer.lines.next()));
      await peer.say("/bye").catch(() => {});
      peer.close();
      await soon(closed, "the end");
    }
  });
}

Deno.test("Client.close can be called as the connection breaks", async () => {
  await using fake = new FakeBroker();
  const { client, peer } = await fake.meet();
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  client.addEventListener("disconnect", () => resolve(client.close()));
  peer.close();
  await soon(closed, "the end");
  assertEquals(await client.closed, undefined);
});

Deno.test("Client.close rejects at the end of a scope if events were never sent", async () => {
  await using fake = new FakeBroker();
  const client = await fake.part({ reconnect: NEVER });
  client.publish("create", 1);
  await assertRejects(async () => {
    await using _same = client;
  }, ConnectionError);
});

Deno.test("Client.hello throws before the first connection", async () => {
  await using fake = new FakeBroker();
  const { client, opened } = fake.dial();
  const error = assertThrows(() => client.hello, MqError);
  assertEquals(error.code, "disconnected");
  await fake.welcome();
  await soon(opened, "the connection");
  assertEquals(client.hello, HELLO);
});

Deno.test("Client reports a connection that broke at once, before its caller could add a listener", async () => {
  await using fake = await new FakeBroker();
  const { client, opened } = fake.dial({ reconnect: false });
  const connected = async () => (await opened, client);
  const patiently = async () => await connected();
  const command = async () => await patiently(); // As deep as in mq logger.
  const disconnected = (async () => await happened(await command(), "disconnect"))();
  const peer = await fake.accept();
  await peer.hearHello();
  await peer.say(`/ok hello ${JSON.stringify(HELLO)}`, "/ok unsub", "/err - silent Enough");
  await peer.hangUp();
  assertEquals((await soon(disconnected, "the disconnect")).message, "Enough");
});
