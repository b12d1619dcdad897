import { assertEquals, assertRejects } from "@std/assert";
import { MqEvent } from "../../lib/protocol/event.ts";
import { type SubscribeOptions, Subscription } from "../../lib/client/subscription.ts";

const DONE: IteratorReturnResult<undefined> = { value: undefined, done: true };

/** A subscription, and how often it has told that it ended. */
function subscribe(options?: SubscribeOptions): { subscription: Subscription; ends: () => number } {
  let ends = 0;
  return { subscription: new Subscription(Promise.resolve(), () => void ends++, options), ends: () => ends };
}

function push(subscription: Subscription, ...texts: string[]): void {
  for (const text of texts) subscription.push(new MqEvent("create", text));
}

async function rest(subscription: Subscription): Promise<string[]> {
  const texts: string[] = [];
  for await (const { text } of subscription) texts.push(text);
  return texts;
}

Deno.test("Subscription hands out events in the order they were pushed", async () => {
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

Deno.test("Subscription hands out the event itself", async () => {
  const { subscription } = subscribe();
  const event = new MqEvent("create", "1");
  subscription.push(event);
  assertEquals((await subscription.next()).value === event, true);
});

Deno.test("Subscription is its own iterator", () => {
  const { subscription } = subscribe();
  assertEquals(subscription[Symbol.asyncIterator]() === subscription, true);
});

Deno.test("Subscription drops what comes when as much waits as may, and counts it", async () => {
  const { subscription } = subscribe({ maxWaiting: 2 });
  push(subscription, "1", "2", "3", "4");
  assertEquals(subscription.dropped, 2);
  subscription.finish();
  assertEquals(await rest(subscription), ["1", "2"]);
});

Deno.test("Subscription drops what comes when as many bytes wait as may, and counts it", async () => {
  const { subscription } = subscribe({ maxWaitingBytes: 250 }); // Each of these events counts as 107.
  push(subscription, "1", "2", "3");
  assertEquals(subscription.dropped, 1);
  await subscription.next();
  push(subscription, "4", "5");
  assertEquals(subscription.dropped, 2);
  subscription.finish();
  assertEquals(await rest(subscription), ["2", "4"]);
});

Deno.test("Subscription takes an event that is larger than all that may wait, where nothing waits", async () => {
  const { subscription } = subscribe({ maxWaitingBytes: 1 });
  push(subscription, "1", "2");
  await subscription.next();
  push(subscription, "3");
  subscription.finish();
  assertEquals([await rest(subscription), subscription.dropped], [["3"], 1]);
});

Deno.test("Subscription has room again for each event that is taken", async () => {
  const { subscription } = subscribe({ maxWaiting: 1 });
  push(subscription, "1");
  await subscription.next();
  push(subscription, "2", "3");
  assertEquals([(await subscription.next()).value.text, subscription.dropped], ["2", 1]);
});

Deno.test("Subscription does not count an event as waiting that a next() waits for", async () => {
  const { subscription } = subscribe({ maxWaiting: 1 });
  const first = subscription.next();
  push(subscription, "1", "2");
  assertEquals([(await first).value.text, (await subscription.next()).value.text], ["1", "2"]);
  assertEquals(subscription.dropped, 0);
});

Deno.test("Subscription lets 100,000 events wait by default", () => {
  const { subscription } = subscribe();
  const event = new MqEvent("create", "");
  for (let count = 0; count < 100_003; count++) subscription.push(event);
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

Deno.test("Subscription.return throws away what waits", async () => {
  const { subscription, ends } = subscribe();
  push(subscription, "1", "2");
  assertEquals(await subscription.return(), DONE);
  assertEquals([await subscription.next(), ends()], [DONE, 1]);
});

Deno.test("Subscription.return ends a next() that waits", async () => {
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

Deno.test("Subscription.finish lets what waits be taken", async () => {
  const { subscription, ends } = subscribe();
  push(subscription, "1", "2");
  subscription.finish();
  assertEquals([ends(), await rest(subscription)], [1, ["1", "2"]]);
});

Deno.test("Subscription.finish ends a next() that waits", async () => {
  const { subscription } = subscribe();
  const next = subscription.next();
  subscription.finish();
  assertEquals(await next, DONE);
});

Deno.test("Subscription takes no notice of what is pushed after its end", async () => {
  const { subscription } = subscribe();
  subscription.finish();
  push(subscription, "1");
  assertEquals([await rest(subscription), subscription.dropped], [[], 0]);
});

Deno.test("Subscription tells of its end once", async () => {
  const controller = new AbortController();
  const { subscription, ends } = subscribe({ signal: controller.signal });
  subscription.finish();
  subscription.finish();
  controller.abort();
  await subscription.return();
  assertEquals(ends(), 1);
});

Deno.test("Subscription ends when its signal is aborted, and lets what waits be taken", async () => {
  const controller = new AbortController();
  const { subscription, ends } = subscribe({ signal: controller.signal });
  push(subscription, "1");
  controller.abort();
  push(subscription, "2");
  assertEquals([ends(), await rest(subscription)], [1, ["1"]]);
});

Deno.test("Subscription with a signal aborted before has ended", async () => {
  const { subscription, ends } = subscribe({ signal: AbortSignal.abort() });
  assertEquals([ends(), await subscription.next()], [1, DONE]);
});

Deno.test("Subscription.ready is the promise it was made with", () => {
  const ready = Promise.resolve();
  assertEquals(new Subscription(ready, () => {}).ready === ready, true);
});
