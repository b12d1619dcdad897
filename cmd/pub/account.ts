/**
 * What became of the events that `mq pub` published, and how that is said.
 *
 * @module
 */
import { MqError } from "../../lib/protocol/errors.ts";
import { count } from "../shared/format.ts";

/** How many different reasons of refusals are told. */
const MAX_REASONS = 10;

/** Counts what became of events. */
export class Account {
  /** Events that the broker has taken in, and how many of them nobody heard. */
  confirmed = 0;
  unheard = 0;
  /** Events whose receipt did not come. */
  uncertain = 0;
  #unsent = 0;
  #refused = 0;
  /** Why events were refused, each with how often, and the line of stdin where it was first. */
  readonly #reasons = new Map<string, { times: number; line: number | undefined }>();
  /** Why receipts did not come. */
  #loss: string | undefined;

  /** Whether the connection has broken before all receipts came. */
  get isCut(): boolean {
    return this.uncertain + this.#unsent > 0;
  }

  /** Whether something was refused or lost. */
  get isShort(): boolean {
    return this.isCut || this.#refused > 0;
  }

  /**
   * Counts an event that was not taken in.
   *
   * @param error Why.
   * @param line The line of stdin that it is; undefined if it was typed.
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

  /** What was refused, a sentence for each reason. */
  *refusals(): Generator<string> {
    let told = 0;
    for (const [reason, { times, line }] of this.#reasons) {
      told += times;
      yield `${line === undefined ? "" : `line ${line}: `}${reason}${times > 1 ? ` (${times} times)` : ""}`;
    }
    if (told < this.#refused) yield `${this.#refused - told} more were refused for other reasons`;
  }

  /**
   * What is known of all events, where not all could be published.
   *
   * @param cut Why not all were published; undefined if all were, and receipts did not come.
   */
  summary(cut: string | undefined): string {
    const parts = [`${count(this.confirmed, "event")} confirmed`];
    if (this.uncertain > 0) parts.push(`${this.uncertain} uncertain (published or not, the receipts did not come)`);
    if (this.#unsent > 0) parts.push(`${this.#unsent} not sent`);
    if (this.#refused > 0) parts.push(`${this.#refused} refused`);
    return `${cut ?? this.#loss ?? "The connection was closed"}: ${parts.join(", ")}`;
  }
}
