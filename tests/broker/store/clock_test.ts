/** What a clock that is set changes for keys and delayed events: nothing but what follows from the time that it shows. */
import { assertEquals } from "@std/assert";
import { Delays, type DelaysOptions } from "../../../lib/broker/delays.ts";
import { KEY_MS, Keys } from "../../../lib/broker/once.ts";
import type { StoredEvent } from "../../../lib/store/record.ts";
import type { DelayedEvent } from "../../../lib/store/store.ts";
import { until } from "../../helpers.ts";

/** Which of some keys are known. */
function known(keys: Keys, ...texts: string[]): string {
  return texts.filter((text) => keys.find(text, () => {})).join();
}

Deno.test("Keys are forgotten when their time is over, though the clock was set back before", () => {
  let clock = 5000;
  const stored = [["old", 900_000 - KEY_MS + 1000], ["future", 900_000 + 3_600_000]] as const; // An hour ahead of now.
  const rows = stored.map(([key, at]) => ({ key, at, receipt: "{}" }));
  const keys = new Keys(rows, 900_000, () => clock);
  keys.begin("new")("{}", undefined);
  assertEquals(known(keys, "old", "future", "new"), "old,future,new");
  clock += 1000;
  assertEquals(known(keys, "old", "future", "new"), "future,new");
  clock += KEY_MS - 1000;
  assertEquals(known(keys, "old", "future", "new"), "");
});

Deno.test("Delays publish an event at its time, though the clock was set forward while they waited for another", async () => {
  const realNow = Date.now;
  let ahead = 0;
  Date.now = () => realNow() + ahead;
  const event = (id: string, due: number): DelayedEvent => ({ id, due, record: `${id} shop n` });
  const waiting = [event("1".repeat(26), Date.now() + 40_000)];
  const published: string[] = [];
  const store = {
    due: () => {
      const events = waiting.filter(({ due }) => due <= Date.now());
      return Promise.resolve({ events, nextDue: waiting.find(({ due }) => due > Date.now())?.due });
    },
  };
  const journal = {
    check: () => {},
    isFull: false,
    carryOut: ({ id }: { id: string }) => {
      waiting.splice(waiting.findIndex((event) => event.id === id), 1);
      return Promise.resolve(true);
    },
  };
  const publish = ({ id }: StoredEvent) => void published.push(id[0]);
  const delays = new Delays({ store, journal, publish } as unknown as DelaysOptions);
  try {
    await new Promise((resolve) => setTimeout(resolve, 20)); // It has looked, and waits for 40 s.
    ahead = 3_600_000;
    waiting.push(event("2".repeat(26), Date.now() + 10));
    delays.added(waiting[1].due);
    await until(() => published.includes("2"), "the event is published");
  } finally {
    delays.close();
    Date.now = realNow;
  }
});
