/**
 * Plays a script of the conformance suite against a broker, over bare sockets.
 *
 * @module
 */
import { TimeoutError } from "../../lib/protocol/errors.ts";
import { within } from "../../lib/net/time.ts";
import { expand, show, toBytes, Values } from "./notation.ts";
import type { Action, Script, Step, Way } from "./script.ts";
import { Wire } from "./wire.ts";

/** How long anything that must come may take, in milliseconds: far more than it needs on a busy machine. */
const PATIENCE_MS = 20_000;

/** Whom a script is played against. */
export interface Target {
  hostname: string;
  port: number;
  /** Where classic clients connect, if not at the same port. */
  classicPort?: number;
  /** Tells the broker to go down; resolves when it is. Needed by scripts that say so. */
  goDown?: () => Promise<void>;
  /** How long anything that must come may take, in milliseconds. */
  patienceMs?: number;
}

/** The broker does something else than the script says. The message says where, what was expected, and what came. */
export class Failure extends Error {}

/** There is no broker. */
export class Unreachable extends Error {}

/**
 * Plays a script.
 *
 * @param script The script.
 * @param target The broker.
 * @throws {Failure} If the broker does not do what the script says.
 * @throws {Unreachable} If there is none.
 */
export async function play(script: Script, target: Target): Promise<void> {
  const player = new Player(target);
  let where = script.file;
  try {
    for (const step of script.steps) {
      where = `${script.file}:${step.line}`;
      await player.perform(step);
    }
    where = `${script.file}: at its end`;
    await player.finish();
  } catch (error) {
    if (error instanceof Failure) throw new Failure(`${where}: ${error.message}`);
    throw error;
  } finally {
    player.hangUp();
  }
}

class Player {
  readonly #target: Target;
  readonly #wires = new Map<string, Wire>();
  readonly #values = new Values();
  #down: Promise<void> | undefined;

  constructor(target: Target) {
    this.#target = target;
  }

  /** Does what a step says as many times as it says. */
  async perform({ who, action, times }: Step): Promise<void> {
    for (let time = 1; time <= times; time++) await this.#act(who, action, time);
  }

  /** Closes every connection, in the order in which they were made: nothing may come that was not expected. */
  async finish(): Promise<void> {
    for (const [who, wire] of this.#wires) {
      await wire.closeWrite();
      await this.#expectEnd(who);
    }
    if (this.#down) await this.#wait("the broker should be down", this.#down);
  }

  hangUp(): void {
    for (const wire of this.#wires.values()) wire.hangUp();
  }

  async #act(who: string, action: Action, time: number): Promise<void> {
    switch (action.kind) {
      case "connect":
        return void await this.#connect(who, action.how);
      case "send":
        return await this.#send(who, toBytes(this.#fill(action.text), time));
      case "expect":
        return await this.#expect(who, expand(action.text, time), action.skips);
      case "close":
        return await (await this.#wire(who)).closeWrite();
      case "hang up":
        return (await this.#wire(who)).hangUp();
      case "be closed":
        return await this.#expectEnd(who);
      case "go down":
        this.#down = this.#target.goDown!();
        return;
      case "be down":
        return await this.#wait("the broker should be down", this.#down!);
    }
  }

  /** A connection, made where it is first mentioned. */
  async #wire(who: string): Promise<Wire> {
    return this.#wires.get(who) ?? await this.#connect(who, "plain");
  }

  async #connect(who: string, how: Way): Promise<Wire> {
    const { hostname, port, classicPort = port } = this.#target;
    const address = { hostname, port: how === "classic" ? classicPort : port };
    const connecting = Wire.connect(address, how === "tls");
    const wire = await this.#wait(`${who} should connect`, connecting).catch((error) => {
      connecting.then((late) => late.hangUp());
      throw error;
    });
    this.#wires.set(who, wire);
    const isMissed = wire.end !== undefined && this.#down === undefined;
    if (isMissed) throw new Unreachable(`${who} should connect, but ${wire.end}`);
    return wire;
  }

  #fill(text: string): string {
    try {
      return this.#values.fill(text);
    } catch (error) {
      throw new Failure((error as Error).message);
    }
  }

  async #send(who: string, bytes: Uint8Array): Promise<void> {
    const wire = await this.#wire(who);
    await this.#wait(`${who} should be able to send`, wire.send(bytes));
  }

  async #expect(who: string, expected: string, skips: boolean): Promise<void> {
    const wire = await this.#wire(who);
    const goal = `${who} should get ${show(expected)}`;
    for (;;) {
      const line = await this.#wait(goal, wire.line());
      if (line === null) throw new Failure(`${goal}, but ${wire.end}`);
      if (this.#values.match(expected, line)) return;
      if (!skips) throw new Failure(`${goal}, but got ${show(line)}`);
    }
  }

  /** Waits for the broker to end a connection, and ends the client's side of it. */
  async #expectEnd(who: string): Promise<void> {
    const wire = await this.#wire(who);
    const goal = `${who} should get nothing more and be closed`;
    const line = await this.#wait(goal, wire.line());
    if (line !== null) throw new Failure(`${goal}, but got ${show(line)}`);
    wire.hangUp();
  }

  async #wait<T>(goal: string, promise: Promise<T>): Promise<T> {
    const patienceMs = this.#target.patienceMs ?? PATIENCE_MS;
    try {
      return await within(patienceMs, promise);
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
      throw new Failure(`${goal}, but nothing has come for ${patienceMs} ms`);
    }
  }
}
