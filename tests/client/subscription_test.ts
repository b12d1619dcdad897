import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ConnectionError, ProtocolError } from "../../lib/protocol/errors.ts";
import { MqEvent } from "../../lib/protocol/event.ts";
import { BufferedSubscription, type SubscribeOptions } from "../../lib/client/subscription.ts";

const DONE: IteratorReturnResult<undefined> = { value: undefined, done: true };

/** A subscription, how often it has told that it ended, and what else it has told. */
function subscribe(options: SubscribeOptions = {}): {
  subscription: BufferedSubscription;
  ends: () => number;
  told: string[];
} {
  let ends = 0;
  const told: string[] = [];
  const subscription = new BufferedSubscription(["create"], options, {
    onEnd: () => void ends++,
    onIdle: () => {},
    onRefused: ({ code }) => void told.push(code),
    onSlow: ({ waiting, dropped }) => void told.push(`slow ${waiting} ${dropped}`),
    onMissed: () => void told.push("missed"),
    onError: (error) => void told.push(String(error)),
    onDrain: () => Promise.resolve(void told.push("drain")),
  });
  return { subscription, ends: () => ends, told };
}

function push(subscription: BufferedSubscription, ...texts: string[]): void {
  for (const text of texts) subscription.onEvent(new MqEvent("create", text));
}

/** Handlers that take as long as a test wants: each call is one, with the text of its event. */
class Handling {
  readonly texts: string[] = [];
  readonly #ends: (() => void)[] = [];

  readonly handler = ({ text }: MqEvent): Promise<void> => {
    this.texts.push(text);
    return new Promise((resolve) => this.#ends.push(resolve));
  };

  /** Ends the call that began first, and lets what follows from that happen. */
  async end(): Promise<void> {
    this.#ends.shift()!();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

async function rest(subscription: BufferedSubscription): Promise<string[]> {
  const texts: string[] = [];
  for await (const { text } of subscription) texts.push(text);
  return texts;
}

Deno.test("Subscription yields events in the order in which they were pushed", async () => {
  const { subscription } = subscribe();
  push(subscription, "1", "2", "3");
  subscription.finish();
  assertEquals(await rest(subscription), ["1", "2", "3"]);
});

Deno.test("Subscription.next waits for the next event", async () => {
  const { subscription } = subscribe();
  const [first, second] = [subscription.next(), subscription.next()];
  push(subscription, "1", "2");
  assertEquals([(await first).value.text, (await second).value.text], ["1", "2"]);
});

Deno.test("Subscription yields the event itself, not a copy", async () => {
  const { subscription } = subscribe();
  const event = new MqEvent("create", "1");
  subscription.onEvent(event);
  assertEquals((await subscription.next()).value === event, true);
});

Deno.test("Subscription is its own iterator", () => {
  const { subscription } = subscribe();
  assertEquals(subscription[Symbol.asyncIterator]() === subscription, true);
});

Deno.test("Subscription drops new events at the limit of queued events, and counts them", async () => {
  const { subscription } = subscribe({ maxWaiting: 2 });
  push(subscription, "1", "2", "3", "4");
  assertEquals(subscription.dropped, 2);
  subscription.finish();
  assertEquals(await rest(subscription), ["1", "2"]);
});

Deno.test("Subscription drops new events at the limit of queued bytes, and counts them", async () => {
  const { subscription } = subscribe({ maxWaitingBytes: 250 }); // Each of these events counts as 107.
  push(subscription, "1", "2", "3");
  assertEquals(subscription.dropped, 1);
  await subscription.next();
  push(subscription, "4", "5");
  assertEquals(subscription.dropped, 2);
  subscription.finish();
  assertEquals(await rest(subscription), ["2", "4"]);
});

Deno.test("Subscription accepts an event larger than the limit if its queue is empty", async () => {
  const { subscription } = subscribe({ maxWaitingBytes: 1 });
  push(subscription, "1", "2");
  await subscription.next();
  push(subscription, "3");
  subscription.finish();
  assertEquals([await rest(subscription), subscription.dropped], [["3"], 1]);
});

Deno.test("Subscription has room for another event after each one taken", async () => {
  const { subscription } = subscribe({ maxWaiting: 1 });
  push(subscription, "1");
  await subscription.next();
  push(subscription, "2", "3");
  assertEquals([(await subscription.next()).value.text, subscription.dropped], ["2", 1]);
});

Deno.test("Subscription does not count an event for a pending next() as queued", async () => {
  const { subscription } = subscribe({ maxWaiting: 1 });
  const first = subscription.next();
  push(subscription, "1", "2");
  assertEquals([(await first).value.text, (await subscription.next()).value.text], ["1", "2"]);
  assertEquals(subscription.dropped, 0);
});

Deno.test("Subscription queues up to 100,000 events by default", () => {
  const { subscription } = subscribe();
  const event = new MqEvent("create", "");
  for (let count = 0; count < 100_003; count++) subscription.onEvent(event);
  assertEquals(subscription.dropped, 3);
});

Deno.test("Subscription ends when the loop over it is left", async () => {
  const { subscription, ends } = subscribe();
  push(subscription, "1", "2");
  for await (const _ of subscription) break;
  assertEquals([ends(), await subscription.next()], [1, DONE]);
});

Deno.test("Subscription ends when the loop over it throws", async () => {
  const { subscription, ends } = subscribe();
  push(subscription, "1");
  await assertRejects(async () => {
    for await (const { text } of subscription) throw new Error(text);
  });
  assertEquals(ends(), 1);
});

Deno.test("Subscription.return discards queued events", async () => {
  const { subscription, ends } = subscribe();
  push(subscription, "1", "2");
  assertEquals(await subscription.return(), DONE);
  assertEquals([await subscription.next(), ends()], [DONE, 1]);
});

Deno.test("Subscription.return ends a pending next()", async () => {
  const { subscription } = subscribe();
  const next = subscription.next();
  await subscription.return();
  assertEquals(await next, DONE);
});

Deno.test("Subscription.return can be called again", async () => {
  const { subscription, ends } = subscribe();
  await subscription.return();
  assertEquals([await subscription.return(), ends()], [DONE, 1]);
});

Deno.test("Subscription ends at the end of its scope", async () => {
  const { subscription, ends } = subscribe();
  {
    await using scoped = subscription;
    push(scoped, "1");
  }
  assertEquals([ends(), await subscription.next()], [1, DONE]);
});

Deno.test("Subscription.finish leaves queued events to be read", async () => {
  const { subscription, ends } = subscribe();
  push(subscription, "1", "2");
  subscription.finish();
  assertEquals([ends(), await rest(subscription)], [1, ["1", "2"]]);
});

Deno.test("Subscription.finish ends a pending next()", async () => {
  const { subscription } = subscribe();
  const next = subscription.next();
  subscription.finish();
  assertEquals(await next, DONE);
});

Deno.test("Subscription ignores what is pushed after its end", async () => {
  const { subscription } = subscribe();
  subscription.finish();
  push(subscription, "1");
  assertEquals([await rest(subscription), subscription.dropped], [[], 0]);
});

Deno.test("Subscription reports its end once", async () => {
  const controller = new AbortController();
  const { subscription, ends } = subscribe({ signal: controller.signal });
  subscription.finish();
  subscription.finish();
  controller.abort();
  await subscription.return();
  assertEquals(ends(), 1);
});

Deno.test("Subscription ends when its signal is aborted, and leaves queued events to be read", async () => {
  const controller = new AbortController();
  const { subscription, ends } = subscribe({ signal: controller.signal });
  push(subscription, "1");
  controller.abort();
  push(subscription, "2");
  assertEquals([ends(), await rest(subscription)], [1, ["1"]]);
});

Deno.test("Subscription with an already aborted signal has ended", async () => {
  const { subscription, ends } = subscribe({ signal: AbortSignal.abort() });
  assertEquals([ends(), await subscription.next()], [1, DONE]);
});

Deno.test("Subscription.ready resolves once the broker has confirmed it, and rejects if it ends before", async () => {
  const [ready, ended] = [subscribe().subscription, subscribe().subscription];
  ready.onReady();
  await ready.ready;
  ended.finish();
  assertEquals((await assertRejects(() => ended.ready, ConnectionError)).code, "closed");
});

Deno.test("Subscription reports a full queue once, and again after half of it was read", async () => {
  const { subscription, told } = subscribe({ maxWaiting: 4 });
  push(subscription, "1", "2", "3", "4", "5", "6");
  await subscription.next();
  push(subscription, "7", "8");
  assertEquals([told, subscription.waiting, subscription.dropped], [["slow 4 1"], 4, 3]);
  for (let taken = 0; taken < 2; taken++) await subscription.next();
  push(subscription, "9", "10", "11");
  assertEquals(told, ["slow 4 1", "slow 4 4"]);
});

Deno.test("Subscription calls its handler at once, with one event after another", async () => {
  const handling = new Handling();
  const { subscription } = subscribe({ handler: handling.handler });
  push(subscription, "1", "2", "3");
  assertEquals([handling.texts, subscription.waiting], [["1"], 2]);
  await handling.end();
  assertEquals(handling.texts, ["1", "2"]);
  await handling.end();
  await handling.end();
  push(subscription, "4");
  assertEquals(handling.texts, ["1", "2", "3", "4"]);
});

Deno.test("Subscription calls a handler that returns no promise for each event at once", () => {
  const texts: string[] = [];
  const { subscription } = subscribe({ handler: ({ text }) => texts.push(text), maxWaiting: 1 });
  push(subscription, "1", "2", "3");
  assertEquals([texts, subscription.dropped], [["1", "2", "3"], 0]);
});

Deno.test("Subscription calls its handler for at most as many events at a time as its concurrency", async () => {
  const handling = new Handling();
  const { subscription } = subscribe({ handler: handling.handler, concurrency: 2 });
  push(subscription, "1", "2", "3", "4");
  assertEquals(handling.texts, ["1", "2"]);
  await handling.end();
  assertEquals(handling.texts, ["1", "2", "3"]);
});

Deno.test("Subscription drops events beyond its concurrency and its queue", () => {
  const handling = new Handling();
  const { subscription, told } = subscribe({ handler: handling.handler, maxWaiting: 2 });
  push(subscription, "1", "2", "3", "4", "5");
  assertEquals([subscription.waiting, subscription.dropped, told], [2, 2, ["slow 2 1"]]);
});

Deno.test("Subscription reports what its handler throws or rejects with, and continues", async () => {
  const { subscription, told } = subscribe({
    handler: ({ text }) => {
      if (text === "thrown") throw new RangeError(text);
      return Promise.reject(new RangeError(text));
    },
  });
  push(subscription, "thrown", "rejected", "again");
  await subscription.drain();
  assertEquals(told, ["RangeError: thrown", "drain", "RangeError: rejected", "RangeError: again"]);
});

Deno.test("Subscription with a handler reports that the broker refuses it", () => {
  const refusal = new ProtocolError("forbidden", "No");
  const [handled, iterated] = [subscribe({ handler: () => {} }), subscribe()];
  for (const { subscription } of [handled, iterated]) subscription.onRefused(refusal);
  assertEquals([handled.told, iterated.told], [["forbidden"], []]);
});

Deno.test("Subscription with a handler cannot be iterated", async () => {
  const { subscription } = subscribe({ handler: () => {} });
  await assertRejects(() => subscription.next(), TypeError, "has a handler");
});

Deno.test("Subscription.drain waits until its handler has handled the queued events", async () => {
  const handling = new Handling();
  const { subscription, ends, told } = subscribe({ handler: handling.handler });
  push(subscription, "1", "2");
  let isDrained = false;
  const drained = subscription.drain().then(() => isDrained = true);
  await handling.end();
  assertEquals([isDrained, ends(), told], [false, 1, ["drain"]]);
  push(subscription, "3");
  await handling.end();
  await drained;
  assertEquals(handling.texts, ["1", "2"]);
});

Deno.test("Subscription.drain without a handler does not wait for queued events to be read", async () => {
  const { subscription } = subscribe();
  push(subscription, "1", "2");
  await Promise.all([subscription.drain(), subscription.drain()]);
  assertEquals(await rest(subscription), ["1", "2"]);
});

Deno.test("Subscription with a handler drains at the end of its scope", async () => {
  const texts: string[] = [];
  const { subscription, told } = subscribe({
    handler: async ({ text }) => {
      await null;
      texts.push(text);
    },
  });
  {
    await using scoped = subscription;
    push(scoped, "1", "2");
  }
  assertEquals([texts, told], [["1", "2"], ["drain"]]);
});

Deno.test("Subscription.unsubscribe discards events that its handler has not started", async () => {
  const handling = new Handling();
  const { subscription } = subscribe({ handler: handling.handler });
  push(subscription, "1", "2");
  subscription.unsubscribe();
  await handling.end();
  await subscription.drain();
  assertEquals(handling.texts, ["1"]);
});

Deno.test("Subscription of a closed client no longer calls its handler, but a loop reads queued events", async () => {
  const handling = new Handling();
  const [handled, iterated] = [subscribe({ handler: handling.handler }).subscription, subscribe().subscription];
  for (const subscription of [handled, iterated]) {
    push(subscription, "1", "2");
    subscription.onClosed(new ConnectionError("closed", "The client was closed"));
  }
  await handling.end();
  assertEquals([handling.texts, await rest(iterated)], [["1"], ["1", "2"]]);
});

Deno.test("Subscription refuses invalid limits", () => {
  for (const options of [{ maxWaiting: 0 }, { maxWaitingBytes: NaN }, { concurrency: -1 }]) {
    assertThrows(() => subscribe(options), RangeError, "it takes 1 or more");
  }
});
