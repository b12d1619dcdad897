/** Events that are stored, and their receipts: docs/protocol.md, section 14. */
import { assertEquals, assertRejects } from "@std/assert";
import { connect } from "../../../lib/client.ts";
import { MqError, ProtocolError } from "../../../lib/protocol/errors.ts";
import type { Store } from "../../../lib/store/store.ts";
import { openStore } from "../../../lib/store/sqlite.ts";
import { startBroker, until } from "../../helpers.ts";
import { startStored, tempFolder } from "../../store/folder.ts";

/** A store whose commits wait until they are let through, or fail. */
class HeldStore implements Store {
  readonly inner: Store;
  readonly #held: { let(): void; fail(error: Error): void }[] = [];
  isMended = false;

  constructor(inner: Store) {
    this.inner = inner;
  }

  get held(): number {
    return this.#held.length;
  }

  /** Lets the commit that waits through. */
  let(): void {
    this.#held.shift()!.let();
  }

  fail(message: string): void {
    this.#held.shift()!.fail(new ProtocolError("store-failed", message));
  }

  async commit(transaction: Parameters<Store["commit"]>[0]): Promise<readonly unknown[]> {
    await new Promise<void>((resolve, reject) => this.#held.push({ let: resolve, fail: reject }));
    return await this.inner.commit(transaction);
  }

  get syncMs() {
    return this.inner.syncMs;
  }
  get log() {
    return this.inner.log;
  }
  get groups() {
    return this.inner.groups;
  }
  get keys() {
    return this.inner.keys;
  }
  read: Store["read"] = (after, patterns) => this.inner.read(after, patterns);
  pull: Store["pull"] = (requests) => this.inner.pull(requests);
  giveBack: Store["giveBack"] = (group, keys) => this.inner.giveBack(group, keys);
  describeGroups: Store["describeGroups"] = () => this.inner.describeGroups();
  peek: Store["peek"] = (group, state, which) => this.inner.peek(group, state, which);
  due: Store["due"] = () => this.inner.due();
  maintain: Store["maintain"] = (now) => this.inner.maintain(now);
  mend: Store["mend"] = () => this.isMended ? this.inner.mend() : Promise.reject(new Error("not yet"));
  close: Store["close"] = () => this.inner.close();
}

Deno.test("14.2 a receipt comes when the event is on disk, and the responses of later lines behind it", async () => {
  await using folder = tempFolder();
  const store = new HeldStore(await openStore({ folder: folder.path }));
  await using server = await startBroker({ events: [">"], store });
  const [publisher, listener] = await server.connect(2);
  await publisher.line("/unsub >", "/ping 0");
  assertEquals([await publisher.lines.next(), await publisher.lines.next()], ["/ok unsub", "/pong 0"]);
  await publisher.line("/pub 1 create", "/ping 1", "/nonsense");
  assertEquals(await listener.lines.next(), "create");
  await listener.line("/ping 2");
  assertEquals(await listener.lines.next(), "/pong 2"); // Nobody else waits.
  await until(() => store.held === 1, "it is about to be written");
  store.let();
  const receipt = await publisher.lines.next();
  assertEquals(receipt!.replace(/"id":"\w{26}"/, ""), '/ok 1 {,"receivers":1,"stored":true}');
  assertEquals(await publisher.lines.next(), "/pong 1");
  assertEquals(
    await publisher.lines.next(),
    '/err nonsense bad-verb Unknown verb "/nonsense": /help lists those there are',
  );
  assertEquals(store.inner.log.events, 1);
});

Deno.test("14.2 a client that closes its side, or says /quit, gets its receipts first", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const [closing, quitting] = await server.connect(2);
  for (const [client, last] of [[closing, undefined], [quitting, "/quit"]] as const) {
    await client.line("/unsub >", "/pub 1 create", "/pub 2 create", ...(last === undefined ? [] : [last]));
    if (last === undefined) await client.conn.closeWrite();
    await client.lines.find("/ok unsub");
    for (const ref of [1, 2]) assertEquals((await client.lines.next())!.startsWith(`/ok ${ref} `), true);
    assertEquals(await client.lines.next(), last === undefined ? null : "/bye");
  }
});

Deno.test("14.2 a broker that closes writes what it was sent, and sends the receipts", async () => {
  await using folder = tempFolder();
  const server = await startStored(folder);
  const [client] = await server.connect(1);
  await client.line("/unsub >", ...Array.from({ length: 100 }, (_, index) => `/pub ${index} create`), "/ping");
  await client.lines.find("/ok unsub");
  const closing = server.broker.close();
  let receipts = 0;
  for (
    let line = await client.lines.next();
    line !== null && !line.startsWith("/bye");
    line = await client.lines.next()
  ) {
    if (line.includes('"stored":true')) receipts++;
  }
  client.close();
  await closing;
  const store = await openStore({ folder: folder.path });
  assertEquals(store.log.events >= receipts, true);
  await store.close();
});

Deno.test("14.1 replies to requests, and events that --keep leaves out, are not stored", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder, { keep: ["order.*"] });
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  assertEquals(client.hello.store, { keep: ["order.*"], syncMs: 0 });
  const names = ["order.paid", "user.left", "_INBOX.x.1"];
  const receipts = await Promise.all(names.map((name) => client.publishConfirmed(name)));
  assertEquals(receipts.map(({ stored }) => stored), [true, undefined, undefined]);
});

Deno.test("14.12 a store goes on where old events cannot be deleted because they are damaged, which is told once", async () => {
  await using folder = tempFolder();
  const store = new HeldStore(await openStore({ folder: folder.path }));
  let tries = 0;
  store.maintain = () => {
    tries++;
    return Promise.reject(new MqError("store-damaged", "The store is damaged: a page is"));
  };
  await using server = await startBroker({ events: [">"], store });
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  await until(() => tries === 2, "it is maintained again");
  const stored = client.publishConfirmed("create", 1);
  await until(() => store.held === 1, "it is about to be written");
  store.let();
  assertEquals((await stored).stored, true);
  assertEquals(server.told("mq.store"), [{ state: "unreadable", text: "The store is damaged: a page is" }]);
});

Deno.test("14.11 a store that fails gives no receipt, and events go on without it", async () => {
  await using folder = tempFolder();
  const store = new HeldStore(await openStore({ folder: folder.path }));
  await using server = await startBroker({ events: [">"], store });
  const [listener] = await server.connect(1);
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  const lost = client.publishConfirmed("create", 1);
  await listener.lines.next();
  store.fail("The disk is on fire");
  const error = await assertRejects(() => lost, ProtocolError, "The disk is on fire");
  assertEquals(error.code, "store-failed");
  await assertRejects(() => client.publishConfirmed("create", 2), ProtocolError, "The disk is on fire");
  assertEquals(server.told("mq.refused").map(({ code, event }) => [code, event]), [["store-failed", "create"]]);
  client.publish("create", 3);
  assertEquals(await listener.lines.next(), "create 3"); // The second was not published at all.
  assertEquals(server.told("mq.store"), [{ state: "failed", text: "The disk is on fire" }]);
  assertEquals((await client.store.log()).failed, "The disk is on fire");
  store.isMended = true;
  while (server.told("mq.store").length < 2) await client.flush();
  assertEquals(server.told("mq.store")[1], { state: "mended", unstored: 2 });
  assertEquals((await client.store.log()).failed, undefined);
  const stored = client.publishConfirmed("create", 4);
  await until(() => store.held === 1, "it is about to be written");
  store.let();
  assertEquals((await stored).stored, true);
});
