/** A publisher of a trial: numbered events of all kinds, in bursts, most of them with a receipt. */
import type { Random } from "../random.ts";
import { pause } from "../trial.ts";
import type { Verb } from "./account.ts";
import { NAMES, type Stage } from "./stage.ts";
import type { Wire } from "./wire.ts";

/** How many events a burst has at most, and how long the pause behind it is at most, in milliseconds. */
const [BURST_EVENTS, PAUSE_MS] = [20, 30];

/** How many receipts it waits for at most before the next burst. */
const MAX_PENDING = 40;

/** In a hundred events, how many of each verb there are. */
const VERBS: readonly (readonly [Verb, number])[] = [["pub", 63], ["once", 20], ["delay", 12], ["line", 5]];

/** The shortest and the longest delay, in milliseconds. */
const DELAYS_MS = [20, 2500] as const;

/** Of the delayed events with a receipt, one in so many is cancelled. */
const CANCELLED_ONCE_IN = 3;

/** One burst in so many is followed by the end of the connection. */
const DROPPED_ONCE_IN = 60;

/** How many keys are remembered to be sent again behind a reconnection, though they have a receipt, and how many of them are. */
const [KNOWN_KEYS, KNOWN_KEYS_AGAIN] = [20, 3];

/** The bytes of padding of an event, by its number; now and then comes a large one, of several pages of the database. */
const PADDING_BYTES = [0, 30, 100, 1000];
const [LARGE_ONCE_IN, LARGE_BYTES] = [300, 50_000];

/** The number of the next connection. */
let connections = 0;

/** An event with a key, which may be sent again. */
interface Keyed {
  readonly number: number;
  readonly event: string;
}

/** A delayed event that is to be cancelled. */
interface Cancellation {
  readonly number: number;
  readonly id: string;
  readonly at: number;
}

/** A publisher. */
export class Publisher {
  readonly #stage: Stage;
  readonly #random: Random;
  /** The events with a key that have no receipt yet. */
  readonly #unconfirmed = new Map<number, Keyed>();
  /** The last ones that have one. */
  #confirmed: Keyed[] = [];
  #cancellations: Cancellation[] = [];
  #pending = 0;

  /**
   * @param stage The trial.
   * @param random Makes its choices.
   */
  constructor(stage: Stage, random: Random) {
    this.#stage = stage;
    this.#random = random;
  }

  /** Publishes until the trial is calm, and then until each key has a receipt. */
  async run(): Promise<void> {
    while (!this.#isDone) {
      const wire = await this.#stage.connect((line) => this.#unexpected(line));
      if (wire === undefined) return;
      await this.#publishOver(wire, ++connections);
      if (!wire.hasEnded) wire.drop();
      await wire.ended;
    }
  }

  get #isDone(): boolean {
    return this.#stage.isOver || (this.#stage.isCalm && this.#unconfirmed.size === 0);
  }

  async #publishOver(wire: Wire, connection: number): Promise<void> {
    const known = this.#confirmed.slice(-this.#random.between(0, KNOWN_KEYS_AGAIN));
    for (const keyed of [...this.#unconfirmed.values(), ...known]) {
      this.#stage.account.figures.keysAgain++;
      this.#sendKeyed(wire, keyed);
    }
    while (!wire.hasEnded && !this.#stage.isCalm) {
      for (let left = this.#random.between(1, BURST_EVENTS); left > 0; left--) this.#publish(wire, connection);
      this.#cancelSome(wire);
      if (this.#random.onceIn(DROPPED_ONCE_IN)) return this.#drop(wire);
      do await pause(this.#random.between(0, PAUSE_MS)); while (this.#pending > MAX_PENDING && !wire.hasEnded);
    }
    while (this.#pending > 0 && !wire.hasEnded) await pause(1);
  }

  #drop(wire: Wire): void {
    this.#stage.account.figures.drops++;
    wire.drop();
  }

  #publish(wire: Wire, connection: number): void {
    const { account } = this.#stage;
    const number = account.nextNumber;
    const [verb, name, data] = [this.#chooseVerb(), this.#random.oneOf(NAMES), dataOf(number)];
    account.send({ verb, name, data, connection });
    const event = `${name} ${data}`;
    if (verb === "line") wire.send(event);
    else if (verb === "pub") void this.#ask(wire, number, `/pub ${number} ${event}`);
    else if (verb === "delay") void this.#delay(wire, number, event);
    else this.#sendKeyed(wire, { number, event });
  }

  #chooseVerb(): Verb {
    let choice = this.#random.between(1, 100);
    return VERBS.find(([, share]) => (choice -= share) <= 0)![0];
  }

  /** Sends a line; returns the JSON of its receipt, or undefined if the connection ends first. */
  async #ask(wire: Wire, number: number, line: string): Promise<string | undefined> {
    this.#pending++;
    const response = await wire.ask(String(number), line);
    this.#pending--;
    if (response === undefined) return undefined;
    const start = `/ok ${number} `;
    if (!response.startsWith(start)) return void this.#unexpected(response);
    const receipt = response.slice(start.length);
    this.#stage.account.receive(number, receipt);
    return receipt;
  }

  async #sendKeyed(wire: Wire, keyed: Keyed): Promise<void> {
    const { number, event } = keyed;
    this.#unconfirmed.set(number, keyed);
    const receipt = await this.#ask(wire, number, `/once ${number} key-${number} ${event}`);
    if (receipt === undefined) return;
    this.#unconfirmed.delete(number);
    this.#confirmed = [...this.#confirmed, keyed].slice(-KNOWN_KEYS);
  }

  async #delay(wire: Wire, number: number, event: string): Promise<void> {
    const ms = this.#random.between(...DELAYS_MS);
    const isToBeCancelled = this.#random.onceIn(CANCELLED_ONCE_IN);
    const at = Date.now() + this.#random.between(0, Math.round(ms * 1.2)); // Sometimes too late.
    const receipt = await this.#ask(wire, number, `/delay ${number} ${ms}ms ${event}`);
    if (receipt === undefined || !isToBeCancelled) return;
    this.#cancellations.push({ number, id: JSON.parse(receipt).id, at });
  }

  /** Cancels what is to be cancelled by now: it may have been delayed over another connection, in another life of the broker. */
  #cancelSome(wire: Wire): void {
    const now = Date.now();
    const due = this.#cancellations.filter(({ at }) => at <= now);
    this.#cancellations = this.#cancellations.filter(({ at }) => at > now);
    for (const cancellation of due) void this.#cancel(wire, cancellation);
  }

  async #cancel(wire: Wire, { number, id }: Cancellation): Promise<void> {
    const { account } = this.#stage;
    account.askCancel(number);
    const response = await wire.ask("cancel", `/cancel ${id}`);
    if (response === undefined) return;
    const isDone = response === "/ok cancel";
    if (!isDone && !response.startsWith("/err cancel not-found ")) this.#unexpected(response);
    account.cancel(number, isDone);
  }

  #unexpected(line: string): void {
    this.#stage.account.fault("unexpected", `A publisher was sent: ${line.slice(0, 200)}`);
  }
}

function dataOf(number: number): string {
  const bytes = number % LARGE_ONCE_IN === LARGE_ONCE_IN - 1 ? LARGE_BYTES : PADDING_BYTES[number % 4];
  return `{"n":${number},"pad":"${"x".repeat(bytes)}"}`;
}
