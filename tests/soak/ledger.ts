/**
 * The accounts of a trial: what became of each event that was published, who heard it, and who should have.
 *
 * Nothing here depends on a clock. The measure is the broker's own order: each event it accepts gets an id that grows
 * from event to event and stands both in the receipt and in what listeners get (6.1 of docs/protocol.md), and what is sent
 * on one connection is sent in the order in which it came about (4.6). So a listener that publishes a mark with a receipt
 * behind its `/sub` knows the id from which on it must hear everything, and one that publishes a mark before it leaves
 * knows up to which id it must have heard everything by the time the receipt comes. Between two marks, what was accepted
 * and was not heard is lost.
 *
 * The accounts are closed at each end of the broker, when all connections have noticed it, and forgotten. Whoever was
 * listening then must have heard everything from its mark on. There is one excuse: a broker that was killed may take
 * the end of what it was sending with it. So what is missing behind the last event that a listener heard on a connection
 * broken by a kill is counted apart, as lost in a kill; what is missing before that event is lost.
 */
import type { Receipt } from "../../mod.ts";

/** How many sentences are told; the rest is only counted. */
const MAX_TOLD = 100;

/** Smaller and greater than every id. */
const [NO_ID, EVER] = ["", "~"];

/** What became of an event, as far as its publisher knows. With `unconfirmed` the connection broke before it was told. */
export type Outcome = "accepted" | "refused" | "unconfirmed" | "notSent";

/** What is counted. */
export type Counts = Record<
  Outcome | "sent" | "delivered" | "duplicated" | "lost" | "lostInKill" | "unexplained" | "restarts",
  number
>;

/** What is known of one event. */
interface Entry {
  outcome?: Outcome;
  /** Its id, from whoever told first: its receipt or a listener. */
  id?: string;
  name?: string;
  receivers: number;
  heardBy: number;
}

/** An event as a listener got it. */
export interface Heard {
  readonly id: string;
  readonly name: string;
  readonly publisher: number;
  /** Unlike the id it is known before the event is sent. Those of one publisher grow. */
  readonly number: number;
}

/** From which id to which a listener must hear everything. */
export interface Span {
  after: string;
  before: string;
}

/** What one connection of a listener heard from one start of the broker to its end. */
export class Hearing {
  readonly #ledger: Ledger;
  readonly #listener: string;
  readonly #names: ReadonlySet<string>;
  readonly #spans: Span[] = [];
  readonly #heard = new Set<number>();
  readonly #lastOf = new Map<number, number>();
  #lastId = NO_ID;

  constructor(ledger: Ledger, listener: string, names: ReadonlySet<string>) {
    this.#ledger = ledger;
    this.#listener = listener;
    this.#names = names;
  }

  /** A span in which nothing must be heard as long as nothing is said of its ends. */
  open(): Span {
    const span = { after: EVER, before: EVER };
    this.#spans.push(span);
    return span;
  }

  /** To be called with each event that comes. */
  hear(event: Heard): void {
    const { id, name, publisher, number } = event;
    this.#ledger.counts.delivered++;
    if (this.#heard.has(number)) return this.#ledger.duplicated(`${this.#listener} heard event ${number} twice`);
    this.#ledger.noteHeard(event);
    const isInOrder = id > this.#lastId && number > (this.#lastOf.get(publisher) ?? 0);
    if (!isInOrder) this.#ledger.unexplained(`${this.#listener} heard event ${number} behind a later one`);
    if (!this.#names.has(name)) this.#ledger.unexplained(`${this.#listener} heard ${name}, which it did not ask for`);
    this.#heard.add(number);
    this.#lastOf.set(publisher, number);
    this.#lastId = id;
  }

  /** Whether an accepted event was not heard that should have been. */
  misses(number: number, { id = NO_ID, name = "" }: Entry): boolean {
    return !this.#heard.has(number) && this.#names.has(name) && this.#spanOf(id) !== undefined;
  }

  /** Says that an event was not heard. */
  tellMissing(number: number, { id = NO_ID }: Entry, wasKilled: boolean): void {
    const wasListening = this.#spanOf(id)?.before === EVER;
    if (wasKilled && wasListening && id > this.#lastId) this.#ledger.counts.lostInKill++;
    else this.#ledger.lost(`${this.#listener} did not hear event ${number} (${id})`);
  }

  #spanOf(id: string): Span | undefined {
    return this.#spans.find(({ after, before }) => after < id && id < before);
  }
}

/** The accounts. */
export class Ledger {
  readonly counts: Counts = {
    sent: 0,
    accepted: 0,
    refused: 0,
    unconfirmed: 0,
    notSent: 0,
    delivered: 0,
    duplicated: 0,
    lost: 0,
    lostInKill: 0,
    unexplained: 0,
    restarts: 0,
  };
  readonly #tell: (sentence: string) => void;
  readonly #entries = new Map<number, Entry>();
  #hearings: Hearing[] = [];
  #told = 0;

  /** @param tell Called with a sentence on each thing that should not be. */
  constructor(tell: (sentence: string) => void) {
    this.#tell = tell;
  }

  /** How many events have neither been answered nor rejected. */
  get pending(): number {
    const { sent, accepted, refused, unconfirmed, notSent } = this.counts;
    return sent - accepted - refused - unconfirmed - notSent;
  }

  /** Whether all is as it should be. */
  get isClean(): boolean {
    const { lost, duplicated, unexplained } = this.counts;
    return lost + duplicated + unexplained === 0 && this.pending === 0;
  }

  /** Counts an event that is being published; returns its number. */
  send(): number {
    return ++this.counts.sent;
  }

  /** Notes the receipt of an event. */
  accept(number: number, name: string, { id, receivers }: Receipt): void {
    this.settle(number, "accepted");
    Object.assign(this.#entryOf(number, id, name), { receivers });
  }

  /** Notes what became of an event. */
  settle(number: number, outcome: Outcome): void {
    const entry = this.#entry(number);
    if (entry.outcome !== undefined) this.unexplained(`Event ${number} was ${entry.outcome} and then ${outcome}`);
    entry.outcome = outcome;
    this.counts[outcome]++;
  }

  /** Opens the account of a connection that hears some names. */
  hearing(listener: string, names: ReadonlySet<string>): Hearing {
    const hearing = new Hearing(this, listener, names);
    this.#hearings.push(hearing);
    return hearing;
  }

  /** Notes that somebody heard an event. */
  noteHeard({ id, name, number }: Heard): void {
    this.#entryOf(number, id, name).heardBy++;
  }

  /** Closes the accounts. To be called when the broker has ended and all connections have noticed it. */
  close(signal: Deno.Signal): void {
    const accepted = [...this.#entries].filter(([, { outcome }]) => outcome === "accepted");
    for (const hearing of this.#hearings) {
      const missing = accepted.filter(([number, entry]) => hearing.misses(number, entry));
      for (const [number, entry] of missing) hearing.tellMissing(number, entry, signal === "SIGKILL");
    }
    for (const [number, entry] of this.#entries) this.#checkHearers(number, entry, signal);
    this.#entries.clear();
    this.#hearings = [];
  }

  duplicated(sentence: string): void {
    this.counts.duplicated++;
    this.#say(sentence);
  }

  lost(sentence: string): void {
    this.counts.lost++;
    this.#say(sentence);
  }

  /** Notes anything else that should not be. */
  unexplained(sentence: string): void {
    this.counts.unexplained++;
    this.#say(sentence);
  }

  #entry(number: number): Entry {
    const known = this.#entries.get(number);
    if (known) return known;
    const entry: Entry = { receivers: 0, heardBy: 0 };
    this.#entries.set(number, entry);
    return entry;
  }

  /** The entry of an event that somebody says was published under an id and a name: all must say the same. */
  #entryOf(number: number, id: string, name: string): Entry {
    const entry = this.#entry(number);
    entry.id ??= id;
    entry.name ??= name;
    if (entry.id !== id) this.unexplained(`Event ${number} has two ids, ${entry.id} and ${id}`);
    if (entry.name !== name) this.unexplained(`Event ${number} has two names, ${entry.name} and ${name}`);
    return entry;
  }

  /** A broker that drains has answered all that it published (6.3), so only a kill leaves what is unconfirmed heard. */
  #checkHearers(number: number, { outcome, receivers, heardBy }: Entry, signal: Deno.Signal): void {
    const mayBeHeard = outcome === "accepted"
      ? receivers
      : outcome === "unconfirmed" && signal === "SIGKILL"
      ? Infinity
      : 0;
    if (heardBy <= mayBeHeard) return;
    const what = outcome === "accepted" ? `sent to ${receivers}` : outcome ?? "published by nobody";
    this.unexplained(`Event ${number} was ${what}, but ${heardBy} heard it`);
  }

  #say(sentence: string): void {
    if (++this.#told <= MAX_TOLD) this.#tell(sentence);
    if (this.#told === MAX_TOLD) this.#tell("What follows is counted, but not told");
  }
}
