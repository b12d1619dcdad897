/** The trials: what is promised to the honest, of the memory, and of the end, beside attackers of one kind. */
import { runLoad } from "../../../cmd/bench/load.ts";
import { mqWire } from "../../../cmd/bench/mq_wire.ts";
import { pause } from "../trial.ts";
import { Arena, lostSegments, type TrialOptions } from "./arena.ts";
import type { Observation } from "./honest.ts";

/** The honest: so many listeners, and so many events a second for each. */
const [LISTENERS, RATE] = [10, 200];

/** What the broker is warmed up with, for one that has just started has not got its heap and its code yet. */
const WARM_UP = { pubs: 4, subs: 20, topics: 4, size: 64 };

/** How long the broker rests before its memory at rest is taken, and how often that is looked at, in milliseconds. */
const [REST_MS, LOOK_MS] = [2000, 100];

/** What came of the honest beside attackers, and of the broker. */
export interface BesideResult extends Observation {
  readonly kind: string;
  /** How many connections the attackers made. */
  readonly attacks: number;
  /** How many events each listener should have heard, together. */
  readonly toHear: number;
  /** The broker's resident memory before the attack, at the highest, and after it, in bytes. */
  readonly rss: { readonly rest: number; readonly highest: number; readonly after: number };
  /** How many descriptors it held before the attack and after it. */
  readonly descriptors: { readonly rest: number; readonly after: number };
  /** How many segments the system lost meanwhile: see {@linkcode lostSegments}. */
  readonly lost: number;
  /** Sentences on what should not be. */
  readonly troubles: readonly string[];
}

/** How a trial beside attackers goes on. */
export interface BesideOptions extends TrialOptions {
  readonly warmUpMs: number;
  /** How long the broker rests after the attack, in milliseconds. */
  readonly restMs: number;
}

/** Measures what the honest hear, and when, while attackers of a kind are at work. */
export async function beside(kind: string, options: BesideOptions): Promise<BesideResult> {
  const { warmUpMs, forMs, restMs } = options;
  await using arena = await Arena.start(options);
  if (warmUpMs > 0) {
    await runLoad({ hostname: "127.0.0.1", port: arena.port }, mqWire(), WARM_UP, { forMs: warmUpMs });
  }
  const honest = await arena.honest(LISTENERS, RATE, forMs);
  await pause(warmUpMs > 0 ? REST_MS : 0);
  const rest = await arena.usage();
  arena.watch(LOOK_MS);
  const lostBefore = await lostSegments();
  const attackers = await arena.attack(kind);
  await honest.go();
  await pause(forMs);
  const attacks = await attackers.result();
  const observation = await honest.result();
  const lost = await lostSegments() - lostBefore;
  await pause(restMs);
  await arena.answers();
  const highest = await arena.highest();
  const after = await arena.usage();
  await arena.end();
  return {
    kind,
    attacks,
    ...observation,
    toHear: Math.round(RATE * forMs / 1000) * LISTENERS,
    rss: { rest: rest.rss, highest, after: after.rss },
    descriptors: { rest: rest.descriptors, after: after.descriptors },
    lost,
    troubles: arena.troubles,
  };
}

/** What came of a drain. */
export interface DrainResult {
  readonly kind: string;
  /** From the signal to the end of the process, in milliseconds. */
  readonly endMs: number;
  readonly troubles: readonly string[];
}

/** Ends a broker with SIGTERM while attackers of a kind are at work. */
export async function drain(kind: string, drainMs: number, options: TrialOptions): Promise<DrainResult> {
  await using arena = await Arena.start(options, ["--drain-time", `${drainMs}ms`]);
  await arena.attack(kind);
  await pause(options.forMs);
  const start = performance.now();
  await arena.end();
  return { kind, endMs: performance.now() - start, troubles: arena.troubles };
}

/** What came of a broker with little memory. */
export interface MemoryResult {
  readonly kind: string;
  /** Its resident memory at rest, at the highest, and after the attack, in bytes. */
  readonly rss: { readonly rest: number; readonly highest: number; readonly after: number };
  /** What its log tells, with how often. */
  readonly told: readonly string[];
  readonly troubles: readonly string[];
}

/** Attacks a broker that may take little memory; fails if it does not answer at the end. */
export async function memory(kind: string, flags: string[], options: TrialOptions): Promise<MemoryResult> {
  await using arena = await Arena.start(options, flags);
  const rest = await arena.usage();
  arena.watch(LOOK_MS);
  const attackers = await arena.attack(kind);
  await pause(options.forMs);
  await attackers.result();
  await arena.answers();
  const highest = await arena.highest();
  const after = await arena.usage();
  await arena.end();
  return { kind, rss: { rest: rest.rss, highest, after: after.rss }, told: arena.told(), troubles: arena.troubles };
}
