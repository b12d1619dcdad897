import { assert, assertEquals } from "@std/assert";
import type { ClientInfo } from "../../lib/protocol/responses.ts";
import { DEFAULT_LIMITS } from "../../lib/protocol/limits.ts";
import { type Happening, Model } from "../../web/model.ts";

const ID = "01ARYZ6S41TSV4RRFFQ69G5FAV";

function begin(): Model {
  const events = ["create", "order.>"];
  return new Model({ id: "self", server: "mq/0.5.0", version: 1, limits: DEFAULT_LIMITS, events });
}

function client(id: string, patterns: string[], more: Partial<ClientInfo> = {}): ClientInfo {
  const counts = { published: 0, delivered: 0, queuedBytes: 0, dropped: 0 };
  const address = "127.0.0.1:50000";
  const connectedAt = "2026-01-01T00:00:00.000Z";
  return { id, name: `name-${id}`, address, connectedAt, patterns, ...counts, classic: null, observe: null, ...more };
}

/** The broker tells of its own life. */
function tell(model: Model, event: string, data: Record<string, unknown>): Happening | undefined {
  return model.take(ID, "mq", `mq.${event}`, JSON.stringify(data));
}

function hearers(model: Model, name: string): string[] {
  return model.hearers(name).map(({ id, pattern }) => `${id} by ${pattern}`);
}

Deno.test("Model follows a connection through its life", () => {
  const model = begin();
  const joined = tell(model, "connect", { id: "a", name: "client-1", address: "127.0.0.1:50000" });
  assertEquals(joined, { kind: "joined", id: "a", text: "client-1 connected" });
  assertEquals(hearers(model, "create"), ["a by >"]);
  tell(model, "hello", { id: "a", name: "shop", was: "client-1" });
  tell(model, "subscribe", { id: "a", name: "shop", patterns: ["order.*"] });
  assertEquals([hearers(model, "create"), hearers(model, "order.paid")], [[], ["a by order.*"]]);
  assertEquals(model.nameOf("a"), "shop");
  const left = tell(model, "disconnect", { id: "a", name: "shop", reason: "reset" });
  assertEquals([left?.kind, left?.kind === "left" && left.text], ["left", "shop broke off"]);
  assertEquals([model.participants, hearers(model, "order.paid")], [[], []]);
});

Deno.test("Model does not count those who only watch among those who hear", () => {
  const model = begin();
  model.reconcile([client("self", [">", "mq.>"]), client("page", [">"], { observe: 60 }), client("a", [">"])]);
  assertEquals(hearers(model, "create"), ["a by >"]);
  assertEquals(model.participants.map(({ id }) => id), ["a"]);
  assertEquals(model.watchers.map(({ id }) => id), ["self", "page"]);
  assertEquals([model.participant("a")?.id, model.participant("page"), model.participant("?")], [
    "a",
    undefined,
    undefined,
  ]);
});

Deno.test("Model is put right by the answer to /clients", () => {
  const model = begin();
  tell(model, "connect", { id: "gone", name: "client-1", address: "127.0.0.1:1" });
  model.reconcile([client("a", ["create"])]);
  assertEquals(hearers(model, "create"), ["a by create"]);
  const known = model.hearers("create");
  model.reconcile([client("a", ["create"], { published: 7 })]);
  assert(model.hearers("create") === known, "who hears what has not changed");
  model.reconcile([client("a", ["order.*"])]);
  assertEquals(hearers(model, "create"), []);
});

Deno.test("Model tells an event with its sender's name and its hearers at that time", () => {
  const model = begin();
  model.reconcile([client("a", []), client("b", ["create"])]);
  const happening = model.take(ID, "a", "create", '{"id":1}');
  model.reconcile([]);
  assert(happening?.kind === "event");
  assertEquals(happening.seen, {
    id: ID,
    from: "a",
    name: "create",
    text: '{"id":1}',
    fromName: "name-a",
    hearers: [{ id: "b", name: "name-b", pattern: "create" }],
  });
  assertEquals(model.nameOf("self"), "this page");
  assertEquals(model.nameOf("nobody"), "unknown");
});

Deno.test("Model says of an unrecognized event what would admit it", () => {
  const happening = tell(begin(), "unrecognized", { id: "a", name: "shop", event: "archive", times: 1 });
  assert(happening?.kind === "event");
  const { name, hearers, drop } = happening.seen;
  assertEquals([name, hearers, drop?.why], ["archive", [], "not recognized"]);
  assertEquals(drop?.help, "To admit it, start the broker with: mq server --events 'create,order.>,archive'");
});

Deno.test("Model says of a refused event why, in the broker's words", () => {
  const text = "Cannot take order.paid: its data must be object";
  const happening = tell(begin(), "refused", { id: "a", name: "shop", code: "invalid-data", text, times: 1 });
  assert(happening?.kind === "event");
  assertEquals([happening.seen.name, happening.seen.drop?.why], ["order.paid", "refused: invalid-data"]);
  assertEquals(happening.seen.drop?.text, `${text}.`);
});

Deno.test("Model tells of a connection that was turned away, though it was never there", () => {
  const data = { id: "", name: "mq", code: "too-many-connections", text: "This broker has no room", times: 1 };
  assertEquals(tell(begin(), "refused", data), {
    kind: "other",
    id: "",
    text: "A connection was refused: This broker has no room",
  });
});

Deno.test("Model calls a connection slow until nothing waits for it any more", () => {
  const model = begin();
  const slow = (queuedBytes: number) => {
    model.reconcile([client("a", [">"], { queuedBytes })]);
    return model.programs.get("a")!.isSlow;
  };
  assertEquals([slow(0), slow(1000)], [false, false]);
  tell(model, "slow", { id: "a", name: "a", patterns: [">"], queuedBytes: 16_777_216, policy: "drop" });
  assert(model.programs.get("a")!.isSlow);
  assertEquals([slow(1000), slow(0), slow(1000)], [true, false, false]);
  assertEquals([slow(DEFAULT_LIMITS.outboxBytes / 2), slow(1), slow(0)], [true, true, false]);
});

Deno.test("Model bears events of the broker that it does not know", () => {
  assertEquals(tell(begin(), "future", { id: "a" }), undefined);
});

Deno.test("Model knows names that JavaScript knows", () => {
  const model = begin();
  model.reconcile([client("__proto__", ["constructor"])]);
  assertEquals(hearers(model, "constructor"), ["__proto__ by constructor"]);
});
