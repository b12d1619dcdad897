/**
 * Publishes the events of `mq pub`, and prints what becomes of them.
 *
 * @module
 */
import { dim } from "@std/fmt/colors";
import type { Client } from "../../lib/client.ts";
import { dataFromText, jsonError, likelyJsonError } from "../../lib/protocol/data.ts";
import { MqError, ProtocolError } from "../../lib/protocol/errors.ts";
import { MqEvent } from "../../lib/protocol/event.ts";
import type { DelayReceipt, Receipt } from "../../lib/protocol/responses.ts";
import type { PubFlags } from "../pub.ts";
import { count, formatJson, formatWhen } from "../shared/format.ts";
import { readInput } from "../shared/input.ts";
import { aborted, type Io } from "../shared/stdio.ts";
import { Results } from "./results.ts";

/** How many receipts may be outstanding at a time, and for how much data. */
const MAX_PENDING = 1000;
const MAX_PENDING_CHARACTERS = 1024 * 1024;

/** How long to wait for outstanding receipts after Ctrl-C, in milliseconds. */
const GRACE_MS = 2000;

const INTERRUPTED = "Interrupted";

/** Publishes events and counts the results. */
export class Publisher {
  readonly #client: Client;
  readonly #name: string;
  readonly #flags: PubFlags;
  readonly #io: Io;
  readonly #pending = new Set<Promise<void>>();
  readonly #results = new Results();
  #pendingCharacters = 0;
  /** The lines of stdin that begin like JSON but are not, and the first of them. */
  #mistakes = { count: 0, first: "" };
  /** Why stdin was not published to its end. */
  #stopReason: string | undefined;

  constructor(client: Client, name: string, flags: PubFlags, io: Io) {
    this.#client = client;
    this.#name = name;
    this.#flags = flags;
    this.#io = io;
  }

  /** Publishes an event for each line of stdin, until the signal is aborted. */
  async publishLines(signal: AbortSignal): Promise<void> {
    await readInput(this.#io.stdin, {
      onLine: (line, number) => this.#publishLine(line, number),
      onFault: ({ code, message }, number) =>
        this.#results.fail(new ProtocolError(code, `${code}: ${message}`), number),
    }, { maxLineBytes: this.#client.hello.limits.lineBytes, signal });
    const { aborted, reason } = signal;
    if (aborted) this.#stopReason = reason instanceof MqError ? reason.message : INTERRUPTED;
  }

  #publishLine(line: string, number: number): Promise<void> | void {
    const mistake = line === "" ? undefined : this.#flags["json-data"] ? jsonError(line) : likelyJsonError(line);
    if (mistake !== undefined) {
      if (this.#flags["json-data"]) {
        return this.#results.fail(new ProtocolError("invalid-data", `Not JSON: ${mistake}`), number);
      }
      if (this.#mistakes.count++ === 0) this.#mistakes.first = `line ${number}: ${mistake}`;
    }
    return this.publish(line, number);
  }

  /** Publishes an event. Waits only while too many receipts are outstanding. */
  async publish(text: string, line?: number): Promise<void> {
    const task = this.#await(dataFromText(text), line).finally(() => {
      this.#pending.delete(task);
      this.#pendingCharacters -= text.length;
    });
    this.#pending.add(task);
    this.#pendingCharacters += text.length;
    const isEnough = this.#pending.size >= MAX_PENDING || this.#pendingCharacters >= MAX_PENDING_CHARACTERS;
    if (isEnough) await Promise.race(this.#pending);
  }

  /** Waits for all receipts and reports the results; resolves to the exit code. */
  async finish(): Promise<number> {
    await Promise.race([Promise.all(this.#pending), this.#interrupted()]);
    const results = this.#results;
    results.uncertain += this.#pending.size;
    this.#reportMistakes();
    for (const refusal of results.refusals()) this.#log(refusal);
    if (results.withoutReceiver > 0) this.#log(results.describeWithoutReceiver(this.#name));
    if (this.#stopReason !== undefined || results.isIncomplete) this.#reportIncomplete();
    return this.#stopReason !== undefined || results.hasFailures ? 1 : 0;
  }

  #reportIncomplete(): void {
    const reason = this.#io.signal.aborted ? INTERRUPTED : this.#stopReason;
    if (this.#io.stdout.failure === undefined) this.#log(this.#results.summary(reason));
  }

  /** Resolves some time after Ctrl-C. */
  async #interrupted(): Promise<void> {
    await aborted(this.#io.signal);
    await aborted(AbortSignal.timeout(GRACE_MS));
  }

  async #await(text: string, line: number | undefined): Promise<void> {
    try {
      const data = text === "" ? undefined : text;
      const { hops, key, in: delayMs } = this.#flags;
      if (delayMs !== undefined) {
        this.#printDelayed(text, await this.#client.publishLater(this.#name, data, delayMs, { raw: true, hops }));
      } else this.#print(text, await this.#client.publishConfirmed(this.#name, data, { raw: true, hops, key }));
      this.#results.confirmed++;
    } catch (error) {
      if (!(error instanceof MqError)) throw error;
      this.#results.fail(error, line);
    }
  }

  #print(text: string, { id, ...receipt }: Receipt): void {
    const { receivers, stored, duplicate } = receipt;
    if (duplicate) this.#log(`${this.#name} was published before with the key ${this.#flags.key}, and is not again`);
    else if (receivers === 0) this.#results.countWithoutReceiver(stored === true);
    if (this.#flags.json) {
      const event = new MqEvent(this.#name, text, { id, from: this.#flags.name });
      this.#io.stdout.line(formatJson(event, { ...receipt }));
    } else if (this.#io.stdout.isTerminal && receivers > 0) {
      this.#io.stdout.line(dim(`${this.#name} was delivered to ${count(receivers, "client")}`));
    }
  }

  #printDelayed(text: string, { id, due }: DelayReceipt): void {
    if (this.#flags.json) {
      const event = new MqEvent(this.#name, text, { id, from: this.#flags.name });
      return this.#io.stdout.line(formatJson(event, { due }));
    }
    const when = `${this.#name} will be published at ${formatWhen(new Date(due))}`;
    this.#io.stdout.line(`${when}; to take it back: mq cancel ${id}`);
  }

  #reportMistakes(): void {
    const { count: number, first } = this.#mistakes;
    if (number === 0) return;
    const which = number === 1 ? first : `${count(number, "line")}, the first is ${first}`;
    this.#log(`published as text, because it begins like JSON but is not valid: ${which}`);
  }

  #log(text: string): void {
    this.#io.stderr.line(`mq pub: ${text}`);
  }
}
