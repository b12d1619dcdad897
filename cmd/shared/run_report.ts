/**
 * Reports the runs of `mq on` and `mq reply`: one line for people on stderr, or one JSON object on stdout.
 *
 * @module
 */
import type { MqEvent } from "../../lib/protocol/event.ts";
import { formatDuration, formatJson } from "./format.ts";
import type { Run } from "./handler.ts";
import type { Io } from "./stdio.ts";

/** The reports of one command. */
export class RunReport {
  readonly #command: string;
  readonly #isJson: boolean;
  readonly #io: Io;

  constructor(command: string, isJson: boolean, io: Io) {
    this.#command = command;
    this.#isJson = isJson;
    this.#io = io;
  }

  /**
   * Reports a run.
   *
   * @param next What is done next; null for nothing.
   */
  run(event: MqEvent, attempt: number, { ok, ended, ms }: Run, next: string | null): void {
    if (this.#isJson) {
      return this.#io.stdout.line(formatJson(event, { attempt, ms: Math.round(ms), ok, ended, next }));
    }
    const which = `${event.name} ${event.id}${attempt > 1 ? `, attempt ${attempt}` : ""}`;
    this.log(`${which}: ${ended} (${formatDuration(ms)})${next === null ? "" : `; ${next}`}`);
  }

  /** Reports an event for which nothing is run. */
  refusal(event: MqEvent, ended: string): void {
    if (this.#isJson) this.run(event, 0, { ok: false, ended, ms: 0 }, "given up");
    else this.log(`${event.name} ${event.id}: ${ended}`);
  }

  /** Prints a line on stderr. */
  log(text: string): void {
    this.#io.stderr.line(`mq ${this.#command}: ${text}`);
  }
}

/** Why an event that so many handlers have republished is not handled. */
export function loopWarning(hops: number): string {
  return `not handled: ${hops} handlers have republished it; ` +
    "if they form a loop, change what one of them subscribes to or publishes";
}
