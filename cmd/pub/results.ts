/**
 * Counts the results of the events that `mq pub` publishes, and reports them.
 *
 * @module
 */
import { MqError } from "../../lib/protocol/errors.ts";
import { count } from "../shared/format.ts";

/** How many different reasons of refusals are reported. */
const MAX_REASONS = 10;

/** The results of published events. */
export class Results {
  /** Events with a receipt. */
  confirmed = 0;
  /** Events with a receipt that no client received. */
  withoutReceiver = 0;
  /** Those of them that are stored: a client may receive them later. */
  #stored = 0;
  /** Events that were sent and have no receipt. */
  uncertain = 0;
  #unsent = 0;
  #refused = 0;
  /** Why events were refused: how many times each, and the first line of stdin. */
  readonly #reasons = new Map<string, { times: number; line: number | undefined }>();
  /** Why receipts are missing. */
  #loss: string | undefined;

  /** Whether receipts are missing. */
  get isIncomplete(): boolean {
    return this.uncertain + this.#unsent > 0;
  }

  /** Whether an event was refused, or its receipt is missing. */
  get hasFailures(): boolean {
    return this.isIncomplete || this.#refused > 0;
  }

  /** Counts an event that no client received. */
  countWithoutReceiver(isStored: boolean): void {
    this.withoutReceiver++;
    if (isStored) this.#stored++;
  }

  /** Which events no client received, in one sentence. */
  describeWithoutReceiver(name: string): string {
    const which = this.confirmed === 1 ? name : `${this.withoutReceiver} of ${count(this.confirmed, "event")}`;
    if (this.#stored < this.withoutReceiver) return `nobody received ${which}`;
    if (this.confirmed === 1) return `${name} is stored; no subscriber received it`; // A group may work on it.
    return `no subscriber received ${which}; they are stored`;
  }

  /**
   * Counts an event that failed.
   *
   * @param error Why it failed.
   * @param line Its line of stdin; undefined if it comes from the command line.
   */
  fail(error: MqError, line: number | undefined): void {
    if (error.code === "unconfirmed") {
      this.uncertain++;
      this.#loss = error.cause instanceof MqError ? error.cause.message : error.message;
    } else if (error.code === "closed") this.#unsent++;
    else this.#refuse(error.message, line);
  }

  #refuse(reason: string, line: number | undefined): void {
    this.#refused++;
    const known = this.#reasons.get(reason);
    if (known) known.times++;
    else if (this.#reasons.size < MAX_REASONS) this.#reasons.set(reason, { times: 1, line });
  }

  /** One sentence per reason of refusals. */
  *refusals(): Generator<string> {
    let reported = 0;
    for (const [reason, { times, line }] of this.#reasons) {
      reported += times;
      yield `${line === undefined ? "" : `line ${line}: `}${reason}${times > 1 ? ` (${times} times)` : ""}`;
    }
    if (reported < this.#refused) yield `${this.#refused - reported} more were refused for other reasons`;
  }

  /**
   * The totals, in one sentence.
   *
   * @param stopReason Why not all events were published; undefined if all were, but receipts are missing.
   */
  summary(stopReason: string | undefined): string {
    const parts = [`${count(this.confirmed, "event")} confirmed`];
    if (this.uncertain > 0) parts.push(`${this.uncertain} uncertain (sent, but without a receipt)`);
    if (this.#unsent > 0) parts.push(`${this.#unsent} not sent`);
    if (this.#refused > 0) parts.push(`${this.#refused} refused`);
    return `${stopReason ?? this.#loss ?? "The connection was closed"}: ${parts.join(", ")}`;
  }
}
