/**
 * The account of a broker that is killed again and again: what it has promised, by a receipt or an `/ok ack`, beside what
 * its log has in the end and what the members of its groups were given.
 *
 * Each event has a number of its own in its data, so that one that was stored twice, or under another id than its receipt
 * says, is found. A delivery that came before an acknowledgement may be read behind it, on another connection: what tells
 * that a job was delivered again is a greater TRY, or a later life of the broker. First deliveries are compared with those
 * before on the same connection, since nothing says which of two connections was sent a line first.
 */
import { decodeTime } from "@std/ulid";

/** How many sentences are told; the rest is only counted. */
const MAX_TOLD = 50;

/** What must not happen, each with what its line of the table says. */
export const FAULTS = {
  lost: "events with a receipt that are not in the log",
  misreported: "receipts that the log, or the first receipt of the key, contradicts",
  onceTwice: "keys of /once with two events in the log",
  storedTwice: "other events that are twice in the log",
  unsorted: "events of the log that are not in their order",
  ackedAgain: "jobs that came again, or died, behind their /ok ack",
  unsettled: "jobs that are neither acknowledged nor dead, and come no more",
  disordered: "first deliveries that are not in the order of the log",
  unlogged: "jobs of events that the log does not have",
  undead: "dead jobs without their event, or the other way round",
  notDelayed: "delayed events that came too early",
  notPublished: "delayed events with a receipt, not cancelled, that did not come",
  notCancelled: "delayed events that came behind their /ok cancel",
  missed: "events of the log that a live replay has left out, or sent twice",
  unexpected: "other things that should not be",
} as const;

/** Something that must not happen. */
export type Fault = keyof typeof FAULTS;

/** What there was, each with what its line of the table says. */
export const FIGURES = {
  kills: "kills, each followed by a start",
  startKills: "kills of a broker that was starting",
  events: "events sent",
  receipts: "receipts",
  logged: "events in the log",
  keysAgain: "keys of /once sent again",
  duplicates: "of these answered as duplicates",
  delayed: "delayed events with a receipt",
  cancelled: "of these cancelled",
  jobs: "first deliveries of jobs",
  redeliveries: "further deliveries",
  acks: "jobs with an /ok ack",
  refused: "acknowledgements that came too late",
  nacks: "jobs sent back",
  dead: "dead jobs",
  drops: "connections dropped by their clients",
} as const;

/** Something that is counted. */
export type Figure = keyof typeof FIGURES;

/** How an event was sent; `line` is an event line, which gets no receipt. */
export type Verb = "pub" | "once" | "delay" | "line";

/** A group, and the names of the events that are its jobs. */
export interface GroupPlan {
  readonly group: string;
  readonly patterns: readonly string[];
  readonly names: readonly string[];
  /** The name of the event of a dead job. */
  readonly dead: string;
}

/** An event as it is sent. */
export interface Sent {
  readonly verb: Verb;
  readonly name: string;
  readonly data: string;
  /** Identifies the connection: what is published over one is stored in its order. */
  readonly connection: number;
}

/** An event of the log. */
export interface Logged {
  readonly id: string;
  readonly name: string;
  readonly data: string;
}

/** What a group has in the end. */
export interface GroupState {
  readonly group: string;
  readonly dead: number;
}

/** The JSON of a receipt. */
interface Receipt {
  readonly id: string;
  readonly due?: string;
  readonly stored?: boolean;
  readonly duplicate?: boolean;
}

/** What is known of an event. */
interface Entry extends Sent {
  receipt?: Receipt;
  cancel?: "asked" | "done";
  /** Its id in the log. */
  id?: string;
}

/** What is known of a job of a group. */
interface Job {
  /** How many acknowledgements were sent and not refused. */
  asked: number;
  /** The delivery that was acknowledged. */
  done?: Delivery;
}

/** A delivery of a job. */
interface Delivery {
  readonly life: number;
  readonly tries: number;
}

/** The account. */
export class Account {
  readonly faults = emptied(FAULTS);
  readonly figures = emptied(FIGURES);
  readonly #tell: (sentence: string) => void;
  readonly #entries: Entry[] = [];
  readonly #jobs = new Map<string, Map<string, Job>>();
  readonly #followed = new Set<string>();
  #told = 0;

  /** @param tell Called with a sentence on each thing that should not be. */
  constructor(tell: (sentence: string) => void) {
    this.#tell = tell;
  }

  /** Whether all is as it should be. */
  get isClean(): boolean {
    return Object.values(this.faults).every((times) => times === 0);
  }

  /** Notes something that should not be. */
  fault(fault: Fault, sentence: string): void {
    this.faults[fault]++;
    if (++this.#told <= MAX_TOLD) this.#tell(sentence);
    if (this.#told === MAX_TOLD) this.#tell("What follows is counted, and not told");
  }

  /** The number of the next event. */
  get nextNumber(): number {
    return this.#entries.length;
  }

  /** Notes an event that is about to be sent, of the next number. */
  send(sent: Sent): void {
    this.figures.events++;
    this.#entries.push({ ...sent });
  }

  /** Notes the receipt of an event, as JSON. */
  receive(number: number, json: string): void {
    const receipt: Receipt = JSON.parse(json);
    const entry = this.#entries[number];
    if (receipt.duplicate) this.figures.duplicates++;
    const isStored = entry.verb === "delay" ? receipt.due !== undefined : receipt.stored === true;
    if (!isStored) this.fault("unexpected", `The receipt of event ${number} does not say that it is stored: ${json}`);
    if (entry.receipt !== undefined) {
      if (entry.receipt.id !== receipt.id) this.fault("misreported", `The key of event ${number} has two receipts`);
      return;
    }
    entry.receipt = receipt;
    this.figures.receipts++;
    if (entry.verb === "delay") this.figures.delayed++;
  }

  /** Notes that the cancellation of a delayed event is about to be sent. */
  askCancel(number: number): void {
    this.#entries[number].cancel ??= "asked";
  }

  /** Notes what came of that. One that was refused leaves the event to be published, unless another one was not answered. */
  cancel(number: number, isDone: boolean): void {
    const entry = this.#entries[number];
    if (isDone) this.figures.cancelled++;
    entry.cancel = isDone ? "done" : undefined;
  }

  /** Opens the account of a connection that is a member of a group. */
  member({ group }: GroupPlan, life: number): Membership {
    const jobs = this.#jobs.get(group) ?? new Map<string, Job>();
    this.#jobs.set(group, jobs);
    return new Membership(this, group, jobs, life);
  }

  /** Notes an event that came over a live replay. */
  follow(id: string): void {
    if (this.#followed.has(id)) this.fault("missed", `The event ${id} came twice over live replays`);
    this.#followed.add(id);
  }

  /** The numbers of the delayed events that are yet to come, as far as is known from a part of the log. */
  awaited(log: readonly Logged[]): number[] {
    const come = new Set(log.map(({ data }) => numberOf(data)));
    return [...this.#entries.keys()].filter((number) => mustCome(this.#entries[number]) && !come.has(number));
  }

  /**
   * Closes the account.
   *
   * @param log The whole log.
   * @param groups What the groups have.
   * @param plans The groups.
   */
  close(log: readonly Logged[], groups: readonly GroupState[], plans: readonly GroupPlan[]): void {
    this.figures.logged = log.length;
    this.#readLog(log);
    this.#checkEntries();
    for (const plan of plans) this.#checkGroup(plan, log, groups.find(({ group }) => group === plan.group));
    for (const { id } of log) {
      if (!this.#followed.has(id)) this.fault("missed", `The event ${id} did not come over live replays`);
    }
  }

  #readLog(log: readonly Logged[]): void {
    const lastOf = new Map<number, number>();
    let last = "";
    for (const { id, name, data } of log) {
      if (id <= last) this.fault("unsorted", `The log has ${id} behind ${last}`);
      last = id;
      const number = numberOf(data);
      if (number === undefined) continue; // The event of a dead job.
      const entry = this.#entries[number];
      if (entry?.name !== name || entry.data !== data) {
        this.fault("unexpected", `The log has an event that nobody sent: ${id} ${name} ${data.slice(0, 80)}`);
        continue;
      }
      this.#readEntry(number, entry, id);
      if (entry.verb !== "pub" && entry.verb !== "line") continue;
      if (number < (lastOf.get(entry.connection) ?? -1)) {
        this.fault("unsorted", `Event ${number} is in the log behind one that was sent later over its connection`);
      }
      lastOf.set(entry.connection, number);
    }
  }

  #readEntry(number: number, entry: Entry, id: string): void {
    const { verb, receipt } = entry;
    if (entry.id !== undefined) {
      this.fault(verb === "once" ? "onceTwice" : "storedTwice", `Event ${number} (${verb}) is twice in the log`);
      return;
    }
    entry.id = id;
    if (verb !== "delay") {
      if (receipt !== undefined && receipt.id !== id) {
        this.fault("misreported", `The receipt of event ${number} has the id ${receipt.id}, and the log ${id}`);
      }
    } else if (receipt?.due !== undefined && decodeTime(id) < Date.parse(receipt.due)) {
      this.fault("notDelayed", `Event ${number} came before ${receipt.due}`);
    }
  }

  #checkEntries(): void {
    for (const [number, entry] of this.#entries.entries()) {
      const { verb, receipt, id, cancel } = entry;
      if (id !== undefined && cancel === "done") {
        this.fault("notCancelled", `Event ${number} came, though it was cancelled`);
      }
      if (id !== undefined || receipt === undefined) continue;
      if (verb !== "delay") this.fault("lost", `Event ${number} (${verb}, ${receipt.id}) is not in the log`);
      else if (mustCome(entry)) this.fault("notPublished", `Delayed event ${number} did not come`);
    }
  }

  #checkGroup({ group, names, dead }: GroupPlan, log: readonly Logged[], state: GroupState | undefined): void {
    const jobs = this.#jobs.get(group) ?? new Map<string, Job>();
    const died = new Set(log.filter(({ name }) => name === dead).map(({ data }) => String(JSON.parse(data).id)));
    this.figures.dead += died.size;
    if (died.size !== state?.dead) {
      this.fault("undead", `The group ${group} has ${state?.dead} dead jobs, and the log events of ${died.size}`);
    }
    for (const id of died) {
      if (jobs.get(id)?.done !== undefined) {
        this.fault("ackedAgain", `${group}: ${id} died, though it was acknowledged`);
      }
    }
    const own = log.filter(({ name }) => names.includes(name));
    for (const { id } of own) {
      const isSettled = died.has(id) || (jobs.get(id)?.asked ?? 0) > 0;
      if (!isSettled) this.fault("unsettled", `${group}: ${id} is neither acknowledged nor dead`);
    }
    const known = new Set(own.map(({ id }) => id));
    for (const id of jobs.keys()) {
      if (!known.has(id)) this.fault("unlogged", `${group}: the job ${id} is of an event that the log does not have`);
    }
  }
}

/** What one connection was given as the member of a group. */
export class Membership {
  readonly #account: Account;
  readonly #group: string;
  readonly #jobs: Map<string, Job>;
  readonly #life: number;
  /** The last job that came to this connection and had not come to any. */
  #lastFirst = "";

  /** Use {@linkcode Account.member}. */
  constructor(account: Account, group: string, jobs: Map<string, Job>, life: number) {
    this.#account = account;
    this.#group = group;
    this.#jobs = jobs;
    this.#life = life;
  }

  /** Notes a delivery; returns whether the group had never had the job. */
  deliver(id: string, tries: number): boolean {
    const { figures } = this.#account;
    const job = this.#jobs.get(id);
    if (job === undefined) {
      this.#jobs.set(id, { asked: 0 });
      figures.jobs++;
      if (tries === 1) this.#first(id);
      return true;
    }
    figures.redeliveries++;
    const { done } = job;
    const isLater = done !== undefined && (this.#life > done.life || (this.#life === done.life && tries > done.tries));
    if (isLater) this.#account.fault("ackedAgain", `${this.#group}: ${id} came again, though it was acknowledged`);
    return false;
  }

  #first(id: string): void {
    if (id < this.#lastFirst) {
      this.#account.fault("disordered", `${this.#group}: ${id} came for the first time behind ${this.#lastFirst}`);
    }
    this.#lastFirst = id;
  }

  /** Notes that the acknowledgement of a job is about to be sent. */
  askAck(id: string): void {
    this.#jobs.get(id)!.asked++;
  }

  /** Notes what came of that. */
  ack(id: string, tries: number, isDone: boolean): void {
    const job = this.#jobs.get(id)!;
    if (!isDone) {
      job.asked--;
      this.#account.figures.refused++;
      return;
    }
    if (job.done !== undefined) this.#account.fault("ackedAgain", `${this.#group}: ${id} was acknowledged twice`);
    job.done = { life: this.#life, tries };
    this.#account.figures.acks++;
  }
}

/** The number of an event; undefined if it is one of a dead job. */
export function numberOf(data: string): number | undefined {
  const [, digits] = /^\{"n":(\d+)/.exec(data) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

function mustCome({ verb, receipt, cancel }: Entry): boolean {
  return verb === "delay" && receipt !== undefined && cancel === undefined;
}

function emptied<K extends string>(texts: Record<K, string>): Record<K, number> {
  return Object.fromEntries(Object.keys(texts).map((key) => [key, 0])) as Record<K, number>;
}
