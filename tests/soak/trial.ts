/** A trial: a broker as a process of its own, honest clients around it who are held to account, and its restarts. */
import { soon, until } from "../helpers.ts";
import { LastingCommand, PubCommand } from "./commands.ts";
import { Ledger } from "./ledger.ts";
import {
  type Interest,
  Listener,
  MARK,
  NAMES,
  type Participant,
  Publisher,
  type Stage,
  Watcher,
} from "./participants.ts";
import { BrokerProcess } from "./process.ts";
import { Random } from "./random.ts";

/** How often publishers publish, and the broker's memory is asked for, in milliseconds. */
const [PUBLISH_MS, WATCH_MS] = [10, 250];

/** How long a listener that comes and goes does one thing or the other, in milliseconds. */
const [SHORTEST_STAY_MS, LONGEST_STAY_MS] = [50, 2000];

/** What the listeners hear, in turns: everything, everything by patterns that overlap, some. */
const INTERESTS: readonly Interest[] = [
  { patterns: ["soak.>"], names: NAMES },
  { patterns: ["soak.>", "soak.*", "soak.red", "*.blue.*"], names: NAMES },
  { patterns: ["soak.red"], names: ["soak.red"] },
  { patterns: ["soak.*", "soak.green"], names: ["soak.red", "soak.green"] },
];

/** Who takes part in a trial. */
export interface TrialOptions {
  readonly publishers: number;
  /** How many events they publish a second, all together. */
  readonly rate: number;
  /** Listeners that stay. */
  readonly listeners: number;
  /** Listeners that come and go. */
  readonly comers: number;
  /** Whether a `mq logger`, a `mq app` and a `mq pub -` take part. */
  readonly commands: boolean;
  readonly seed: number;
  /** Flags of the broker besides its port and its events. */
  readonly brokerFlags?: string[];
  /** Other events that the broker recognizes. */
  readonly otherEvents?: string[];
  /** Called with a sentence on each thing that should not be. */
  tell(sentence: string): void;
  /** Called with each line of the broker's log. */
  onLog?(line: string): void;
}

/** How a restart went. */
export interface Restart {
  readonly signal: "SIGTERM" | "SIGKILL";
  /** From the signal to the broker's end, in milliseconds. */
  readonly endMs: number;
  /** How many came back, and how long the last one took from when the broker listened again, in milliseconds. */
  readonly members: number;
  readonly backMs: number;
}

/** A broker, and all who are around it. */
export class Trial implements Stage, AsyncDisposable {
  readonly ledger: Ledger;
  readonly participants = new Set<Participant>();
  /** The broker's memory when it was last asked, and the most since it was set, in bytes. */
  rssBytes = 0;
  highestRssBytes = 0;
  /** Whether the publishers rest. */
  isCalm = false;
  readonly #options: TrialOptions;
  readonly #publishers: Publisher[] = [];
  readonly #tasks: Promise<void>[] = [];
  #lasting: LastingCommand[] = [];
  #pub: PubCommand | undefined;
  #broker!: BrokerProcess;
  #port = 0;
  #isRestarting = false;
  readonly #ending = new AbortController();

  private constructor(options: TrialOptions) {
    this.#options = options;
    this.ledger = new Ledger(options.tell);
  }

  /** Starts everything; the publishers publish when it returns. */
  static async start(options: TrialOptions): Promise<Trial> {
    const trial = new Trial(options);
    await trial.#startBroker();
    await trial.#join();
    return trial;
  }

  get port(): number {
    return this.#port;
  }

  get isRestarting(): boolean {
    return this.#isRestarting;
  }

  /** The commands that last, and the one that is started anew after each restart. */
  get commands(): { lasting: readonly LastingCommand[]; pub: PubCommand | undefined } {
    return { lasting: this.#lasting, pub: this.#pub };
  }

  get #commands(): (LastingCommand | PubCommand)[] {
    return this.#pub ? [...this.#lasting, this.#pub] : this.#lasting;
  }

  /** Ends the broker, closes the accounts, starts it again on the same port and waits until everyone is back. */
  async restart(signal: Restart["signal"], downMs: number): Promise<Restart> {
    const start = performance.now();
    const members = [...this.participants, ...this.#lasting];
    this.#isRestarting = true;
    for (const command of this.#lasting) command.expectLoss();
    await this.#end(signal);
    const endMs = performance.now() - start;
    await pause(downMs);
    await this.#startBroker();
    const listeningAt = performance.now();
    this.ledger.counts.restarts++;
    this.#isRestarting = false;
    const backAt = await soon(Promise.all(members.map(({ back }) => back)), "everyone to be back");
    return { signal, endMs, members: members.length, backMs: Math.max(...backAt) - listeningAt };
  }

  /** Waits for what is under way, ends everything and closes the accounts. What cannot be ended is unexplained. */
  async finish(): Promise<void> {
    this.#ending.abort();
    try {
      await soon(Promise.all(this.#tasks), "those who come and go to leave");
      await until(() => this.ledger.pending === 0, "each event was answered or rejected");
      await Promise.all(this.#commands.map((command) => command.end()));
      this.#isRestarting = true;
      await this.#end("SIGTERM");
    } catch (error) {
      this.ledger.unexplained(`The trial cannot be finished: ${error}`);
    }
    await this[Symbol.asyncDispose]();
  }

  /** Ends what is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    this.#isRestarting = true;
    await this.#broker.end("SIGKILL");
    await Promise.all([...this.participants].map((participant) => participant.close()));
    await Promise.all(this.#commands.map((command) => command.end()));
  }

  async #startBroker(): Promise<void> {
    const { brokerFlags = [], otherEvents = [], onLog } = this.#options;
    const events = ["soak.>", MARK, ...otherEvents].join(",");
    const onTrouble = (sentence: string) => this.ledger.unexplained(sentence);
    const started = await BrokerProcess.start(this.#port, ["--events", events, ...brokerFlags], { onTrouble, onLog });
    this.#broker = started.broker;
    this.#port = started.port;
  }

  /** Ends the broker, waits until every client has noticed it, and closes the accounts of this life of it. */
  async #end(signal: Restart["signal"]): Promise<void> {
    await this.#broker.end(signal);
    await until(() => [...this.participants].every(({ isConnected }) => !isConnected), "everyone noticed the end");
    this.ledger.close(signal);
    for (const participant of this.participants) participant.startOver();
  }

  async #join(): Promise<void> {
    const { publishers, listeners, comers, commands, seed } = this.#options;
    for (let index = 0; index < listeners; index++) {
      await Listener.join(this, `listener-${index + 1}`, INTERESTS[index % INTERESTS.length]);
    }
    for (let index = 0; index < comers; index++) {
      this.#keep(this.#comeAndGo(`comer-${index + 1}`, new Random(seed + 1000 + index)));
    }
    if (commands) {
      this.#lasting = LastingCommand.startAll(this);
      this.#pub = new PubCommand(this);
    }
    for (let index = 1; index <= publishers; index++) {
      this.#publishers.push(await Publisher.join(this, index, new Random(seed + index)));
    }
    this.#keep(this.#watch(await Watcher.join(this)));
    this.#keep(this.#publish());
  }

  #keep(task: Promise<void>): void {
    this.#tasks.push(task.catch((error) => this.ledger.unexplained(`The trial failed: ${error}`)));
  }

  /** Has the publishers publish as many events as are due, but does not make up for a pause. */
  async #publish(): Promise<void> {
    const perMs = this.#options.rate / this.#publishers.length / 1000;
    let [due, last] = [0, performance.now()];
    while (!this.#ending.signal.aborted) {
      const now = performance.now();
      due += Math.min(now - last, 10 * PUBLISH_MS) * perMs;
      last = now;
      const count = this.isCalm ? 0 : Math.floor(due);
      due -= count;
      for (const publisher of this.#publishers) publisher.publish(count);
      await pause(PUBLISH_MS);
    }
  }

  async #watch(watcher: Watcher): Promise<void> {
    while (!this.#ending.signal.aborted) {
      this.rssBytes = await watcher.rssBytes() ?? this.rssBytes;
      this.highestRssBytes = Math.max(this.highestRssBytes, this.rssBytes);
      await pause(WATCH_MS);
    }
  }

  /** Connects, listens, pauses, listens, leaves ... */
  async #comeAndGo(name: string, random: Random): Promise<void> {
    const stay = () => pause(random.between(SHORTEST_STAY_MS, LONGEST_STAY_MS), this.#ending.signal);
    while (!this.#ending.signal.aborted) {
      const listener = await Listener.join(this, name, random.oneOf(INTERESTS));
      await stay();
      if (random.onceIn(2)) {
        await listener.unsubscribe();
        await stay();
        await listener.subscribe();
        await stay();
      }
      await listener.leave();
    }
  }
}

/** Waits for a time to pass, or a signal to be aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
    if (signal?.aborted) end();
  });
}
