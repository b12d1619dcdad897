/** The commands of a trial: a real `mq logger`, `mq app` and `mq pub -`, which no restart of the broker may crash. */
import { MARK, type Stage } from "./participants.ts";
import { Child, type Source } from "./process.ts";

/** How often `mq app` and `mq pub -` publish, in milliseconds. */
const EVERY_MS = 100;

/** What only an error shows that nobody foresaw. */
const CRASH = /This is a bug|^\s+at |Uncaught|panicked/;

/** How `mq app` sums up that a restart has cost it receipts; its exit code then is 1. */
const SHORT = /^mq app: \d+ events? sent, .*; \d+ (uncertain|not sent)/;

/** A command that runs for as long as the trial, and comes back from each restart by itself. */
export class LastingCommand {
  readonly #name: string;
  readonly #child: Child;
  readonly #stage: Stage;
  #lines = 0;
  #back = Promise.withResolvers<number>();
  #isEnding = false;
  #exitCode = 0;

  constructor(args: string[], stage: Stage) {
    this.#name = `mq ${args[0]}`;
    this.#stage = stage;
    this.#child = new Child([...args, "-s", `127.0.0.1:${stage.port}`], (line, source) => this.#line(line, source));
    this.#child.ended.then((code) => this.#ended(code));
  }

  /** Those of a trial. */
  static startAll(stage: Stage): LastingCommand[] {
    const app = ["app", "--events", MARK, "--every", `${EVERY_MS}ms`];
    return [["logger", MARK], app].map((args) => new LastingCommand(args, stage));
  }

  /** How many lines it has written to stdout. */
  get lines(): number {
    return this.#lines;
  }

  /** When it was back from the last restart; resolves once it is. */
  get back(): Promise<number> {
    return this.#back.promise;
  }

  /** To be called when the broker is about to end. */
  expectLoss(): void {
    this.#back = Promise.withResolvers();
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    await this.#child.end("SIGTERM");
  }

  #line(line: string, source: Source): void {
    if (source === "stdout") this.#lines++;
    else if (CRASH.test(line)) this.#stage.ledger.unexplained(`${this.#name} crashed: ${line}`);
    else if (/ reconnected to .*$/.test(line)) this.#back.resolve(performance.now());
    else if (SHORT.test(line)) this.#exitCode = 1;
  }

  #ended(code: number): void {
    this.#back.resolve(performance.now());
    if (this.#isEnding && code === this.#exitCode) return;
    const how = this.#isEnding ? "was ended" : "ended by itself";
    this.#stage.ledger.unexplained(`${this.#name} ${how}, with exit code ${code}`);
  }
}

/** `mq pub -`, which ends when it loses the broker, and is then started anew. */
export class PubCommand {
  readonly #stage: Stage;
  readonly #running: Promise<void>;
  #isEnding = false;
  #ends = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#running = this.#runAgainAndAgain();
  }

  /** How often it has ended. */
  get ends(): number {
    return this.#ends;
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    await this.#running;
  }

  async #runAgainAndAgain(): Promise<void> {
    while (!this.#isEnding) await this.#run();
  }

  async #run(): Promise<void> {
    const { ledger, port } = this.#stage;
    const restarts = ledger.counts.restarts;
    const child = new Child(["pub", MARK, "-", "-s", `127.0.0.1:${port}`], (line) => {
      if (CRASH.test(line)) ledger.unexplained(`mq pub - crashed: ${line}`);
    });
    const timer = setInterval(() => this.#isEnding ? child.closeStdin() : child.write("a line\n"), EVERY_MS);
    const code = await child.ended;
    clearInterval(timer);
    this.#ends++;
    const hasLostBroker = this.#stage.isRestarting || ledger.counts.restarts > restarts;
    const isExpected = hasLostBroker ? code === 0 || code === 1 : this.#isEnding && code === 0;
    if (!isExpected) ledger.unexplained(`mq pub - ended with exit code ${code}`);
  }
}
