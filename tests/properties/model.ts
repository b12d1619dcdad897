/**
 * A broker as docs/protocol.md has it, without sockets and turns: each line that it takes is added at once to what those
 * get who are to get it. What no model can know, such as ids and sentences for people, it leaves out.
 *
 * @module
 */
import type { HelloArguments } from "../../lib/protocol/lines.ts";
import type { Token } from "../../lib/protocol/tokens.ts";
import { isName, isPattern, matches } from "./reference.ts";

/** A client of a {@linkcode ModelBroker}. */
export class ModelClient {
  name: string;
  /** What it may do; undefined until it is let in. */
  scope: Token["scope"] | undefined;
  /** What it hears, in the order in which it asked for it. */
  patterns: string[] = [];
  hasSubscribed = false;
  meta = false;
  echo = true;
  speaksControl = false;
  /** Set once the broker has ended the connection. */
  isOut = false;
  published = 0;
  delivered = 0;
  /** The lines that it gets. */
  readonly received: string[] = [];
  /** How often it was refused for what. */
  readonly refusals = new Map<string, number>();

  constructor(name: string) {
    this.name = name;
  }

  letIn(scope: Token["scope"]): void {
    this.scope = scope;
    this.patterns = scope === "publish" ? [] : [">"];
  }

  /** The first of its patterns that matches. */
  patternFor(name: string): string | undefined {
    return this.patterns.find((pattern) => matches(pattern, name));
  }
}

/** Why a line is refused. */
class Refusal {
  readonly code: string;

  constructor(code: string) {
    this.code = code;
  }
}

/** What a {@linkcode ModelBroker} recognizes, how many patterns it allows a client, and which tokens let one in. */
export interface ModelOptions {
  events: readonly string[];
  maxPatterns: number;
  tokens: readonly Token[];
}

/** A model of a broker. */
export class ModelBroker {
  readonly clients = new Set<ModelClient>();
  readonly counts = { published: 0, delivered: 0, unrecognized: 0, refused: 0 };
  readonly #options: ModelOptions;
  readonly #verbs = new Map<string, (client: ModelClient, words: string[]) => string>([
    ["hello", (client, [json]) => this.#hello(client, json)],
    ["sub", (client, patterns) => this.#subscribe(client, patterns)],
    ["unsub", (client, patterns) => this.#unsubscribe(client, patterns)],
    ["pub", (client, [ref, ...event]) => `/ok ${ref} ${JSON.stringify(this.#publish(client, event.join(" ")))}`],
    ["ping", (_client, text) => ["/pong", ...text].join(" ")],
    ["why", (_client, [name]) => `/ok why ${JSON.stringify(this.#why(name))}`],
  ]);
  #accepted = 0;

  constructor(options: ModelOptions) {
    this.#options = options;
  }

  connect(): ModelClient {
    const client = new ModelClient(`client-${++this.#accepted}`);
    if (this.#options.tokens.length === 0) client.letIn("all");
    this.clients.add(client);
    this.#announce("mq.connect", { name: client.name });
    return client;
  }

  /** A client closes its side, perhaps in the middle of a line. */
  disconnect(client: ModelClient, halfLine: string): void {
    if (halfLine !== "") this.#refuse(client, "-", "unfinished-line");
    this.#remove(client, "closed");
  }

  /** Takes a line of one word or more with single spaces between them. */
  take(client: ModelClient, line: string): void {
    if (client.isOut) return;
    const [first, ...words] = line.split(" ");
    if (client.scope === undefined && first !== "/hello") return this.#refuse(client, "hello", "unauthorized");
    if (!first.startsWith("/")) {
      return this.#attempt(client, "-", () => void this.#publish(client, line), first);
    }
    client.speaksControl = true;
    if (first === "/quit") return this.#end(client, "quit", "/bye");
    const what = first === "/pub" ? words[0] : first.slice(1);
    const event = first === "/pub" ? words[1] : undefined;
    this.#attempt(client, what, () => this.#carryOut(client, first.slice(1), words), event);
  }

  #attempt(client: ModelClient, what: string, carryOut: () => string | void, event?: string): void {
    try {
      const answer = carryOut();
      if (answer !== undefined) client.received.push(answer);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#refuse(client, what, error.code, event);
    }
  }

  #carryOut(client: ModelClient, verb: string, words: string[]): string {
    const carryOut = this.#verbs.get(verb);
    if (!carryOut) throw new Refusal("bad-verb");
    return carryOut(client, words);
  }

  #refuse(client: ModelClient, what: string, code: string, event = ""): void {
    if (code !== "unrecognized") {
      this.counts.refused++;
      const about = isName(event) ? { code, event } : { code };
      this.#announce("mq.refused", { name: client.name, ...about, times: countRefusal(client, code) });
    }
    const answer = `/err ${what} ${code}`;
    const isAnswered = client.speaksControl && (code !== "unrecognized" || what !== "-");
    if (code === "unauthorized") this.#end(client, code, answer);
    else if (isAnswered) client.received.push(answer);
  }

  #hello(client: ModelClient, json: string): string {
    const { name: was } = client;
    const { name = was, meta = client.meta, echo = client.echo, token } = parseHello(json);
    if (client.scope === undefined) client.letIn(this.#authorize(token));
    Object.assign(client, { name, meta, echo });
    this.#announce("mq.hello", { name, was }, client);
    return '/ok hello {"id":"?","hops":255,"inbox":"_INBOX"}';
  }

  #authorize(token: string | undefined): Token["scope"] {
    const known = this.#options.tokens.find((known) => known.token === token);
    if (known === undefined) throw new Refusal("unauthorized");
    return known.scope;
  }

  #subscribe(client: ModelClient, patterns: string[]): string {
    if (client.scope === "publish") throw new Refusal("forbidden");
    if (!patterns.every(isPattern)) throw new Refusal("bad-pattern");
    const previous = client.patterns;
    const before = client.hasSubscribed ? previous : [];
    const after = [...new Set([...before, ...patterns])];
    if (after.length > this.#options.maxPatterns) throw new Refusal("too-many-patterns");
    const isChange = !client.hasSubscribed || after.length > before.length;
    Object.assign(client, { patterns: after, hasSubscribed: true });
    const missing = (from: string[], others: string[]) => from.filter((pattern) => !others.includes(pattern));
    if (isChange) this.#announceChange(client, missing(after, previous), missing(previous, after));
    return "/ok sub";
  }

  #unsubscribe(client: ModelClient, patterns: string[]): string {
    if (!patterns.every(isPattern)) throw new Refusal("bad-pattern");
    const isKnown = (pattern: string) => pattern === ">" || client.patterns.includes(pattern);
    if (!patterns.every(isKnown)) throw new Refusal("not-subscribed");
    const isLeft = (pattern: string) => !patterns.includes(">") && !patterns.includes(pattern);
    const previous = client.patterns;
    Object.assign(client, { patterns: previous.filter(isLeft), hasSubscribed: true });
    this.#announceChange(client, [], patterns.includes(">") ? previous : [...new Set(patterns)]);
    return "/ok unsub";
  }

  #announceChange(client: ModelClient, added: string[], removed: string[]): void {
    this.#announce("mq.subscribe", { name: client.name, added, removed, total: client.patterns.length }, client);
  }

  /** Publishes an event; what stands for its id is the event itself. */
  #publish(client: ModelClient, line: string): { id: string; receivers: number } {
    const [name] = line.split(" ");
    if (client.scope === "listen") throw new Refusal("forbidden");
    if (!isName(name)) throw new Refusal("bad-name");
    if (name.startsWith("mq.")) throw new Refusal("reserved-name");
    if (this.#recognizer(name) === undefined) {
      this.counts.unrecognized++;
      this.#announce("mq.unrecognized", { name: client.name, event: name, times: countRefusal(client, name) });
      throw new Refusal("unrecognized");
    }
    client.published++;
    this.counts.published++;
    return { id: line, receivers: this.#tell(line, line, client.name, client.echo ? undefined : client) };
  }

  #why(name: string): unknown {
    if (!isName(name)) throw new Refusal("bad-name");
    const by = this.#recognizer(name) ?? (name.startsWith("mq.") ? "mq.>" : null);
    const clients = [...this.clients].map((client) => ({ client, pattern: client.patternFor(name) }));
    const hears = clients.filter(({ pattern }) => pattern !== undefined)
      .map(({ client, pattern }) => ({ id: "?", name: client.name, pattern }));
    const ignores = clients.filter(({ pattern }) => pattern === undefined)
      .map(({ client: { name, patterns } }) => ({
        id: "?",
        name,
        patterns: patterns.slice(0, 10),
        patternCount: patterns.length,
      }));
    const receivers = by === null ? 0 : hears.length;
    const [hearsCount, ignoresCount] = [hears.length, ignores.length];
    return { name, recognized: by !== null, by, receivers, hears, hearsCount, ignores, ignoresCount };
  }

  /** The broker ends a connection. */
  #end(client: ModelClient, reason: string, closeMessage: string): void {
    client.isOut = true;
    client.received.push(closeMessage);
    this.#remove(client, reason);
  }

  #remove(client: ModelClient, reason: string): void {
    this.clients.delete(client);
    const { name, published, delivered } = client;
    this.#announce("mq.disconnect", { name, reason, published, delivered });
  }

  #recognizer(name: string): string | undefined {
    return this.#options.events.find((pattern) => matches(pattern, name));
  }

  #announce(name: string, data: Record<string, unknown>, except?: ModelClient): void {
    this.#tell(`${name} ${JSON.stringify({ id: "?", ...data })}`, name, "mq", except);
  }

  /** Sends an event to all who hear it; returns how many they are. */
  #tell(line: string, id: string, from: string, except?: ModelClient): number {
    const [name] = line.split(" ");
    const hearers = [...this.clients].filter((client) => client !== except && client.patternFor(name) !== undefined);
    for (const hearer of hearers) {
      hearer.received.push(hearer.meta ? `/event ${id} ${from} ${line}` : line);
      hearer.delivered++;
      this.counts.delivered++;
    }
    return hearers.length;
  }
}

function countRefusal(client: ModelClient, cause: string): number {
  const times = (client.refusals.get(cause) ?? 0) + 1;
  client.refusals.set(cause, times);
  return times;
}

function parseHello(json: string): HelloArguments {
  try {
    const hello = JSON.parse(json);
    if (hello.name !== "mq") return hello;
  } catch {
    // It is refused as the other one is.
  }
  throw new Refusal("bad-arguments");
}
