import { assert, assertEquals } from "@std/assert";
import { DEFAULT_LIMITS } from "../../lib/protocol/limits.ts";
import type { ClientPage } from "../../lib/protocol/client_pages.ts";
import type { ClientInfo, StoreInfo } from "../../lib/protocol/responses.ts";
import { type EventLine, Model, type ShownEvent, type Update } from "../../web/model.ts";

const ID = "01ARYZ6S41TSV4RRFFQ69G5FAV";
/** The id of a connection that the model does not have. */
const UNKNOWN_ID = "01ARYZ6S41TSV4RRFFQ69G5FAW";

function makeModel(store?: StoreInfo): Model {
  const events = ["create", "order.>"];
  return new Model({ id: "self", server: "mq/0.5.0", version: 1, limits: DEFAULT_LIMITS, events, store });
}

function client(id: string, patterns: string[], more: Partial<ClientInfo> = {}): ClientInfo {
  const counts = { published: 0, delivered: 0, queuedBytes: 0, dropped: 0 };
  const address = "127.0.0.1:50000";
  const connectedAt = "2026-01-01T00:00:00.000Z";
  const known = { id, name: `name-${id}`, address, connectedAt, patterns, patternCount: patterns.length };
  return { ...known, ...counts, classic: null, observe: null, ...more };
}

/** All connections on one page. */
function page(clients: ClientInfo[], more: Partial<ClientPage> = {}): ClientPage {
  return { clients, after: "", isLast: true, ...more };
}

/** The model takes an event. */
function take(model: Model, line: Partial<EventLine>, now = 0): Update {
  return model.take({ id: ID, from: UNKNOWN_ID, name: "create", text: "", skipped: 0, ...line }, now);
}

/** The model takes a system event. */
function tell(
  model: Model,
  event: string,
  data: Record<string, unknown>,
  more: { skipped?: number; now?: number } = {},
) {
  const { skipped = 0, now = 0 } = more;
  return take(model, { from: "mq", name: `mq.${event}`, text: JSON.stringify(data), skipped }, now);
}

function subscribers(model: Model, name: string): string[] {
  return model.subscribersOf(name).map(({ id, pattern }) => `${id} by ${pattern}`);
}

function eventOf({ event }: Update): ShownEvent {
  assert(event !== undefined);
  return event;
}

/** The sentence of a notice. */
function sentence({ notice }: Update): string | undefined {
  return notice && `${notice.kind} ${notice.id}: ${notice.name} ${notice.what}`;
}

Deno.test("Model follows a connection from mq.connect to mq.disconnect", () => {
  const model = makeModel();
  const joined = tell(model, "connect", { id: "a", name: "client-1", address: "127.0.0.1:50000" });
  assertEquals(sentence(joined), "joined a: client-1 connected");
  assertEquals(subscribers(model, "create"), ["a by >"]);
  const renamed = tell(model, "hello", { id: "a", name: "shop", was: "client-1" });
  assertEquals(sentence(renamed), "other a: client-1 is now called shop");
  const subscribed = tell(model, "subscribe", {
    id: "a",
    name: "shop",
    added: ["order.*"],
    removed: [">"],
    total: 1,
  });
  assertEquals(sentence(subscribed), "other a: shop now gets order.*");
  assertEquals([subscribers(model, "create"), subscribers(model, "order.paid")], [[], ["a by order.*"]]);
  assertEquals(model.nameOf("a"), "shop");
  const left = tell(model, "disconnect", { id: "a", name: "shop", reason: "reset" });
  assertEquals([sentence(left), left.left?.id], ["left a: shop lost its connection", "a"]);
  assertEquals([model.participants, subscribers(model, "order.paid")], [[], []]);
});

Deno.test("Model does not count observers among the subscribers", () => {
  const model = makeModel();
  model.reconcile(page([client("self", [">", "mq.>"]), client("page", [">"], { observe: 60 }), client("a", [">"])]), 0);
  assertEquals(subscribers(model, "create"), ["a by >"]);
  assertEquals(model.participants.map(({ id }) => id), ["a"]);
  assertEquals(model.observers.map(({ id }) => id), ["self", "page"]);
  const ids = ["a", "page", "?"].map((id) => model.participant(id)?.id);
  assertEquals(ids, ["a", undefined, undefined]);
});

Deno.test("Model replaces its connections by those of /clients", () => {
  const model = makeModel();
  tell(model, "connect", { id: "gone", name: "client-1", address: "127.0.0.1:1" });
  model.reconcile(page([client("a", ["create"])]), 0);
  assertEquals(subscribers(model, "create"), ["a by create"]);
  const cached = model.subscribersOf("create");
  model.reconcile(page([client("a", ["create"], { published: 7 })]), 0);
  assert(model.subscribersOf("create") === cached, "the subscriptions have not changed");
  model.reconcile(page([client("a", ["order.*"])]), 0);
  assertEquals(subscribers(model, "create"), []);
});

Deno.test("Model takes /clients page by page, and keeps what is on no page", () => {
  const model = makeModel();
  model.reconcile(page(["a", "b", "c", "d"].map((id) => client(id, ["create"]))), 0);
  model.reconcile(page([client("a", ["create"]), client("b2", ["create"])], { isLast: false }), 0);
  assertEquals(subscribers(model, "create"), ["a", "b2", "c", "d"].map((id) => `${id} by create`));
  model.reconcile(page([client("d", ["create"]), client("e", ["create"])], { after: "b2" }), 0);
  assertEquals(subscribers(model, "create"), ["a", "b2", "d", "e"].map((id) => `${id} by create`));
});

Deno.test("Model follows the changes of a connection with more patterns than /clients lists", () => {
  const model = makeModel();
  const listed = Array.from({ length: 10 }, (_, index) => `a.${index}`);
  model.reconcile(page([client("a", listed, { patternCount: 1000 })]), 0);
  const more = tell(model, "subscribe", { id: "a", name: "a", added: ["create"], removed: ["a.0"], total: 1000 });
  assertEquals(sentence(more), "other a: a now gets a.1, a.2, a.3 and 997 more");
  assertEquals([subscribers(model, "a.0"), subscribers(model, "create")], [[], ["a by create"]]);
  model.reconcile(page([client("a", [...listed.slice(1), "create"], { patternCount: 1000 })]), 0);
  assertEquals(model.participant("a")?.patterns.size, 10);
  model.reconcile(page([client("a", ["update"])]), 0);
  assertEquals([subscribers(model, "create"), subscribers(model, "update")], [[], ["a by update"]]);
});

Deno.test("Model keeps the patterns that it was told of and that /clients does not list", () => {
  const model = makeModel();
  const all = Array.from({ length: 12 }, (_, index) => `a.${index}`);
  tell(model, "connect", { id: "a", name: "a", address: "127.0.0.1:1" });
  tell(model, "subscribe", { id: "a", name: "a", added: all, removed: [">"], total: 12 });
  model.reconcile(page([client("a", all.slice(0, 10), { patternCount: 12 })]), 0);
  assertEquals(subscribers(model, "a.11"), ["a by a.11"]);
  assertEquals(tell(model, "subscribe", { id: "unknown", name: "b", added: ["x"], removed: [], total: 1 }), {});
});

Deno.test("Model stores with each event the names of its publisher and its subscribers at that time", () => {
  const model = makeModel();
  model.reconcile(page([client("a", []), client("b", ["create"])]), 0);
  const update = take(model, { from: "a", name: "create", text: '{"id":1}' });
  model.reconcile(page([]), 0);
  assertEquals(eventOf(update), {
    id: ID,
    from: "a",
    name: "create",
    text: '{"id":1}',
    fromName: "name-a",
    subscribers: [{ id: "b", name: "name-b", pattern: "create" }],
    isStored: false,
  });
  assertEquals(model.nameOf("self"), "this page");
  assertEquals(model.nameOf(UNKNOWN_ID), "unknown");
});

Deno.test("Model knows which events the broker keeps", () => {
  const model = makeModel({ keep: ["order.*", "_INBOX.>"], syncMs: 0 });
  const isStored = (name: string) => eventOf(take(model, { name })).isStored;
  assertEquals(["order.paid", "create", "_INBOX.a.1"].map(isStored), [true, false, false]);
  assertEquals(eventOf(tell(model, "unrecognized", { id: "a", name: "shop", event: "order.x" })).isStored, false);
});

Deno.test("Model explains how to make the broker recognize an event", () => {
  const { name, subscribers, drop } = eventOf(
    tell(makeModel(), "unrecognized", { id: "a", name: "shop", event: "archive", times: 1 }),
  );
  assertEquals([name, subscribers, drop?.why], ["archive", [], "not recognized"]);
  assertEquals(drop?.help, "To have it recognized, start the broker with: mq server --events 'create,order.>,archive'");
});

Deno.test("Model explains a refused event in the broker's words", () => {
  const text = "Cannot take order.paid: its data must be object";
  const { name, drop } = eventOf(
    tell(makeModel(), "refused", { id: "a", name: "shop", code: "invalid-data", text, event: "order.paid", times: 1 }),
  );
  assertEquals([name, drop?.why, drop?.text], ["order.paid", "refused: invalid-data", `${text}.`]);
});

Deno.test("Model does not take the code of a refused line for the name of an event", () => {
  const about = { id: "a", name: "shop", text: "Cannot write the store: database or disk is full", times: 1 };
  const stored = eventOf(tell(makeModel(), "refused", { ...about, code: "store-failed", event: "order.paid" }));
  assertEquals([stored.name, stored.drop?.why], ["order.paid", "refused: store-failed"]);
  assertEquals(stored.drop?.help, "The broker drops it. It can be published again when the store works.");
  assertEquals(eventOf(tell(makeModel(), "refused", { ...about, code: "bad-verb" })).name, "");
});

Deno.test("Model reports a rejected connection, which it never listed", () => {
  const data = { id: "", name: "mq", code: "too-many-connections", text: "This broker has no room", times: 1 };
  assertEquals(
    sentence(tell(makeModel(), "refused", data)),
    "other : A connection was refused: This broker has no room",
  );
});

Deno.test("Model reports slow consumers, dropped events, throttled publishers and the broker's shutdown", () => {
  const model = makeModel();
  model.reconcile(page([client("a", [])]), 0);
  const about = { id: "a", name: "shop" };
  const updates = [
    tell(model, "slow", { ...about, queuedBytes: 2_000_000 }),
    tell(model, "dropped", { ...about, bytes: 10, events: 1 }),
    tell(model, "dropped", { ...about, bytes: 10 }),
    tell(model, "throttled", { ...about, eventsPerSecond: 5 }),
    tell(model, "drain", { connections: 1, deadlineMs: 1 }),
  ];
  assertEquals(updates.map(({ notice }) => `${notice?.name} ${notice?.what}`), [
    "shop is a slow consumer: 2.0 MB are queued",
    "shop lost 1 event (dropped)",
    "shop lost data (dropped)",
    "shop publishes more than 5 events a second",
    "The broker is shutting down",
  ]);
});

Deno.test("Model reports dead jobs, expired events, and a store that fails or works again", () => {
  const model = makeModel();
  const job = { group: "mail", id: ID, event: "order.paid", from: "till", tries: 5 };
  const updates = [
    tell(model, "dead", { ...job, why: "no such address" }),
    tell(model, "dead", { ...job, why: "" }),
    tell(model, "expired", { group: "mail", events: 1000 }),
    tell(model, "store", { state: "failed", text: "The disk is full" }),
    tell(model, "store", { state: "unreadable", text: "The disk is damaged" }),
    tell(model, "store", { state: "mended", unstored: 1 }),
  ];
  assertEquals(updates.map(sentence), [
    "other : The group mail has a dead job: order.paid (no such address)",
    "other : The group mail has a dead job: order.paid",
    "other : The group mail lost 1,000 events: the log has kept them no longer",
    "other : The store has failed: The disk is full",
    "other : The store cannot be read in part: The disk is damaged",
    "other : The store works again, without 1 event",
  ]);
});

Deno.test("Model marks a connection as slow until its queue is empty", () => {
  const model = makeModel();
  const isSlow = (queuedBytes: number) => {
    model.reconcile(page([client("a", [">"], { queuedBytes })]), 0);
    return model.participant("a")!.isSlow;
  };
  assertEquals([isSlow(0), isSlow(1000)], [false, false]);
  tell(model, "slow", {
    id: "a",
    name: "a",
    patterns: [">"],
    patternCount: 1,
    queuedBytes: 16_777_216,
    policy: "drop",
  });
  assert(model.participant("a")!.isSlow);
  assertEquals([isSlow(1000), isSlow(0), isSlow(1000)], [true, false, false]);
  assertEquals([isSlow(DEFAULT_LIMITS.outboxBytes / 2), isSlow(1), isSlow(0)], [true, true, false]);
});

Deno.test("Model ignores unknown system events", () => {
  assertEquals(tell(makeModel(), "future", { id: "a" }), {});
});

Deno.test("Model accepts the names of JavaScript's own properties", () => {
  const model = makeModel();
  model.reconcile(page([client("__proto__", ["constructor"])]), 0);
  assertEquals(subscribers(model, "constructor"), ["__proto__ by constructor"]);
});

// Requests and replies

Deno.test("Model finds the subscriber of a reply to a request, and does not cache its name", () => {
  const model = makeModel();
  model.reconcile(page([client("a", ["_INBOX.a.*"]), client("b", ["create"])]), 0);
  assertEquals(subscribers(model, "_INBOX.a.1"), ["a by _INBOX.a.*"]);
  assert(model.subscribersOf("_INBOX.a.1") !== model.subscribersOf("_INBOX.a.1"));
});

// Publishers without a connection

function post(id: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { name: "http", address: "127.0.0.1:50001", event: "create", id, receivers: 1, ...more };
}

Deno.test("Model adds http with its first POST, which is reported as one event and by mq.http", () => {
  for (const isEventFirst of [true, false]) {
    const model = makeModel();
    model.reconcile(page([client("a", ["create"])]), 0);
    const updates: Update[] = [];
    const takeEvent = () => updates.push(take(model, { from: "http", name: "create", text: "1" }));
    if (isEventFirst) takeEvent();
    const told = tell(model, "http", post(ID));
    if (!isEventFirst) takeEvent();
    assertEquals(sentence(told), "joined http: http publishes from 127.0.0.1:50001");
    const { from, fromName, subscribers } = eventOf(updates[0]);
    assertEquals([from, fromName, subscribers.map(({ id }) => id)], ["http", "http", ["a"]]);
    const { name, published, isDetached, isIdle } = model.participant("http")!;
    assertEquals([name, published, isDetached, isIdle], ["http", 1, true, false]);
    assertEquals(model.participants.map(({ id }) => id), ["a", "http"]);
    assertEquals(model.clients.map(({ id }) => id), ["a"]);
    assertEquals(model.addressOf(ID), "127.0.0.1:50001");
  }
});

Deno.test("Model counts the POSTs that are missing from a sample", () => {
  const model = makeModel();
  tell(model, "http", post("1"));
  take(model, { from: "http" });
  tell(model, "http", post("10"), { skipped: 8 });
  assertEquals(model.participant("http")?.published, 10);
  assertEquals(sentence(tell(model, "http", post("11"))), undefined);
  assertEquals(model.participant("http")?.published, 11);
});

Deno.test("Model marks http as idle after five seconds without a POST, until the next one", () => {
  const model = makeModel();
  const isIdle = () => model.participant("http")!.isIdle;
  tell(model, "http", post("1"), { now: 1000 });
  model.reconcile(page([]), 6000);
  assertEquals(isIdle(), false);
  model.reconcile(page([]), 6001);
  assertEquals(isIdle(), true);
  take(model, { from: "http" }, 6500);
  assertEquals([isIdle(), model.participant("http")?.published], [false, 1]);
});

Deno.test("Model shows refused and unrecognized POSTs as dropped events from http, and does not count them", () => {
  const model = makeModel();
  const text = "Cannot take order.paid: its data must be object";
  const refused = eventOf(
    tell(model, "refused", { id: "", name: "http", code: "invalid-data", text, event: "order.paid", times: 1 }),
  );
  assertEquals([refused.name, refused.from, refused.fromName], ["order.paid", "http", "http"]);
  const unrecognized = eventOf(tell(model, "unrecognized", { id: "", name: "http", event: "archive", times: 1 }));
  assertEquals([unrecognized.from, unrecognized.drop?.why], ["http", "not recognized"]);
  assertEquals(model.participant("http")?.published, 0);
  const throttled = tell(model, "throttled", { id: "", name: "http", eventsPerSecond: 5 });
  assertEquals(sentence(throttled), "other http: http publishes more than 5 events a second");
});

Deno.test("Model shows other publishers without a connection by their names, but not too many", () => {
  const model = makeModel();
  for (let index = 0; index < 30; index++) take(model, { from: `job-${index}` });
  assertEquals(model.participants.length, 20);
  assertEquals([model.nameOf("job-0"), model.nameOf("job-29")], ["job-0", "job-29"]);
  assertEquals(model.participant("job-0")?.published, 1);
  assertEquals(model.participant("job-29"), undefined);
});

Deno.test("Model does not treat a disconnected client as a publisher without a connection", () => {
  const model = makeModel();
  assertEquals(eventOf(take(model, { from: UNKNOWN_ID })).fromName, "unknown");
  assertEquals(model.participants, []);
});

Deno.test("Model.reconcile returns the jobs that members of groups got, if they get nothing else", () => {
  const model = makeModel({ keep: [">"], syncMs: 0 });
  const counts = { lag: 0, ready: 0, inFlight: 0, delayed: 0, dead: 0 };
  const group = {
    group: "mail",
    patterns: ["order.>", "create"],
    options: { ackMs: 1, tries: 1, dead: null },
    ...counts,
  };
  model.groups = [{ ...group, members: ["name-a", "name-b"] }];
  const listed = (delivered: number) =>
    page(["a", "b", "c"].map((id) => client(id, id === "b" ? ["create"] : [], { delivered })));
  assertEquals([4, 4, 7].map((delivered) => model.reconcile(listed(delivered), 0)), [
    [],
    [],
    [{ to: "a", jobs: 3, pattern: "order.>" }],
  ]);
});
