/** A trial of kills: a broker with a store, all who are around it, its kills, and the account in the end. */
import { until } from "../../helpers.ts";
import { BrokerProcess, Child } from "../process.ts";
import { Random } from "../random.ts";
import { pause } from "../trial.ts";
import { Account, type Logged } from "./account.ts";
import { Member } from "./member.ts";
import { Publisher } from "./publisher.ts";
import { Follower, readGroups, readLog } from "./reader.ts";
import { EVENTS, PLANS, type Stage } from "./stage.ts";
import { Wire } from "./wire.ts";

/** How many publishers there are, and how many members each group has. */
const [PUBLISHERS, MEMBERS] = [4, 2];

/** How many receipts and acknowledgements come before the next kill, at least and at most. */
const PROGRESS = [1, 1500] as const;

/** How long after that it comes at most, in milliseconds: anywhere between two commits. */
const AFTER_MS = 10;

/** One start in so many is broken off by another kill, at most so many milliseconds after it has begun. */
const [START_KILLED_ONCE_IN, START_MS] = [4, 500];

/** How long to wait for a port that somebody else has got in the meantime, in milliseconds. */
const PORT_MS = 10_000;

/** How a trial goes on. */
export interface KillTrial {
  /** How often the broker is killed. */
  readonly kills: number;
  /** Makes the same random choices again. */
  readonly seed: number;
  /** The folder of the store, which is empty or does not exist. */
  readonly folder: string;
  /** Called with a sentence on each thing that should not be. */
  tell(sentence: string): void;
  /** Called after each kill with how many there were. */
  onKill?(kills: number): void;
}

/**
 * Carries out a trial.
 *
 * @param options How it goes on.
 * @returns The account, which is closed.
 */
export async function runKillTrial(options: KillTrial): Promise<Account> {
  await using trial = new Trial(options);
  try {
    await trial.begin();
    while (trial.account.figures.kills < options.kills) {
      await trial.killNext();
      options.onKill?.(trial.account.figures.kills);
    }
    await trial.finish();
  } catch (error) {
    trial.account.fault("unexpected", `The trial cannot go on: ${error}`);
  }
  return trial.account;
}

class Trial implements Stage, AsyncDisposable {
  readonly account: Account;
  isCalm = false;
  isOver = false;
  readonly #options: KillTrial;
  readonly #random: Random;
  readonly #follower: Follower;
  readonly #tasks: Promise<void>[] = [];
  #publishing: Promise<void>[] = [];
  #broker: BrokerProcess | undefined;
  #port = 0;
  #life = 0;
  #up = Promise.withResolvers<void>();
  #isUp = false;

  constructor(options: KillTrial) {
    this.#options = options;
    this.account = new Account(options.tell);
    this.#random = new Random(options.seed);
    this.#follower = new Follower(this);
  }

  /** Starts the broker and all others; the groups are there before the first event. */
  async begin(): Promise<void> {
    await this.#start();
    const nextRandom = () => new Random(this.#random.between(0, 2 ** 31 - 1));
    const members = PLANS.flatMap((plan) =>
      Array.from({ length: MEMBERS }, () => new Member(this, plan, nextRandom()))
    );
    this.#tasks.push(...[...members, this.#follower].map((participant) => this.#keep(participant.run())));
    await Promise.all(members.map(({ joined }) => joined));
    const publishers = Array.from({ length: PUBLISHERS }, () => new Publisher(this, nextRandom()));
    this.#publishing = publishers.map((publisher) => this.#keep(publisher.run()));
    this.#tasks.push(...this.#publishing);
  }

  async #keep(task: Promise<void>): Promise<void> {
    try {
      await task;
    } catch (error) {
      this.account.fault("unexpected", `Somebody who took part has failed: ${error}`);
    }
  }

  /** See {@linkcode Stage}. */
  async connect(onLine: (line: string) => void): Promise<Wire | undefined> {
    for (;;) {
      await this.#up.promise;
      if (this.isOver) return undefined;
      const wire = await this.#tryToConnect(onLine);
      if (wire !== undefined) return wire;
      await pause(1); // The broker was killed meanwhile: that is told in a moment.
    }
  }

  async #tryToConnect(onLine: (line: string) => void): Promise<Wire | undefined> {
    let isSubscribed = true; // To all events, as every connection is in the beginning.
    const take = (line: string) => isSubscribed || onLine(line);
    try {
      const wire = await Wire.connect(this.#port, this.#life, take);
      void wire.ended.then(() => this.#checkEnd(wire));
      const response = await wire.ask("unsub", "/unsub >");
      isSubscribed = false;
      return response === undefined ? undefined : wire;
    } catch {
      return undefined;
    }
  }

  #checkEnd({ isDropped, life }: Wire): void {
    if (isDropped || !this.#isUp || life !== this.#life) return;
    this.account.fault("unexpected", "The broker has ended a connection");
  }

  /** Waits until there is something to lose, kills the broker, and starts it again. */
  async killNext(): Promise<void> {
    const { figures } = this.account;
    const progress = () => Math.min(figures.receipts, figures.acks);
    const enough = progress() + this.#random.between(...PROGRESS);
    await until(() => progress() >= enough, "the broker has given receipts and taken acknowledgements");
    await pause(this.#random.between(0, AFTER_MS));
    await this.#end("SIGKILL");
    while (this.#random.onceIn(START_KILLED_ONCE_IN)) await this.#killStart();
    await this.#start();
    figures.kills++;
  }

  async #end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    this.#isUp = false;
    this.#up = Promise.withResolvers();
    await this.#broker?.end(signal);
    this.#life++;
  }

  /** Starts a broker that does not get far. */
  async #killStart(): Promise<void> {
    const child = new Child(["server", ...this.#flags(this.#port)], () => {});
    await pause(this.#random.between(0, START_MS));
    await child.end("SIGKILL");
    this.account.figures.startKills++;
  }

  #flags(port: number): string[] {
    return ["--host", "127.0.0.1", "--port", String(port), ...this.#storeFlags];
  }

  get #storeFlags(): string[] {
    return ["--events", EVENTS, "--store", this.#options.folder];
  }

  async #start(): Promise<void> {
    const started = await this.#startAgainAndAgain();
    this.#broker = started.broker;
    this.#port = started.port;
    this.#isUp = true;
    this.#up.resolve();
  }

  /** While the broker was down, somebody else may have got its port for a moment. */
  async #startAgainAndAgain(): Promise<{ broker: BrokerProcess; port: number }> {
    for (const startedAt = performance.now();;) {
      const troubles: string[] = [];
      let onTrouble: (sentence: string) => void = (sentence) => troubles.push(sentence);
      try {
        const started = await BrokerProcess.start(this.#port, this.#storeFlags, { onTrouble: (it) => onTrouble(it) });
        onTrouble = (sentence) => this.account.fault("unexpected", sentence);
        troubles.forEach(onTrouble);
        return started;
      } catch (error) {
        const isPortTaken = troubles.some((sentence) => sentence.includes("another port"));
        if (!isPortTaken || performance.now() - startedAt > PORT_MS) throw error;
      }
    }
  }

  /** Lets everything run out, and closes the account. */
  async finish(): Promise<void> {
    this.isCalm = true;
    await Promise.all(this.#publishing);
    await this.#runOut();
    await this.#end("SIGTERM");
    await this.#start();
    const log = await readLog(this, "first");
    this.account.close(log, await this.#groups(), PLANS);
  }

  /** Waits until what was delayed has come, the members have done all jobs, and the follower has seen all of it. */
  async #runOut(): Promise<void> {
    const log: Logged[] = await readLog(this, "first");
    const hasRunOut = async () => {
      log.push(...await readLog(this, log.at(-1)?.id ?? "first"));
      const groups = await this.#groups();
      const isAtRest = groups.every(({ lag, ready, inFlight, delayed }) => !(lag || ready || inFlight || delayed));
      return isAtRest && this.#follower.last === log.at(-1)?.id && this.account.awaited(log).length === 0;
    };
    try {
      await until(hasRunOut, "all is done");
    } catch {
      const groups = JSON.stringify(await this.#groups());
      this.account.fault("unexpected", `Not all has come to an end; the groups have ${groups}`);
    }
  }

  async #groups(): ReturnType<typeof readGroups> {
    const wire = await this.connect(() => {});
    if (wire === undefined) return [];
    const groups = await readGroups(wire);
    wire.drop();
    await wire.ended;
    return groups;
  }

  /** Ends all who take part, and the broker. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.isCalm = this.isOver = true;
    this.#isUp = false;
    await this.#broker?.end("SIGKILL");
    this.#up.resolve();
    await Promise.all(this.#tasks);
  }
}
