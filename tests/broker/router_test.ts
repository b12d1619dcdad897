import { assert, assertEquals, assertThrows } from "@std/assert";
import { setImmediate } from "node:timers";
import { ProtocolError } from "../../lib/protocol/errors.ts";
import { Pattern } from "../../lib/protocol/pattern.ts";
import { RESPONSE_BYTES } from "../../lib/protocol/limits.ts";
import { MAX_MESSAGE_BYTES } from "../../lib/protocol/classic.ts";
import { WriteQueue } from "../../lib/net/write_queue.ts";
import { lineFormat, Publication } from "../../lib/broker/publication.ts";
import type { Subscriber, SubscriberGroup } from "../../lib/broker/subscriber_group.ts";
import { classic } from "../../lib/net/classic.ts";
import type { EventFormat, MessageCodec } from "../../lib/net/codec.ts";
import type { Route } from "../../lib/broker/router.ts";
import { Routing, type Sender } from "./routing.ts";

const BROKER = { name: "mq" };
const ULID = "01ARYZ6S41TSV4RRFFQ69G5FAV";

interface ListenerOptions {
  meta?: boolean;
  format?: EventFormat;
  echo?: boolean;
  limitBytes?: number;
  burstMs?: number;
  /** Nothing is written before this is resolved. */
  ready?: Promise<void>;
  overflow?: (listener: FakeListener) => void;
}

/** The format of classic clients at a port of their own. */
function classicCodec(form: "text" | "json"): MessageCodec {
  const codec = classic(form)({
    names: ["a"],
    isProtected: false,
    recognizedBy: (name) => name === "a" ? "a" : undefined,
  });
  assert(codec.decode !== undefined);
  return codec;
}

let made = 0;

/** A listener that has no room, since nothing of what waits for it is ever written. */
function stuck(patterns: string, options: ListenerOptions = {}): FakeListener {
  const listener = new FakeListener(patterns, { ...options, limitBytes: 5, burstMs: 0, ready: new Promise(() => {}) });
  listener.queue.push(new Uint8Array(5));
  listener.queue.flush();
  assert(!listener.queue.push(new Uint8Array(1)));
  return listener;
}

/** A listener that records each write to it. */
class FakeListener implements Subscriber {
  readonly id = `id-${++made}`;
  readonly name = `name-${made}`;
  readonly patterns: ReadonlyMap<string, Pattern>;
  readonly format: Subscriber["format"];
  group: SubscriberGroup | undefined;
  readonly echo: boolean;
  readonly queue: WriteQueue;
  readonly written: Uint8Array[] = [];
  delivered = 0;
  overflows = 0;
  lostEvents = 0;
  lostBytes = 0;
  tooLong = 0;
  readonly #onOverflow: (listener: FakeListener) => void;

  constructor(patterns: string, options: ListenerOptions = {}) {
    const { meta = false, echo = true, limitBytes = 1_000_000, burstMs, ready, overflow = () => {} } = options;
    this.patterns = new Map(patterns.split(" ").filter((text) => text !== "").map((text) => [text, new Pattern(text)]));
    this.format = options.format ?? lineFormat({ meta, hops: false, reply: false });
    this.echo = echo;
    const writable = new WritableStream({
      write: async (chunk: Uint8Array) => {
        await ready;
        this.written.push(chunk);
      },
    });
    this.queue = new WriteQueue({ writable }, { limitBytes, burstMs });
    this.#onOverflow = overflow;
  }

  overflow(bytes: number, events: number): void {
    this.overflows++;
    this.lostBytes += bytes;
    this.lostEvents += events;
    this.#onOverflow(this);
  }

  onTooLong(): void {
    this.tooLong++;
  }

  /** The lines that have been written to it by the end of the turn. */
  async lines(): Promise<string[]> {
    await endOfTurn();
    await this.queue.drained();
    const decoder = new TextDecoder();
    const text = this.written.map((chunk) => decoder.decode(chunk, { stream: true })).join("");
    assert(text === "" || text.endsWith("\n"), "What was written ends within a line");
    return text.split("\n").slice(0, -1);
  }
}

/** A router that recognizes all events, with listeners that have joined it. */
function routerOf(...listeners: FakeListener[]): Routing {
  const routing = new Routing([">"]);
  for (const listener of listeners) routing.join(listener);
  return routing;
}

function publish(routing: Routing, line: string, sender: Sender = BROKER, id?: string): number {
  const [name] = line.split(" ");
  return routing.publish(routing.route(name, name.startsWith("mq.")), line, sender, id);
}

/** Resolves after what the router does at the end of this turn. */
function endOfTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

Deno.test("Router sends an event to each subscriber with a pattern that matches", async () => {
  const listeners = ["order.*", ">", "order.paid user.*", "user.*"].map((patterns) => new FakeListener(patterns));
  assertEquals(publish(routerOf(...listeners), 'order.paid {"id":1}'), 3);
  const line = ['order.paid {"id":1}'];
  assertEquals(await Promise.all(listeners.map((listener) => listener.lines())), [line, line, line, []]);
});

Deno.test("Router sends an event once to a subscriber with several patterns that match", async () => {
  const listener = new FakeListener("> order.* order.> order.paid");
  assertEquals(publish(routerOf(listener), "order.paid"), 1);
  assertEquals(await listener.lines(), ["order.paid"]);
});

Deno.test("Router sends nothing to a subscriber without patterns", async () => {
  const listener = new FakeListener("");
  assertEquals(publish(routerOf(listener), "create"), 0);
  assertEquals(await listener.lines(), []);
});

Deno.test("Router sends data byte for byte", async () => {
  const listener = new FakeListener("create");
  publish(routerOf(listener), "create \t a  é😀\0 ");
  assertEquals(await listener.lines(), ["create \t a  é😀\0 "]);
});

Deno.test("Router sends one publisher's events in the order in which it published them", async () => {
  const listeners = ["a", "a b", "b", ">"].map((patterns) => new FakeListener(patterns));
  const router = routerOf(...listeners);
  const lines = Array.from({ length: 100 }, (_, index) => `${index % 3 === 0 ? "a" : "b"} ${index}`);
  for (const line of lines) publish(router, line);
  const [a, b] = ["a", "b"].map((name) => lines.filter((line) => line.startsWith(name)));
  assertEquals(await Promise.all(listeners.map((listener) => listener.lines())), [a, lines, b, lines]);
});

Deno.test("Router writes the events of one tick to a subscriber at once", async () => {
  const listener = new FakeListener("a b");
  const router = routerOf(listener);
  for (const line of ["a 1", "b 2", "a 3"]) publish(router, line);
  await listener.lines();
  assertEquals(listener.written.length, 1);
});

Deno.test("Router writes nothing before the end of the tick", async () => {
  const listener = new FakeListener("a");
  publish(routerOf(listener), "a 1");
  assertEquals(listener.queue.queuedBytes, 0);
  assertEquals(await listener.lines(), ["a 1"]);
});

Deno.test("Router writes the events of each tick separately", async () => {
  const listener = new FakeListener("a");
  const router = routerOf(listener);
  for (const line of ["a 1", "a 2", "a 3"]) {
    publish(router, line);
    await listener.lines();
  }
  assertEquals(listener.written.length, 3);
});

Deno.test("Router.flush writes without waiting for the end of the tick", async () => {
  const listener = new FakeListener("a");
  const router = routerOf(listener);
  publish(router, "a 1");
  router.flush();
  assertEquals(listener.queue.queuedBytes, 4);
  assertEquals(await listener.lines(), ["a 1"]);
});

Deno.test("Router writes the same bytes to all subscribers with the same patterns, in any order", async () => {
  const listeners = ["a b", "b a", "a b"].map((patterns) => new FakeListener(patterns));
  const router = routerOf(...listeners);
  const lines = [`a ${"1".repeat(1000)}`, "b 2"]; // What is small may be copied.
  for (const line of lines) publish(router, line);
  for (const listener of listeners) assertEquals(await listener.lines(), lines);
  const [first, ...others] = listeners.map(({ written }) => written[0]);
  for (const other of others) assert(other === first);
});

Deno.test("Router counts the events delivered to each subscriber", async () => {
  const [two, one, none] = ["a b", "b", "c"].map((patterns) => new FakeListener(patterns));
  const router = routerOf(two, one, none);
  for (const line of ["a 1", "b 2"]) publish(router, line);
  await endOfTurn();
  assertEquals([two.delivered, one.delivered, none.delivered], [2, 1, 0]);
});

Deno.test("Router sends a subscriber that joins within a tick only what is published after that", async () => {
  for (const patterns of ["a", ">"]) {
    const [early, late] = [new FakeListener("a"), new FakeListener(patterns)];
    const router = routerOf(early);
    publish(router, "a before");
    router.join(late);
    publish(router, "a after");
    assertEquals(await late.lines(), ["a after"]);
    assertEquals(await early.lines(), ["a before", "a after"]);
  }
});

Deno.test("Router sends a subscriber that leaves within a tick what was published before that", async () => {
  const [leaving, staying] = [new FakeListener("a"), new FakeListener("a")];
  const router = routerOf(leaving, staying);
  publish(router, "a before");
  router.leave(leaving);
  assertEquals(publish(router, "a after"), 1);
  assertEquals(await leaving.lines(), ["a before"]);
  assertEquals(await staying.lines(), ["a before", "a after"]);
});

Deno.test("Router sends the last subscriber that leaves within a tick what was published before that", async () => {
  const listener = new FakeListener("a");
  const router = routerOf(listener);
  publish(router, "a before");
  router.leave(listener);
  assertEquals(publish(router, "a after"), 0);
  assertEquals(await listener.lines(), ["a before"]);
});

Deno.test("Router sends a subscriber that leaves and joins within a tick what is published while joined", async () => {
  const listener = new FakeListener("a");
  const router = routerOf(listener);
  publish(router, "a 1");
  router.leave(listener);
  publish(router, "a 2");
  router.join(listener);
  publish(router, "a 3");
  assertEquals(await listener.lines(), ["a 1", "a 3"]);
});

Deno.test("Router.leave ignores a subscriber that has not joined", async () => {
  const [listener, stranger] = [new FakeListener("a"), new FakeListener("a")];
  const router = routerOf(listener);
  router.leave(stranger);
  assertEquals(publish(router, "a"), 1);
  assertEquals(await listener.lines(), ["a"]);
});

Deno.test("Router.send puts its text after earlier events and before later ones", async () => {
  const [asking, other] = [new FakeListener("a"), new FakeListener("a")];
  const router = routerOf(asking, other);
  publish(router, "a 1");
  router.send(asking, "/ok 1\n/ok 2\n");
  publish(router, "a 2");
  assertEquals(await asking.lines(), ["a 1", "/ok 1", "/ok 2", "a 2"]);
  assertEquals(await other.lines(), ["a 1", "a 2"]);
});

Deno.test("Router.send writes together with the events of its tick", async () => {
  const listener = new FakeListener("a");
  const router = routerOf(listener);
  publish(router, "a 1");
  router.send(listener, "/ok\n");
  publish(router, "a 2");
  await listener.lines();
  assertEquals(listener.written.length, 1);
});

Deno.test("Router.send reaches a subscriber that has not joined", async () => {
  const stranger = new FakeListener("");
  routerOf().send(stranger, "/ok\n");
  assertEquals(await stranger.lines(), ["/ok"]);
});

Deno.test("Router.send does not count as a delivered event", async () => {
  const listener = new FakeListener("a");
  routerOf(listener).send(listener, "/ok\n");
  await endOfTurn();
  assertEquals(listener.delivered, 0);
});

Deno.test("Router does not send a subscriber without echo its own events, and sends them to all others", async () => {
  const quiet = new FakeListener("a", { echo: false });
  const others = [new FakeListener("a"), new FakeListener("a", { echo: false })];
  const router = routerOf(quiet, ...others);
  assertEquals(publish(router, "a own", quiet), 2);
  assertEquals(publish(router, "a other", others[0]), 3);
  assertEquals(await quiet.lines(), ["a other"]);
  for (const other of others) assertEquals(await other.lines(), ["a own", "a other"]);
});

Deno.test("Router has subscribers without echo share what is encoded for them, and leaves out of it only their own events", async () => {
  const quiet = Array.from({ length: 3 }, () => new FakeListener("a", { echo: false }));
  const router = routerOf(...quiet);
  for (const [index, sender] of [0, 0, 1, 2, 1].entries()) {
    assertEquals(publish(router, `a ${index}`, quiet[sender]), 2);
  }
  assertEquals(publish(router, "a 5"), 3);
  assertEquals(new Set(quiet.map(({ group }) => group)).size, 1);
  const heard = await Promise.all(quiet.map((listener) => listener.lines()));
  assertEquals(heard.map((lines) => lines.join()), ["a 2,a 3,a 4,a 5", "a 0,a 1,a 3,a 5", "a 0,a 1,a 2,a 4,a 5"]);
});

Deno.test("Router sends a subscriber with echo its own events", async () => {
  const listener = new FakeListener("a");
  assertEquals(publish(routerOf(listener), "a own", listener), 1);
  assertEquals(await listener.lines(), ["a own"]);
});

Deno.test("Router sends id and sender of an event only to those who asked for them", async () => {
  const [plain, meta] = [new FakeListener("a"), new FakeListener("a", { meta: true })];
  const router = routerOf(plain, meta);
  publish(router, "a  x ", { name: "shop" }, ULID);
  assertEquals(await plain.lines(), ["a  x "]);
  assertEquals(await meta.lines(), [`/event ${ULID} shop a  x `]);
});

Deno.test("Router gives an event the same id for every subscriber", async () => {
  const listeners = ["a", ">", "a b"].map((patterns) => new FakeListener(patterns, { meta: true }));
  publish(routerOf(...listeners), "a");
  const [first, ...others] = await Promise.all(listeners.map((listener) => listener.lines()));
  for (const other of others) assertEquals(other, first);
});

Deno.test("Router gives events strictly increasing ids", async () => {
  const listener = new FakeListener(">", { meta: true });
  const router = routerOf(listener);
  for (let count = 0; count < 1000; count++) publish(router, "a");
  const ids = (await listener.lines()).map((line) => line.split(" ")[1]);
  assertEquals(ids, [...new Set(ids)].sort());
  assertEquals(ids.length, 1000);
});

Deno.test("Router sends the broker's own events only to patterns that begin with mq", async () => {
  const [all, named] = [new FakeListener("> *.*"), new FakeListener("> mq.*")];
  assertEquals(publish(routerOf(all, named), "mq.connect {}"), 1);
  assertEquals(await all.lines(), []);
  assertEquals(await named.lines(), ["mq.connect {}"]);
});

Deno.test("Router.route returns the first pattern that recognizes a name", () => {
  const router = new Routing(["create", "order.>", "order.*"]);
  const names = ["create", "order.paid", "order", "bogus"];
  const recognizedBy = names.map((name) => router.route(name).recognizedBy);
  assertEquals(recognizedBy, ["create", "order.>", undefined, undefined]);
});

Deno.test("Router.route recognizes names of Object properties like any other", () => {
  const router = new Routing(["constructor"]);
  const names = ["constructor", "__proto__", "toString", "hasOwnProperty"];
  const recognizedBy = names.map((name) => router.route(name).recognizedBy);
  assertEquals(recognizedBy, ["constructor", undefined, undefined, undefined]);
});

Deno.test("Router sends events named like Object properties", async () => {
  const [listener, other] = [new FakeListener("constructor __proto__"), new FakeListener("toString")];
  const router = routerOf(listener, other);
  for (const line of ["constructor 1", "__proto__ 2", "toString 3"]) publish(router, line);
  assertEquals(await listener.lines(), ["constructor 1", "__proto__ 2"]);
  assertEquals(await other.lines(), ["toString 3"]);
});

Deno.test("Router.route refuses a malformed name each time", () => {
  const router = new Routing([">"]);
  for (const name of ["", "a b", "a..b", "*", "a b"]) {
    assertEquals(assertThrows(() => router.route(name), ProtocolError).code, "bad-name");
  }
});

Deno.test("Router.route caches a reserved name only if the broker publishes it", () => {
  const router = new Routing([">"]);
  const known = router.route("create");
  for (let index = 0; index <= 10_000; index++) router.route(`mq.${index}`);
  assert(router.route("create") === known);
  assert(router.route("mq.connect", true) === router.route("mq.connect"));
});

Deno.test("Router.routeAfter finds the route that Router.route finds for the name of a line", () => {
  const router = new Routing(["create", "order.>"]);
  const names = ["create", "order.paid", "order.paid.twice", "mq.connect", "created", "order", "mq"];
  let last: Route | undefined;
  for (const name of [...names, ...names, ...names.toReversed()]) {
    for (const line of [name, `${name} data`, `${name}\tdata`, `${name} `]) {
      const route = router.routeAfter(last, line);
      assertEquals([route, route.name], [router.route(name), name]);
      last = route;
    }
  }
});

Deno.test("Router.routeAfter predicts the name that followed the last one the last time", () => {
  const router = new Routing([">"]);
  const [a, b] = ["a", "b"].map((name) => router.route(name));
  assert(router.routeAfter(a, "b 1") === b);
  assert(a.next === b);
  const marked = a.next = { ...b };
  for (const line of ["b 2", "b", "b\t3"]) assert(router.routeAfter(a, line) === marked, line);
  assert(router.routeAfter(b, "b 4") === b);
});

Deno.test("Router.routeAfter looks up a name that it did not predict, and predicts it the next time", () => {
  const router = new Routing([">"]);
  const [a, b, c] = ["a", "b", "c"].map((name) => router.route(name));
  for (const [line, route] of [["b 1", b], ["c 2", c], ["b 3", b]] as const) {
    assert(router.routeAfter(a, line) === route, line);
    assert(a.next === route, line);
  }
});

Deno.test("Router.routeAfter does not mistake a name for another with the same prefix", () => {
  const router = new Routing([">"]);
  const names = ["create", "created", "create.x", "creat", "create-x"];
  const last = router.route("a");
  for (const guess of names) {
    for (const name of names) {
      for (const line of [name, `${name} x`]) {
        router.routeAfter(last, guess);
        assertEquals(router.routeAfter(last, line).name, name);
      }
    }
  }
});

Deno.test("Router.routeAfter considers subscribers that have joined or left since", async () => {
  for (const patterns of ["b", "*", "a"]) { // Those of an group that is there, and of others.
    const [early, late] = [new FakeListener("b"), new FakeListener(`${patterns} b`)];
    const router = routerOf(early);
    const last = router.routeAfter(undefined, "a");
    const publishAfter = (line: string) => router.publish(router.routeAfter(last, line), line, BROKER);
    const receivers = [publishAfter("b 1"), publishAfter("b 2")];
    router.join(late);
    receivers.push(publishAfter("b 3"), publishAfter("b 4"));
    router.leave(early);
    receivers.push(publishAfter("b 5"), publishAfter("b 6"));
    router.leave(late);
    receivers.push(publishAfter("b 7"));
    assertEquals(receivers, [1, 1, 2, 2, 1, 1, 0]);
    assertEquals(await early.lines(), ["b 1", "b 2", "b 3", "b 4"]);
    assertEquals(await late.lines(), ["b 3", "b 4", "b 5", "b 6"]);
  }
});

Deno.test("Router.routeAfter does not learn from a stale route", async () => {
  const listeners = ["b", "b c", "*"].map((patterns) => new FakeListener(patterns));
  const router = new Routing([">"]);
  const last = router.route("a");
  for (const [index, listener] of listeners.entries()) {
    router.join(listener);
    const line = `b ${index}`;
    assertEquals(router.publish(router.routeAfter(last, line), line, BROKER), index + 1);
  }
  assertEquals(await listeners[2].lines(), ["b 2"]);
});

Deno.test("Router.routeAfter does not learn from a route that was evicted while the next was looked up", async () => {
  const router = new Routing([">"]);
  const names = Array.from({ length: 10_000 }, (_, index) => `n${index}`);
  const routes = names.map((name) => router.route(name));
  router.routeAfter(routes[0], "one-too-many");
  const listener = new FakeListener("one-too-many");
  router.join(listener);
  router.publish(router.routeAfter(routes[0], "one-too-many"), "one-too-many", BROKER);
  assertEquals(await listener.lines(), ["one-too-many"]);
});

Deno.test("Router.routeAfter predicts no unrecognized name, and nothing after one", () => {
  const router = new Routing(["a", "b"]);
  const a = router.route("a");
  const bogus = router.routeAfter(a, "bogus 1");
  assertEquals([bogus.name, bogus.recognizedBy, a.next], ["bogus", undefined, undefined]);
  router.routeAfter(bogus, "b");
  assertEquals(bogus.next, undefined);
  router.routeAfter(a, "b");
  assertEquals(router.routeAfter(a, "bogus 2").recognizedBy, undefined);
  assert(a.next === router.route("b"));
});

Deno.test("Router.routeAfter refuses a malformed name each time, and keeps its prediction", () => {
  const router = new Routing([">"]);
  const last = router.routeAfter(undefined, "a");
  const next = router.routeAfter(last, "b");
  for (const line of ["", " b", "\tb", "b..a 1", "b. 1", "b\r", "b\u00a0x", "*", "/b", "b..a 1"]) {
    for (const before of [undefined, last, next]) {
      assertEquals(assertThrows(() => router.routeAfter(before, line), ProtocolError).code, "bad-name");
    }
  }
  assert(last.next === next);
});

Deno.test("Router refuses a malformed pattern for recognized events", () => {
  assertEquals(assertThrows(() => new Routing(["create", "a..b"]), ProtocolError).code, "bad-pattern");
});

Deno.test("Router routes any number of names", async () => {
  const listener = new FakeListener("*");
  const router = routerOf(listener);
  const names = Array.from({ length: 10_001 }, (_, index) => `n${index}`);
  for (const name of [...names, ...names]) publish(router, name);
  assertEquals(await listener.lines(), [...names, ...names]);
});

Deno.test("Router reports a full queue to its subscriber, and still delivers to the others", async () => {
  const [full, other] = [stuck("a"), new FakeListener("a")];
  publish(routerOf(full, other), "a long");
  await endOfTurn();
  assertEquals([full.overflows, full.delivered, other.overflows, other.delivered], [1, 0, 0, 1]);
  assertEquals([full.queue.queuedBytes, await other.lines()], [5, ["a long"]]);
});

Deno.test("Router.publish counts the subscribers with room for the event, not those with a full queue", async () => {
  const half = new FakeListener("a", { limitBytes: 40, burstMs: 0, ready: new Promise(() => {}) });
  half.queue.push(new Uint8Array(21));
  half.queue.flush();
  const [full, other] = [stuck("a"), new FakeListener("a")];
  const router = routerOf(half, full, other);
  const lines = ["a 1", "a ééééé", "a 2", `a ${"é".repeat(8)}`, "a"]; // 4, 13, 4, 19 and 2 bytes with their LFs.
  assertEquals(lines.map((line) => publish(router, line)), [2, 2, 1, 1, 1]);
  await endOfTurn();
  assertEquals([half.delivered, half.lostEvents, full.lostEvents, other.delivered], [2, 3, 5, 5]);
  assertEquals([router.delivered, half.queue.queuedBytes], [7, 38]);
});

Deno.test("Router delivers early to a subscriber with a small queue, and asks the publisher to pause", async () => {
  const [small, other] = [new FakeListener("a", { limitBytes: 300 }), new FakeListener("a")];
  const router = routerOf(small, other);
  const lines = Array.from({ length: 40 }, (_, index) => `a ${index} ${"x".repeat(20)}`);
  const pauses: number[] = [];
  for (const [index, line] of lines.entries()) {
    assertEquals(publish(router, line), 2);
    const pause = router.pause(other);
    if (pause) pauses.push(index);
    await pause;
  }
  assert(pauses.length > 3 && pauses.length < 20, pauses.join());
  assertEquals([await small.lines(), await other.lines(), small.overflows], [lines, lines, 0]);
});

Deno.test("Router does not make a publisher pause for what others have published", async () => {
  const router = routerOf(new FakeListener("a", { limitBytes: 300 }));
  for (let index = 0; index < 10; index++) publish(router, `a ${"x".repeat(20)}`);
  const { queue } = new FakeListener("");
  assertEquals(router.fanOut.pause({ queue, hasCredit: true }), undefined);
  await router.fanOut.pause({ queue, hasCredit: false });
});

Deno.test("Router does not make publishers pause repeatedly for a subscriber that does not read", async () => {
  const stopped = new FakeListener("a", { limitBytes: 300, ready: new Promise(() => {}) });
  const router = routerOf(stopped);
  let pauses = 0;
  for (let index = 0; index < 100; index++) {
    publish(router, `a ${"x".repeat(20)}`);
    const pause = router.pause(new FakeListener(""));
    if (pause) pauses++;
    await pause;
    await endOfTurn();
  }
  assert(pauses < 3 && stopped.lostEvents > 70, `${pauses} pauses, ${stopped.lostEvents} events lost`);
});

Deno.test("Router counts lost events while all queues are full, and delivers to those who join", async () => {
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  const full = new FakeListener("a", { limitBytes: 12, burstMs: 0, ready });
  const router = routerOf(full);
  for (const data of ["first", "second", "third"]) {
    publish(router, `a ${data}`);
    await endOfTurn();
  }
  assertEquals([full.lostEvents, full.lostBytes], [2, "a second\na third\n".length]);
  const newcomer = new FakeListener("a");
  router.join(newcomer);
  publish(router, "a fourth");
  assertEquals(await newcomer.lines(), ["a fourth"]);
  router.leave(newcomer);
  publish(router, "a fifth");
  await endOfTurn();
  assertEquals([full.lostEvents, full.delivered], [4, 1]);
  resolve();
  assertEquals(await full.lines(), ["a first"]);
  publish(router, "a sixth");
  assertEquals(await full.lines(), ["a first", "a sixth"]);
});

Deno.test("Router.send reports a full queue to its subscriber", async () => {
  const full = stuck("a");
  const router = routerOf(full);
  router.send(full, "/ok 123\n");
  assertEquals(full.overflows, 0);
  router.send(full, `/ok ${"x".repeat(2 * RESPONSE_BYTES)}\n`);
  await endOfTurn();
  assertEquals(full.overflows, 1);
});

Deno.test("Router keeps no trace of a subscriber that leaves while it joins", async () => {
  const overflow = () => {
    router.route("another"); // As the broker does, when it tells that a listener is slow.
    router.leave(newcomer);
  };
  const [full, other] = [stuck("a", { overflow }), new FakeListener("a")];
  const newcomer = new FakeListener("a");
  const router = routerOf(full, other);
  assertEquals(publish(router, "a 1"), 1);
  router.join(newcomer);
  assertEquals(publish(router, "a 2"), 1);
  assertEquals([await newcomer.lines(), await other.lines(), full.lostEvents], [[], ["a 1", "a 2"], 2]);
});

Deno.test("Router lets a subscriber leave when its queue is full", async () => {
  const [full, other] = [
    stuck("a", { overflow: (listener) => router.leave(listener) }),
    new FakeListener("a"),
  ];
  const router = routerOf(full, other);
  publish(router, "a long");
  await endOfTurn();
  assertEquals([full.overflows, publish(router, "a 2")], [1, 1]);
  assertEquals(await other.lines(), ["a long", "a 2"]);
});

Deno.test("Router lets a subscriber join while the last with the same patterns leaves with a full queue", async () => {
  const full = stuck("a", { overflow: (listener) => router.leave(listener) });
  const router = routerOf(full);
  publish(router, "a long");
  const joining = new FakeListener("a");
  router.join(joining);
  assertEquals(publish(router, "a 2"), 1);
  assertEquals(await joining.lines(), ["a 2"]);
});

Deno.test("Router keeps the order when a delivery makes a subscriber leave and that is published", async () => {
  const full = stuck("mq.>", {
    overflow: (listener) => {
      if (listener.overflows > 1) return;
      publish(router, "mq.slow");
      router.leave(listener);
    },
  });
  const other = new FakeListener("mq.>");
  const router = routerOf(full, other);
  for (const line of ["mq.connect 1", "mq.connect 2"]) publish(router, line);
  await endOfTurn(); // What is published at the end of one turn leaves at the end of the next.
  assertEquals(await other.lines(), ["mq.connect 1", "mq.connect 2", "mq.slow"]);
});

Deno.test("Router sends events to classic subscribers in their form, or as the original JSON message", async () => {
  const codec = classicCodec("json");
  const listeners = [classicCodec("text").format, codec.format, undefined].map((format) =>
    new FakeListener(">", { format })
  );
  const router = routerOf(...listeners);
  router.publish(router.route("a"), 'a {"id":1}', { name: "shop" });
  const { line, source } = codec.decode('{"event":"a","payload":1,"more":2}');
  assertEquals(line, "a 1");
  router.fanOut.publish(router.route("a"), new Publication(line, "shop", undefined, source));
  const [text, json, lines] = await Promise.all(listeners.map((listener) => listener.lines()));
  assertEquals(text, ['a {"id":1}', "a 1"]);
  assertEquals(json, ['{"event":"a","payload":{"id":1}}', '{"event":"a","payload":1,"more":2}']);
  assertEquals(lines, ['a {"id":1}', "a 1"]);
});

Deno.test("Router omits events that are too long for classic subscribers, and reports it", async () => {
  const [classic, modern] = [new FakeListener(">", { format: classicCodec("text").format }), new FakeListener(">")];
  const router = routerOf(classic, modern);
  const [fits, tooLong] = [MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES + 1].map((bytes) => `a ${"x".repeat(bytes - 2)}`);
  assertEquals(router.publish(router.route("a"), fits, { name: "shop" }), 2);
  assertEquals(router.publish(router.route("a"), tooLong, { name: "shop" }), 1);
  assertEquals([classic.tooLong, await classic.lines()], [1, [fits]]);
  assertEquals(await modern.lines(), [fits, tooLong]);
});
