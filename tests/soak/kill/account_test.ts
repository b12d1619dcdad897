/** The account of a broker that is killed: each fault is found, and is found to be what it is. */
import { assertEquals } from "@std/assert";
import { ulid } from "@std/ulid";
import { Account, type GroupPlan, type Logged, type Membership, type Verb } from "./account.ts";

const PLAN: GroupPlan = { group: "mail", patterns: ["order.*"], names: ["order.paid"], dead: "dead.mail" };

const TIME_MS = 1_800_000_000_000;

/** The ids of some events of the log, all of that time. */
const [ONE, TWO, THREE, OTHER] = ["1", "2", "3", "4"].map((digit) =>
  ulid(TIME_MS).slice(0, 10) + digit.padStart(16, "0")
);

/** An account, the log beside which it is closed, and the names of the faults that it finds. */
class Books {
  readonly account = new Account(() => {});
  readonly log: Logged[] = [];
  dead = 0;

  /** Sends the next event; returns its number. */
  send(verb: Verb = "pub", name = "other.seen", connection = 1): number {
    const number = this.account.nextNumber;
    this.account.send({ verb, name, data: dataOf(number), connection });
    return number;
  }

  /** Sends the next event, with a receipt. */
  confirm(id: string, verb: Verb = "pub", name = "other.seen"): number {
    const number = this.send(verb, name);
    this.receive(number, id);
    return number;
  }

  receive(number: number, id: string): void {
    this.account.receive(number, JSON.stringify({ id, receivers: 0, stored: true }));
  }

  /** Sends a delayed event, with a receipt. */
  delay(dueMs = TIME_MS): number {
    const number = this.send("delay");
    this.account.receive(number, JSON.stringify({ id: OTHER, due: new Date(dueMs).toISOString() }));
    return number;
  }

  /** Has the log contain an event, and a live replay follow it. */
  store(id: string, number: number, name = "other.seen"): this {
    this.log.push({ id, name, data: dataOf(number) });
    this.account.follow(id);
    return this;
  }

  /** Has the log contain the event of a dead job. */
  storeDead(id: string, job: string): this {
    this.log.push({ id, name: PLAN.dead, data: JSON.stringify({ group: PLAN.group, id: job }) });
    this.account.follow(id);
    return this;
  }

  /** Has the log contain a job of the group. */
  job(id: string): void {
    this.store(id, this.confirm(id, "pub", "order.paid"), "order.paid");
  }

  close(): Record<string, number> {
    this.account.close(this.log, [{ group: PLAN.group, dead: this.dead }], [PLAN]);
    return Object.fromEntries(Object.entries(this.account.faults).filter(([, times]) => times > 0));
  }
}

function dataOf(number: number): string {
  return `{"n":${number},"pad":""}`;
}

function done(member: Membership, id: string, tries = 1): void {
  member.deliver(id, tries);
  member.askAck(id);
  member.ack(id, tries, true);
}

/** What happens, and what faults it is. */
const CASES: Record<string, [act: (books: Books) => void, faults: Record<string, number>]> = {
  "an event with a receipt that is stored": [(books) => books.store(ONE, books.confirm(ONE)), {}],
  "an event without a receipt that is not stored": [(books) => books.send(), {}],
  "an event line that is stored": [(books) => books.store(ONE, books.send("line")), {}],
  "an event with a receipt that is not stored": [(books) => books.confirm(ONE), { lost: 1 }],
  "an event that is stored under another id": [(books) => books.store(TWO, books.confirm(ONE)), { misreported: 1 }],
  "a key with two receipts": [(books) => {
    const number = books.confirm(ONE, "once");
    books.store(ONE, number).receive(number, TWO);
  }, { misreported: 1 }],
  "a key with the same receipt twice": [(books) => {
    const number = books.confirm(ONE, "once");
    books.store(ONE, number).receive(number, ONE);
  }, {}],
  "a key with two events": [(books) => {
    const number = books.confirm(ONE, "once");
    books.store(ONE, number).store(TWO, number);
  }, { onceTwice: 1 }],
  "an event that is stored twice": [(books) => {
    const number = books.confirm(ONE);
    books.store(ONE, number).store(TWO, number);
  }, { storedTwice: 1 }],
  "a receipt that does not say that the event is stored": [(books) => {
    const number = books.send();
    books.account.receive(number, JSON.stringify({ id: ONE, receivers: 1 }));
    books.store(ONE, number);
  }, { unexpected: 1 }],
  "an event that nobody sent": [(books) => books.store(ONE, 0), { unexpected: 1 }],
  "ids that are not in order": [(books) => {
    const numbers = [books.confirm(TWO), books.confirm(ONE)];
    books.store(TWO, numbers[0]).store(ONE, numbers[1]);
  }, { unsorted: 1 }],
  "events that are not in the order of their connection": [(books) => {
    const numbers = [books.confirm(TWO), books.confirm(ONE)];
    books.store(ONE, numbers[1]).store(TWO, numbers[0]);
  }, { unsorted: 1 }],
  "events of two connections in another order": [(books) => {
    const numbers = [books.send("pub", "other.seen", 1), books.send("pub", "other.seen", 2)];
    books.store(ONE, numbers[1]).store(TWO, numbers[0]);
  }, {}],
  "a delayed event that comes": [(books) => books.store(ONE, books.delay()), {}],
  "a delayed event that does not come": [(books) => books.delay(), { notPublished: 1 }],
  "a delayed event that comes too early": [(books) => books.store(ONE, books.delay(TIME_MS + 1)), { notDelayed: 1 }],
  "a delayed event that is cancelled": [(books) => {
    const number = books.delay();
    books.account.askCancel(number);
    books.account.cancel(number, true);
  }, {}],
  "a delayed event that comes though it is cancelled": [(books) => {
    const number = books.delay();
    books.account.askCancel(number);
    books.account.cancel(number, true);
    books.store(ONE, number);
  }, { notCancelled: 1 }],
  "a delayed event whose cancellation is not answered": [(books) => books.account.askCancel(books.delay()), {}],
  "a delayed event whose cancellation is refused": [(books) => {
    const number = books.delay();
    books.account.askCancel(number);
    books.account.cancel(number, false);
  }, { notPublished: 1 }],
  "an event that a live replay leaves out": [(books) => {
    const number = books.confirm(ONE);
    books.log.push({ id: ONE, name: "other.seen", data: dataOf(number) });
  }, { missed: 1 }],
  "an event that live replays send twice": [(books) => {
    books.store(ONE, books.confirm(ONE)).account.follow(ONE);
  }, { missed: 1 }],
  "a job that is acknowledged": [(books) => {
    books.job(ONE);
    done(books.account.member(PLAN, 1), ONE);
  }, {}],
  "a job that nobody gets": [(books) => books.job(ONE), { unsettled: 1 }],
  "a job that is not acknowledged": [(books) => {
    books.job(ONE);
    books.account.member(PLAN, 1).deliver(ONE, 1);
  }, { unsettled: 1 }],
  "a job whose acknowledgement is not answered": [(books) => {
    books.job(ONE);
    const member = books.account.member(PLAN, 1);
    member.deliver(ONE, 1);
    member.askAck(ONE);
  }, {}],
  "a job whose acknowledgement is refused": [(books) => {
    books.job(ONE);
    const member = books.account.member(PLAN, 1);
    member.deliver(ONE, 1);
    member.askAck(ONE);
    member.ack(ONE, 1, false);
  }, { unsettled: 1 }],
  "a job that is dead": [(books) => {
    books.job(ONE);
    books.account.member(PLAN, 1).deliver(ONE, 1);
    books.storeDead(TWO, ONE).dead = 1;
  }, {}],
  "a dead job without its event": [(books) => {
    books.job(ONE);
    done(books.account.member(PLAN, 1), ONE);
    books.dead = 1;
  }, { undead: 1 }],
  "a job that dies behind its /ok ack": [(books) => {
    books.job(ONE);
    done(books.account.member(PLAN, 1), ONE);
    books.storeDead(TWO, ONE).dead = 1;
  }, { ackedAgain: 1 }],
  "a job that comes again behind its /ok ack": [(books) => {
    books.job(ONE);
    done(books.account.member(PLAN, 1), ONE);
    books.account.member(PLAN, 1).deliver(ONE, 2);
  }, { ackedAgain: 1 }],
  "a job that comes again in another life behind its /ok ack": [(books) => {
    books.job(ONE);
    done(books.account.member(PLAN, 1), ONE, 2);
    books.account.member(PLAN, 2).deliver(ONE, 1);
  }, { ackedAgain: 1 }],
  "a delivery that is read behind the /ok ack of a later one": [(books) => {
    books.job(ONE);
    done(books.account.member(PLAN, 1), ONE, 2);
    books.account.member(PLAN, 1).deliver(ONE, 1);
  }, {}],
  "first deliveries that are not in order": [(books) => {
    books.job(ONE);
    books.job(TWO);
    const member = books.account.member(PLAN, 1);
    done(member, TWO);
    done(member, ONE);
  }, { disordered: 1 }],
  "deliveries in another order over two connections, or again": [(books) => {
    books.job(ONE);
    books.job(TWO);
    books.job(THREE);
    const [member, other] = [1, 1].map((life) => books.account.member(PLAN, life));
    done(member, TWO);
    done(other, ONE);
    other.deliver(THREE, 1);
    done(member, THREE, 2);
  }, {}],
  "a job of an event that is not stored": [(books) => {
    done(books.account.member(PLAN, 1), ONE);
  }, { unlogged: 1 }],
};

for (const [what, [act, faults]] of Object.entries(CASES)) {
  const [fault = "no fault"] = Object.keys(faults);
  Deno.test(`${what}: ${fault}`, () => {
    const books = new Books();
    act(books);
    assertEquals(books.close(), faults);
    assertEquals(books.account.isClean, Object.keys(faults).length === 0);
  });
}

Deno.test("awaited lists the delayed events that have not come", () => {
  const books = new Books();
  const numbers = [books.delay(), books.delay(), books.confirm(TWO)];
  books.store(ONE, numbers[0]);
  assertEquals(books.account.awaited(books.log), [numbers[1]]);
});
