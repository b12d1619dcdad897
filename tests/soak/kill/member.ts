/** A member of a group: it does most of its jobs at once, and others late, never, or only the second time. */
import type { Random } from "../random.ts";
import { pause } from "../trial.ts";
import type { GroupPlan, Membership } from "./account.ts";
import type { Stage } from "./stage.ts";
import type { Wire } from "./wire.ts";

/** How long a member has for a job, and how often it is delivered before it is dead. */
const [ACK_MS, TRIES] = [400, 6];

/** How many jobs it has at once. */
const AHEAD = 20;

/** How many jobs it is given before its connection ends, at least and at most. */
const JOBS = [20, 400] as const;

/** How long a job is sent back for at most, in milliseconds. */
const NACK_MS = 100;

/** What becomes of a job. */
type Fate = "done" | "failed" | "buried" | "touched" | "late" | "never";

/** In a hundred jobs, how many have which fate. */
const FATES: readonly (readonly [Fate, number])[] = [
  ["done", 88],
  ["failed", 6],
  ["buried", 1],
  ["touched", 2],
  ["late", 2],
  ["never", 1],
];

/** A job. */
interface Job {
  readonly number: number;
  readonly tries: number;
  readonly id: string;
}

/** A member, which comes again whenever its connection has ended. */
export class Member {
  readonly #stage: Stage;
  readonly #plan: GroupPlan;
  readonly #random: Random;
  readonly #joined = Promise.withResolvers<void>();
  readonly #works: Work[] = [];

  /**
   * @param stage The trial.
   * @param plan Its group.
   * @param random Makes its choices.
   */
  constructor(stage: Stage, plan: GroupPlan, random: Random) {
    this.#stage = stage;
    this.#plan = plan;
    this.#random = random;
  }

  /** Resolves when it has joined for the first time. */
  get joined(): Promise<void> {
    return this.#joined.promise;
  }

  /** Works until the trial is over. */
  async run(): Promise<void> {
    while (!this.#stage.isOver) await this.#work();
    await Promise.all(this.#works.map(({ done }) => done));
  }

  async #work(): Promise<void> {
    const work = new Work(this.#stage, this.#plan, this.#random);
    const wire = await this.#stage.connect((line) => work.take(line));
    if (wire === undefined) return;
    this.#works.push(work);
    if (await work.join(wire)) this.#joined.resolve();
    await wire.ended;
  }
}

/** What a member does over one connection. */
class Work {
  readonly #stage: Stage;
  readonly #plan: GroupPlan;
  readonly #random: Random;
  #wire!: Wire;
  #membership!: Membership;
  #left: number;
  /** The jobs that are acknowledged by one line, once all that has come is read. */
  #batch: Job[] = [];
  #done: Promise<unknown> = Promise.resolve();

  constructor(stage: Stage, plan: GroupPlan, random: Random) {
    this.#stage = stage;
    this.#plan = plan;
    this.#random = random;
    this.#left = random.between(...JOBS);
  }

  /** Settles when it waits for nothing more. */
  get done(): Promise<unknown> {
    return this.#done;
  }

  /** Joins the group over a connection; returns whether it is a member now. */
  async join(wire: Wire): Promise<boolean> {
    this.#wire = wire;
    this.#membership = this.#stage.account.member(this.#plan, wire.life);
    const { group, patterns, dead } = this.#plan;
    const options = JSON.stringify({ ackMs: ACK_MS, tries: TRIES, dead, ahead: AHEAD });
    const response = await wire.ask("join", `/join ${group} ${options} ${patterns.join(" ")}`);
    if (response?.startsWith("/ok ")) return true;
    if (response !== undefined) this.#unexpected(response);
    return false;
  }

  /** Takes a line of the broker: a job. */
  take(line: string): void {
    const [, number, tries, group, id] = /^\/job (\d+) (\d+) (\S+) (\w{26}) \S+ \S+ \{/.exec(line) ?? [];
    if (group !== this.#plan.group) return this.#unexpected(line);
    const job: Job = { number: Number(number), tries: Number(tries), id };
    if (job.tries > TRIES) this.#unexpected(line);
    const isNew = this.#membership.deliver(id, job.tries);
    if (!this.#stage.isCalm && --this.#left <= 0) return this.#drop();
    const carriedOut = this.#carryOut(job, this.#stage.isCalm ? "done" : this.#chooseFate(isNew));
    this.#done = Promise.all([this.#done, carriedOut]);
  }

  #drop(): void {
    this.#stage.account.figures.drops++;
    this.#wire.drop();
  }

  /** What has failed once is done the second time, or in the end it would be dead. */
  #chooseFate(isNew: boolean): Fate {
    let choice = this.#random.between(1, 100);
    const fate = FATES.find(([, share]) => (choice -= share) <= 0)![0];
    return fate === "failed" && !isNew ? "done" : fate;
  }

  async #carryOut(job: Job, fate: Fate): Promise<void> {
    switch (fate) {
      case "done":
        return this.#random.onceIn(2) ? await this.#ack([job]) : this.#ackSoon(job);
      case "failed":
        return await this.#nack(job);
      case "buried":
        return await this.#settle("bury", `/bury ${job.number} it is no use`);
      case "late":
        await pause(ACK_MS * 1.1);
        return await this.#ack([job]);
      case "touched":
        await pause(ACK_MS * 0.7);
        await this.#settle("touch", `/touch ${job.number}`);
        await pause(ACK_MS * 0.7);
        return await this.#ack([job]);
    }
  }

  #ackSoon(job: Job): void {
    if (this.#batch.length === 0) queueMicrotask(() => void this.#ack(this.#batch.splice(0)));
    this.#batch.push(job);
  }

  async #ack(jobs: readonly Job[]): Promise<void> {
    if (this.#wire.hasEnded) return;
    for (const { id } of jobs) this.#membership.askAck(id);
    const response = await this.#wire.ask("ack", `/ack ${jobs.map(({ number }) => number).join(" ")}`);
    if (response === undefined) return;
    const isDone = response === "/ok ack";
    if (!isDone && !response.startsWith("/err ack no-job ")) this.#unexpected(response);
    for (const { id, tries } of jobs) this.#membership.ack(id, tries, isDone);
  }

  async #nack(job: Job): Promise<void> {
    const again = this.#random.onceIn(2) ? "" : ` ${this.#random.between(1, NACK_MS)}ms`;
    this.#stage.account.figures.nacks++;
    await this.#settle("nack", `/nack ${job.number}${again} not this time`);
  }

  async #settle(verb: string, line: string): Promise<void> {
    const response = await this.#wire.ask(verb, line);
    const isExpected = response === undefined || response === `/ok ${verb}` ||
      response.startsWith(`/err ${verb} no-job `);
    if (!isExpected) this.#unexpected(response);
  }

  #unexpected(line: string): void {
    this.#stage.account.fault(
      "unexpected",
      `A member of ${this.#plan.group} was sent: ${line.slice(0, 200)}`,
    );
  }
}
