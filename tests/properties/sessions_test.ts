/** Random sessions of random clients with a real broker, which is held to a model of it. */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Token } from "../../lib/protocol/tokens.ts";
import { RawClient, startBroker, type TestBroker } from "../helpers.ts";
import { brokerRuns } from "./arbitraries.ts";
import { ModelBroker, type ModelClient } from "./model.ts";

const EVENTS = ["create", "order.*", "shop.>"];
const MAX_PATTERNS = 4;
const TOKENS: readonly Token[] = [
  { token: "any", scope: "all" },
  { token: "pub", scope: "publish" },
  { token: "sub", scope: "listen" },
];
const MAX_CLIENTS = 5;

/** What a client does at once. */
interface Turn {
  /** Which client; a new one if there is none of that number. */
  client: number;
  /** What it says first if it is a new one. */
  greeting: string[];
  /** The lines that it sends; `#` stands for a number that comes once. */
  lines: string[];
  /** The half line, perhaps empty, behind which it closes its side; null if it stays. */
  end: string | null;
}

const name = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom("create", "order.paid", "order.sent", "shop.a.b", "shop.é") },
  { weight: 2, arbitrary: fc.constantFrom("bogus", "order", "order.a.b", "constructor") },
  { weight: 1, arbitrary: fc.constantFrom("a..b", "*", "cre/ate", "mq.connect", "x".repeat(256)) },
);
const pattern = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom("create", "order.*", "order.paid", "*.paid", "shop.>", "*", ">", "mq.>") },
  { weight: 1, arbitrary: fc.constantFrom("mq.hello", "a*", "a..b", ">.a") },
);
const patterns = fc.array(pattern, { minLength: 1, maxLength: 3 }).map((patterns) => patterns.join(" "));
const hello = fc.record({
  name: fc.constantFrom("ann", "bob", "店", "mq"),
  meta: fc.boolean(),
  echo: fc.boolean(),
  token: fc.constantFrom("any", "any", "pub", "sub", "wrong"),
}, { requiredKeys: [] });
const line = fc.oneof(
  { weight: 6, arbitrary: name.map((name) => `${name} #`) },
  { weight: 3, arbitrary: name.map((name) => `/pub r# ${name} #`) },
  { weight: 3, arbitrary: patterns.map((patterns) => `/sub ${patterns}`) },
  { weight: 2, arbitrary: patterns.map((patterns) => `/unsub ${patterns}`) },
  { weight: 2, arbitrary: hello.map((hello) => `/hello ${JSON.stringify(hello)}`) },
  { weight: 1, arbitrary: name.map((name) => `/why ${name}`) },
  { weight: 1, arbitrary: fc.constantFrom("/ping", "/ping #", "/hello ann", "/nothing", "/constructor", "/quit") },
);
const someTurn: fc.Arbitrary<Turn> = fc.record({
  client: fc.nat({ max: MAX_CLIENTS - 1 }),
  greeting: fc.constantFrom([], [], ...TOKENS.map(({ token }) => [`/hello {"token":"${token}"}`])),
  lines: fc.array(line, { minLength: 1, maxLength: 4 }),
  end: fc.constantFrom(...Array(36).fill(null), "", "cre", "/"),
});

Deno.test("Broker behaves like its model for any sequence of clients and lines", async () => {
  const turns = fc.array(someTurn, { maxLength: 30, size: "max" });
  const property = fc.asyncProperty(turns, fc.constantFrom([], TOKENS), async (turns, tokens) => {
    await using server = await startBroker({ events: EVENTS, limits: { patterns: MAX_PATTERNS }, tokens });
    using stage = await Stage.open(server, new ModelBroker({ events: EVENTS, maxPatterns: MAX_PATTERNS, tokens }));
    for (const turn of turns) await stage.play(turn);
    await stage.assertAsModelled();
  });
  await fc.assert(property, brokerRuns(60));
});

/** A client with a socket, and the same one in the model. */
class Actor {
  readonly model: ModelClient;
  readonly socket: RawClient;
  readonly received: (string | null)[] = [];

  constructor(model: ModelClient, socket: RawClient) {
    this.model = model;
    this.socket = socket;
  }

  /** Waits until it has got as many lines as the model says. */
  async settle(): Promise<void> {
    while (this.received.length < this.model.received.length) this.received.push(await this.socket.lines.next());
  }

  async leave(halfLine: string): Promise<void> {
    await this.socket.send(halfLine);
    await this.socket.conn.closeWrite();
    await this.settle();
    await this.socket.expectEnd();
    this.socket.close();
  }
}

/**
 * The real broker and its model, side by side. A witness hears of everything that happens, so that a turn is over when
 * the witness has heard of it: only then the next client has its turn.
 */
class Stage {
  readonly #server: TestBroker;
  readonly #model: ModelBroker;
  readonly #actors: Actor[] = [];
  #witness!: Actor;
  #numbered = 0;

  private constructor(server: TestBroker, model: ModelBroker) {
    this.#server = server;
    this.#model = model;
  }

  static async open(server: TestBroker, model: ModelBroker): Promise<Stage> {
    const stage = new Stage(server, model);
    const [socket] = await server.connect(1);
    stage.#witness = new Actor(model.connect(), socket);
    await stage.#say(stage.#witness, ['/hello {"name":"witness","meta":true,"token":"any"}', "/sub > mq.>"]);
    return stage;
  }

  async play({ client, greeting, lines, end }: Turn): Promise<void> {
    const actor = this.#present[client] ?? await this.#enter(greeting);
    await this.#say(actor, lines);
    if (actor.model.isOut) await actor.leave("");
    else if (end !== null) {
      this.#model.disconnect(actor.model, end);
      await actor.leave(end);
      await this.#witness.settle();
    }
  }

  /** Has everyone answer once more, behind all that they should have got, and compares. */
  async assertAsModelled(): Promise<void> {
    const strangers = this.#present.filter(({ model }) => model.scope === undefined);
    for (const actor of strangers) await this.#say(actor, ["/ping end"]); // The others hear of what becomes of them.
    for (const actor of [this.#witness, ...this.#present]) await this.#say(actor, ["/ping end"]);
    const ids = this.#eventIds();
    for (const { model, received } of [this.#witness, ...this.#actors]) {
      assertEquals(received.map((line) => withoutDetails(line, ids)), model.received);
    }
    this.#assertCounted();
  }

  [Symbol.dispose](): void {
    for (const { socket } of this.#actors) socket.close();
  }

  get #present(): Actor[] {
    return this.#actors.filter(({ model }) => this.#model.clients.has(model));
  }

  async #enter(greeting: string[]): Promise<Actor> {
    const actor = new Actor(this.#model.connect(), await RawClient.connect(this.#server.port));
    this.#actors.push(actor);
    await this.#say(actor, greeting);
    return actor;
  }

  async #say(actor: Actor, lines: string[]): Promise<void> {
    const numbered = lines.map((line) => line.replaceAll("#", `${++this.#numbered}`));
    for (const line of numbered) this.#model.take(actor.model, line);
    await actor.socket.send(numbered.map((line) => `${line}\n`).join(""));
    await actor.settle();
    await this.#witness.settle();
  }

  /** The events by their ids, as the witness has heard them. */
  #eventIds(): Map<string, string> {
    const events = this.#witness.received.map((line) => /^\/event (\S+) \S+ ([^{]*[^{ ])/.exec(line ?? "") ?? []);
    const ids = events.filter(([line]) => line !== undefined).map(([, id, event]) => [id, event] as const);
    assertEquals(ids.map(([id]) => id), ids.map(([id]) => id).sort());
    return new Map(ids);
  }

  #assertCounted(): void {
    const { clients, counts } = this.#model;
    const { broker } = this.#server;
    const stats = pick(broker.stats(), "connections", "published", "delivered", "unrecognized", "refused");
    assertEquals(stats, { connections: clients.size, ...counts });
    const known = ["name", "patterns", "published", "delivered"] as const;
    assertEquals(
      broker.clients().map((info) => pick(info, ...known)),
      [...clients].map((client) => pick(client, ...known)),
    );
  }
}

function pick<T, K extends keyof T>(object: T, ...keys: K[]): Pick<T, K> {
  return Object.fromEntries(keys.map((key) => [key, object[key]])) as Pick<T, K>;
}

const ULID = /\b[0-9A-HJKMNP-TV-Z]{26}\b/g;

/** What no model knows. */
const DETAILS = new Set(["address", "connectedMs", "events", "limits", "queuedBytes", "server", "text", "version"]);

/** A line as the model has it: without the sentences, and with events in the place of their ids. */
function withoutDetails(line: string | null, events: Map<string, string>): string | null {
  if (line === null || line.startsWith("/err ")) return line && line.split(" ", 3).join(" ");
  const [, head, json] = /^([^{]*)({.*})?$/.exec(line.replaceAll(ULID, (id) => events.get(id) ?? "?"))!;
  if (json === undefined) return head;
  return head + JSON.stringify(JSON.parse(json, (key, value) => DETAILS.has(key) ? undefined : value));
}
