/** The accounts of a trial: each thing that can go wrong is found, and is found to be what it is. */
import { assertEquals } from "@std/assert";
import { type Counts, type Hearing, Ledger } from "./ledger.ts";

const NAMES = new Set(["red", "green"]);

/** The accounts of one listener, and what was told of them. Ids are as the numbers of the events. */
class Books {
  readonly told: string[] = [];
  readonly ledger = new Ledger((sentence) => this.told.push(sentence));
  readonly hearing: Hearing = this.ledger.hearing("ear", NAMES);

  /** Publishes events, each heard by one. */
  publish(count: number, name = "red"): this {
    for (let index = 0; index < count; index++) {
      const number = this.ledger.send();
      this.ledger.accept(number, name, { id: idOf(number), receivers: 1 });
    }
    return this;
  }

  hear(...numbers: number[]): this {
    for (const number of numbers) this.hearing.hear({ id: idOf(number), name: "red", publisher: 1, number });
    return this;
  }

  listen(after: number, before = Infinity): this {
    const span = this.hearing.open();
    span.after = idOf(after);
    if (before < Infinity) span.before = idOf(before);
    return this;
  }

  close(signal: Deno.Signal): Partial<Counts> {
    this.ledger.close(signal);
    const { lost, lostInKill, duplicated, unexplained } = this.ledger.counts;
    const bad = Object.entries({ lost, lostInKill, duplicated, unexplained }).filter(([, count]) => count > 0);
    assertEquals(this.ledger.isClean, lost + duplicated + unexplained === 0);
    return Object.fromEntries(bad);
  }
}

function idOf(number: number): string {
  return String(number).padStart(3, "0");
}

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  Deno.test(`a complete delivery is clean after ${signal}`, () => {
    assertEquals(new Books().publish(3).listen(0).hear(1, 2, 3).close(signal), {});
  });

  Deno.test(`events accepted before and after a subscription are not lost after ${signal}`, () => {
    assertEquals(new Books().publish(5).listen(1, 4).hear(2, 3).close(signal), {});
  });

  Deno.test(`a gap is lost after ${signal}, even if a later event was received`, () => {
    const books = new Books().publish(3).listen(0).hear(1, 3);
    assertEquals(books.close(signal), { lost: 1 });
    assertEquals(books.told, ["ear did not hear event 2 (002)"]);
  });

  Deno.test(`events missing before a listener left are lost after ${signal}, even if it returned`, () => {
    assertEquals(new Books().publish(3).listen(0, 3).listen(3).hear(1).close(signal), { lost: 1 });
  });

  Deno.test(`an event received twice is a duplicate after ${signal}`, () => {
    assertEquals(new Books().publish(2).listen(0).hear(1, 2, 1).close(signal), { duplicated: 1 });
  });

  Deno.test(`a wrong order is unexplained after ${signal}`, () => {
    assertEquals(new Books().publish(3).listen(0).hear(1, 3, 2).close(signal), { unexplained: 1 });
  });

  Deno.test(`an event that nobody published is unexplained after ${signal}`, () => {
    const books = new Books().publish(1).listen(0).hear(1, 9);
    assertEquals(books.close(signal), { unexplained: 1 });
    assertEquals(books.told, ["Event 9 was published by nobody, but 1 heard it"]);
  });

  Deno.test(`an event that was refused and received is unexplained after ${signal}`, () => {
    const books = new Books();
    books.ledger.settle(books.ledger.send(), "refused");
    assertEquals(books.hear(1).close(signal), { unexplained: 1 });
  });
}

Deno.test("missing events at the end are lost if the broker drained, and lost in the kill if it was killed", () => {
  assertEquals(new Books().publish(5).listen(0).hear(1, 2).close("SIGTERM"), { lost: 3 });
  assertEquals(new Books().publish(5).listen(0).hear(1, 2).close("SIGKILL"), { lostInKill: 3 });
});

Deno.test("an unconfirmed event may be received if the broker was killed, not if it drained", () => {
  for (const [signal, found] of [["SIGKILL", {}], ["SIGTERM", { unexplained: 1 }]] as const) {
    const books = new Books();
    books.ledger.settle(books.ledger.send(), "unconfirmed");
    assertEquals(books.listen(0).hear(1).close(signal), found);
  }
});

Deno.test("an event with too many receivers, two ids or two names is unexplained", () => {
  const books = new Books().publish(3).hear(1, 3);
  const [red, green] = [1, 2].map(() => books.ledger.hearing("other", NAMES));
  red.hear({ id: "001", name: "red", publisher: 1, number: 1 });
  red.hear({ id: "004", name: "red", publisher: 1, number: 2 });
  green.hear({ id: "003", name: "green", publisher: 1, number: 3 });
  books.ledger.close("SIGKILL");
  assertEquals(books.told, [
    "Event 2 has two ids, 002 and 004",
    "Event 3 has two names, red and green",
    "Event 1 was sent to 1, but 2 heard it",
    "Event 3 was sent to 1, but 2 heard it",
  ]);
});

Deno.test("an event outside the subscription is unexplained if received, and not lost if not received", () => {
  const books = new Books().publish(1, "blue").listen(0);
  assertEquals(books.close("SIGTERM"), {});
  books.hearing.hear({ id: "002", name: "blue", publisher: 1, number: 2 });
  assertEquals(books.told[0], "ear heard blue, which it did not ask for");
});

Deno.test("an event without an outcome keeps the ledger from being clean", () => {
  const { ledger } = new Books();
  ledger.send();
  assertEquals([ledger.pending, ledger.isClean], [1, false]);
});
