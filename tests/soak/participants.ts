/**
 * The clients of a trial that are held to account: publishers whose every event gets a receipt, and listeners that know
 * from which event to which they must have heard everything. All speak through the client library.
 */
import { type Client, connect, ConnectionError, MqError, type MqEvent, type Subscription } from "../../mod.ts";
import type { Hearing, Ledger, Span } from "./ledger.ts";
import type { Random } from "./random.ts";

/** The names of the events that are counted. */
export const NAMES = ["soak.red", "soak.green", "soak.blue.light"] as const;

/** What a listener publishes to learn where in the stream of all events it stands. */
export const MARK = "mark";

/** A name that the broker does not recognize. */
const UNRECOGNIZED = "bogus";

/** Once in how many events the broker is to refuse one. */
const REFUSED_ONCE_IN = 200;

/** How many receipts a publisher waits for at most. */
const MAX_PENDING = 5000;

/** The bytes of padding of an event, by its number; now and then comes a large one. */
const PADDING_BYTES = [0, 30, 100, 1000];
const [LARGE_ONCE_IN, LARGE_BYTES] = [2000, 100_000];

/** What all who take part know. */
export interface Stage {
  readonly ledger: Ledger;
  readonly port: number;
  /** Whether the broker is being ended or started: only then a connection may break. */
  readonly isRestarting: boolean;
  /** All who are connected, or are coming back. */
  readonly participants: Set<Participant>;
}

/** A client that is watched: it comes back from each restart by itself, and its connection breaks at no other time. */
export class Participant {
  readonly name: string;
  protected readonly client: Client;
  protected readonly stage: Stage;
  #back = Promise.withResolvers<number>();

  constructor(name: string, client: Client, stage: Stage) {
    this.name = name;
    this.client = client;
    this.stage = stage;
    this.#back.resolve(0);
    stage.participants.add(this);
    client.addEventListener("disconnect", ({ detail }) => this.#lost(detail));
    client.addEventListener("reconnect", () => this.#returned());
    client.addEventListener("notice", ({ detail }) => this.#wrong(`was told: ${detail.message}`));
    client.closed.then((error) => error && this.#wrong(`no longer tries to reconnect: ${error.message}`));
  }

  /** Connects to the broker of a trial; waits for it if it is being restarted. */
  static connect(name: string, { port }: Stage): Promise<Client> {
    return connect({ hostname: "127.0.0.1", port, name, echo: false, wait: true });
  }

  get isConnected(): boolean {
    return this.client.connected;
  }

  /** When it was back from its last disconnection; resolves once it is. */
  get back(): Promise<number> {
    return this.#back.promise;
  }

  async close(): Promise<void> {
    await this.client.close().catch(() => {}); // The broker may be gone.
    this.stage.participants.delete(this);
  }

  /** To be called when the broker has ended and the accounts were closed. */
  startOver(): void {}

  /** What it does when it is connected again; once that is done, it is back. */
  protected returned(): Promise<unknown> {
    return Promise.resolve();
  }

  #lost(reason: ConnectionError): void {
    this.#back = Promise.withResolvers();
    if (!this.stage.isRestarting) this.#wrong(`lost its connection: ${reason.message}`);
  }

  async #returned(): Promise<void> {
    try {
      await this.returned();
      this.#back.resolve(performance.now());
    } catch (error) {
      this.#wrong(`could not come back: ${error}`);
    }
  }

  #wrong(what: string): void {
    this.stage.ledger.unexplained(`${this.name} ${what}`);
  }
}

/** Asks the broker now and then how it is. */
export class Watcher extends Participant {
  static async join(stage: Stage): Promise<Watcher> {
    return new Watcher("watcher", await Participant.connect("watcher", stage), stage);
  }

  /** The broker's resident memory, in bytes; undefined if it went away while it was asked. */
  async rssBytes(): Promise<number | undefined> {
    try {
      return (await this.client.stats()).rssBytes;
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
    }
  }
}

/** Publishes numbered events. */
export class Publisher extends Participant {
  readonly #number: number;
  readonly #random: Random;
  #pending = 0;

  private constructor(client: Client, stage: Stage, number: number, random: Random) {
    super(`publisher-${number}`, client, stage);
    this.#number = number;
    this.#random = random;
  }

  static async join(stage: Stage, number: number, random: Random): Promise<Publisher> {
    return new Publisher(await Participant.connect(`publisher-${number}`, stage), stage, number, random);
  }

  /** Publishes some events, but no more than it can wait for. */
  publish(count: number): void {
    for (let left = Math.min(count, MAX_PENDING - this.#pending); left > 0; left--) this.#publish();
  }

  async #publish(): Promise<void> {
    const { ledger } = this.stage;
    const mustBeRefused = this.#random.onceIn(REFUSED_ONCE_IN);
    const name = mustBeRefused ? UNRECOGNIZED : this.#random.oneOf(NAMES);
    const number = ledger.send();
    this.#pending++;
    try {
      const receipt = await this.client.publishConfirmed(name, [this.#number, number, padding(number)]);
      if (mustBeRefused) ledger.unexplained(`The broker took in event ${number}, which it does not recognize`);
      ledger.accept(number, name, receipt);
    } catch (error) {
      this.#failed(number, error, mustBeRefused);
    } finally {
      this.#pending--;
    }
  }

  #failed(number: number, error: unknown, mustBeRefused: boolean): void {
    const { ledger } = this.stage;
    const code = error instanceof MqError ? error.code : undefined;
    switch (code) {
      case "unrecognized":
        if (!mustBeRefused) ledger.unexplained(`Event ${number} was refused: ${error}`);
        return ledger.settle(number, "refused");
      case "unconfirmed":
        return ledger.settle(number, "unconfirmed");
      case "queue-full":
      case "closed":
        return ledger.settle(number, "notSent");
    }
    ledger.unexplained(`The publishing of event ${number} failed: ${error}`);
    ledger.settle(number, "unconfirmed");
  }
}

/** What a listener hears: its patterns, and the names that they match. */
export interface Interest {
  readonly patterns: readonly string[];
  readonly names: readonly string[];
}

/** Hears events, and publishes marks to know what it must have heard. */
export class Listener extends Participant {
  readonly #interest: Interest;
  #hearing: Hearing;
  #span: Span | undefined;
  #subscriptions: Subscription[] = [];

  private constructor(name: string, client: Client, stage: Stage, interest: Interest) {
    super(name, client, stage);
    this.#interest = interest;
    this.#hearing = this.#open();
  }

  static async join(stage: Stage, name: string, interest: Interest): Promise<Listener> {
    const listener = new Listener(name, await Participant.connect(name, stage), stage, interest);
    await listener.subscribe();
    return listener;
  }

  /** Subscribes, and waits for the mark that follows. */
  async subscribe(): Promise<void> {
    const [first, ...others] = this.#interest.patterns; // They may overlap: still an event comes once.
    this.#subscriptions = [
      this.client.subscribe(first, { handler: (event) => this.#hear(event) }),
      ...others.map((pattern) => this.client.subscribe(pattern, { handler: () => {} })),
    ];
    this.#span = this.#hearing.open();
    await this.returned();
  }

  /** Waits for a mark, behind which it need not hear anything, and unsubscribes. */
  async unsubscribe(): Promise<void> {
    const before = await this.#mark();
    if (this.#span) this.#span.before = before;
    this.#span = undefined;
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
  }

  async leave(): Promise<void> {
    await this.unsubscribe();
    await this.close();
  }

  override startOver(): void {
    this.#hearing = this.#open();
    if (this.#span) this.#span = this.#hearing.open();
  }

  protected override async returned(): Promise<void> {
    const span = this.#span;
    if (span) span.after = await this.#mark();
  }

  #open(): Hearing {
    return this.stage.ledger.hearing(this.name, new Set(this.#interest.names));
  }

  /** Publishes a mark until there is a receipt for one; returns its id. */
  async #mark(): Promise<string> {
    for (;;) {
      try {
        return (await this.client.publishConfirmed(MARK)).id;
      } catch (error) {
        if (!(error instanceof ConnectionError) || error.code !== "unconfirmed") throw error;
      }
    }
  }

  #hear({ id, name, data }: MqEvent): void {
    if (!isCounted(data)) {
      this.stage.ledger.unexplained(`${this.name} heard ${name} with data that nobody published`);
      return;
    }
    const [publisher, number] = data;
    this.#hearing.hear({ id: id!, name, publisher, number });
  }
}

function isCounted(data: unknown): data is [publisher: number, number: number, padding: string] {
  if (!Array.isArray(data) || data.length !== 3) return false;
  return Number.isInteger(data[0]) && Number.isInteger(data[1]) && data[2] === padding(data[1]);
}

/** Makes an event longer: each number has its own text. */
function padding(number: number): string {
  const bytes = number % LARGE_ONCE_IN === 0 ? LARGE_BYTES : PADDING_BYTES[number % PADDING_BYTES.length];
  return String.fromCharCode(97 + number % 26).repeat(bytes);
}
