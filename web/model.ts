/**
 * What the page knows of a broker and its connections. The broker's own events change it at once, and the answers to
 * `/clients` put it right. Everything here is pure.
 *
 * @module
 */
import type { BrokerStats, ClientInfo, Hello } from "../lib/protocol/responses.ts";
import { BROKER_NAME } from "../lib/protocol/lines.ts";
import { Pattern } from "../lib/protocol/pattern.ts";
import { RESERVED_PREFIX } from "../lib/protocol/event.ts";
import { formatBytes, hearing, leaving } from "./words.ts";

/** From this share of what may wait for a connection on, it is called slow. */
const SLOW_SHARE = 0.5;
/** How many names' hearers are kept. */
const MAX_ROUTES = 500;

/** A connection. */
export interface Program extends ClientInfo {
  /** Since when it has been told to be a slow consumer; until little waits for it again. */
  isSlow: boolean;
}

/** Somebody who hears an event. */
export interface Hearer {
  readonly id: string;
  readonly name: string;
  readonly pattern: string;
}

/** Why an event went to nobody, and what would help. */
export interface Drop {
  readonly why: string;
  readonly help: string;
  readonly text: string;
}

/** An event that the page has been shown. */
export interface Seen {
  readonly id: string;
  readonly name: string;
  readonly text: string;
  readonly from: string;
  readonly fromName: string;
  readonly hearers: readonly Hearer[];
  readonly drop?: Drop;
}

/** What a line has told. */
export type Happening =
  | { readonly kind: "event"; readonly seen: Seen }
  | { readonly kind: "joined" | "other"; readonly id: string; readonly text: string }
  | { readonly kind: "left"; readonly id: string; readonly text: string; readonly program: Program };

/** The data of the broker's own events. */
type Told = { id: string; name: string } & Record<string, unknown>;

/** A broker and its connections. */
export class Model {
  readonly hello: Hello;
  readonly programs: Map<string, Program> = new Map();
  stats: BrokerStats | undefined;
  readonly #patterns = new Map<string, Pattern>();
  #routes = new Map<string, Hearer[]>();

  /** Begins with what the broker says of itself. */
  constructor(hello: Hello) {
    this.hello = hello;
  }

  /** The connections that only watch. */
  get watchers(): Program[] {
    return this.#those((program) => this.watches(program));
  }

  /** All others, the oldest first. */
  get participants(): Program[] {
    return this.#those((program) => !this.watches(program));
  }

  /** A connection, if it is there and does not only watch. */
  participant(id: string): Program | undefined {
    const program = this.programs.get(id);
    return program === undefined || this.watches(program) ? undefined : program;
  }

  /** Whether a connection only watches. */
  watches({ id, observe }: Program): boolean {
    return observe !== null || id === this.hello.id;
  }

  #those(wanted: (program: Program) => boolean): Program[] {
    return [...this.programs.values()].filter(wanted);
  }

  /** What a sender is called. */
  nameOf(id: string): string {
    return id === this.hello.id ? "this page" : this.programs.get(id)?.name ?? (id === BROKER_NAME ? "mq" : "unknown");
  }

  /** How much of what may wait for a connection does wait: 0 to 1. */
  shareOf({ queuedBytes }: Program): number {
    return Math.min(1, queuedBytes / this.hello.limits.outboxBytes);
  }

  /** Takes in the answer to `/clients`. */
  reconcile(clients: readonly ClientInfo[]): void {
    const before = new Map(this.programs);
    this.programs.clear();
    for (const client of clients) {
      const known = before.get(client.id);
      const program = { ...client, isSlow: known?.isSlow ?? false };
      program.isSlow = this.shareOf(program) >= SLOW_SHARE || (program.isSlow && program.queuedBytes > 0);
      this.programs.set(client.id, program);
      if (known === undefined || !hearsTheSame(known, client)) this.#routes.clear();
      before.delete(client.id);
    }
    if (before.size > 0) this.#routes.clear();
  }

  /** Takes in an event: `from` is the id of the sender's connection. */
  take(id: string, from: string, name: string, text: string): Happening | undefined {
    if (from === BROKER_NAME && name.startsWith(RESERVED_PREFIX)) return this.#told(id, name, text);
    return this.#event({ id, from, name, text, hearers: this.hearers(name) });
  }

  /** Who hears events of a name, and by which pattern. */
  hearers(name: string): readonly Hearer[] {
    let hearers = this.#routes.get(name);
    if (hearers === undefined) {
      hearers = this.participants.flatMap(({ id, name: who, patterns }) => {
        const pattern = patterns.find((text) => this.#pattern(text).matches(name));
        return pattern === undefined ? [] : [{ id, name: who, pattern }];
      });
      if (this.#routes.size >= MAX_ROUTES) this.#routes.clear();
      this.#routes.set(name, hearers);
    }
    return hearers;
  }

  #pattern(text: string): Pattern {
    let pattern = this.#patterns.get(text);
    if (pattern === undefined) {
      if (this.#patterns.size >= MAX_ROUTES) this.#patterns.clear();
      this.#patterns.set(text, pattern = new Pattern(text));
    }
    return pattern;
  }

  #event(event: Omit<Seen, "fromName">): Happening {
    return { kind: "event", seen: { ...event, fromName: this.nameOf(event.from) } };
  }

  #told(id: string, name: string, text: string): Happening | undefined {
    const data = JSON.parse(text) as Told;
    const other = (sentence: string): Happening => ({ kind: "other", id: data.id ?? "", text: sentence });
    const program = this.programs.get(data.id);
    switch (name) {
      case "mq.connect":
        return this.#joined(data);
      case "mq.hello":
        return this.#introduced(data, program);
      case "mq.subscribe":
        if (program !== undefined) program.patterns = data.patterns as string[];
        this.#routes.clear();
        return other(`${data.name} hears ${hearing(data.patterns as string[])} now`);
      case "mq.disconnect":
        return this.#left(data, program);
      case "mq.unrecognized":
        return this.#event({
          id,
          from: data.id,
          name: String(data.event),
          text: "",
          hearers: [],
          drop: this.#unknown(data),
        });
      case "mq.refused":
        return data.id === "" ? other(`A connection was refused: ${data.text}`) : this.#refused(id, data);
      case "mq.slow":
        if (program !== undefined) Object.assign(program, { isSlow: true, queuedBytes: data.queuedBytes });
        return other(`${data.name} is too slow: ${formatBytes(Number(data.queuedBytes))} wait for it`);
      case "mq.dropped":
        return other(`${data.name} has missed ${data.events === undefined ? "something" : `${data.events} events`}`);
      case "mq.throttled":
        return other(`${data.name} sends faster than the ${data.eventsPerSecond} events a second that it may`);
      case "mq.drain":
        return other("The broker goes down");
    }
  }

  #joined({ id, name, address, classic = null }: Told): Happening {
    const counts = { published: 0, delivered: 0, queuedBytes: 0, dropped: 0 };
    const connectedAt = new Date().toISOString();
    const info = { id, name, address, connectedAt, patterns: [">"], classic, observe: null, ...counts } as ClientInfo;
    this.programs.set(id, { ...info, isSlow: false });
    this.#routes.clear();
    return { kind: "joined", id, text: `${name} connected` };
  }

  #introduced({ id, name, was, observe = null }: Told, program: Program | undefined): Happening | undefined {
    if (program !== undefined) Object.assign(program, { name, observe });
    this.#routes.clear();
    return was === name ? undefined : { kind: "other", id, text: `${was} is ${name} now` };
  }

  #left({ id, name, reason }: Told, program: Program | undefined): Happening | undefined {
    this.programs.delete(id);
    this.#routes.clear();
    return program && { kind: "left", id, text: `${name} ${leaving(String(reason))}`, program };
  }

  #unknown({ event }: Told): Drop {
    const events = [...this.hello.events, event].join(",");
    return {
      why: "not recognized",
      text: `The broker recognizes ${this.hello.events.join(", ")}: nobody gets ${event}.`,
      help: `To admit it, start the broker with: mq server --events '${events}'`,
    };
  }

  #refused(id: string, data: Told): Happening {
    const drop = {
      why: `refused: ${data.code}`,
      text: `${data.text}.`,
      help: "The sender has to mend it: nobody gets it.",
    };
    // What an event was called is known only by the sentence that refuses it.
    const name = /^Cannot take (\S+): /.exec(String(data.text))?.[1] ?? String(data.code);
    return this.#event({ id, from: data.id, name, text: "", hearers: [], drop });
  }
}

function hearsTheSame(a: ClientInfo, b: ClientInfo): boolean {
  return a.name === b.name && a.observe === b.observe && a.patterns.length === b.patterns.length &&
    a.patterns.every((pattern, index) => pattern === b.patterns[index]);
}
