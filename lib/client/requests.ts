/**
 * The requests of a client that wait for an answer, and the names under which the answers come.
 *
 * @module
 */
import { monotonicUlid } from "@std/ulid";
import { within } from "../net/time.ts";
import { type ConnectionError, MqError, quote, TimeoutError, visible } from "../protocol/errors.ts";
import { ERROR_TOKEN, type MqEvent } from "../protocol/event.ts";
import { Pattern } from "../protocol/pattern.ts";
import type { Receiver } from "./dispatcher.ts";
import type { Receipt } from "../protocol/responses.ts";
import type { RequestOptions } from "./options.ts";

/** How long an answer may take unless a request says otherwise, in milliseconds. */
const REQUEST_TIMEOUT_MS = 5000;

/** The longest time that a timer can wait, in milliseconds. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** A request that waits for its answer. */
interface Request {
  /** The name of the event that asks. */
  readonly name: string;
  readonly answer: PromiseWithResolvers<MqEvent>;
  /** Whether it was sent: if the connection breaks from then on, the answer may be lost. */
  isSent: boolean;
}

/** Publishes a request, and calls `onSend` as soon as there is a connection. */
export type PublishRequest = (replyTo: string, onSend: () => void) => Promise<Receipt>;

/**
 * Receives the answers to a client's requests, by one pattern for all of them.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { MqEvent } from "../protocol/event.ts";
 *
 * const requests = new Requests("_INBOX");
 * requests.onReady();
 * const publish = (replyTo: string) => {
 *   requests.onEvent(new MqEvent(replyTo, "7"));
 *   return Promise.resolve({ id: "01", receivers: 1 });
 * };
 * assertEquals((await requests.request("price", publish)).data, 7);
 * ```
 */
export class Requests implements Receiver {
  readonly patterns: readonly Pattern[];
  readonly #prefix: string;
  readonly #ready = Promise.withResolvers<void>();
  readonly #pending = new Map<string, Request>();
  #count = 0;
  #isOver = false;

  /**
   * Makes an inbox of its own.
   *
   * @param inbox The first token of its names, as the broker says.
   */
  constructor(inbox: string) {
    this.#prefix = `${inbox}.${monotonicUlid()}`;
    this.patterns = [new Pattern(`${this.#prefix}.>`)];
    this.#ready.promise.catch(() => {}); // Told to each request, if there is one.
  }

  /** Whether it can be used no more, because the broker has refused it. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /**
   * Publishes a request and waits for its answer. What cannot be answered is not published: first, the broker must have
   * taken the pattern in.
   *
   * @param name The name of the event that asks.
   * @param publish Publishes it; is given the name for its answer.
   * @param options How long the answer may take, and a signal that ends the waiting.
   * @returns The answer.
   * @throws As {@linkcode Client.request}.
   */
  async request(
    name: string,
    publish: PublishRequest,
    { timeoutMs = REQUEST_TIMEOUT_MS, signal }: Pick<RequestOptions, "timeoutMs" | "signal"> = {},
  ): Promise<MqEvent> {
    const replyTo = `${this.#prefix}.${++this.#count}`;
    try {
      return await within(timeoutMs, this.#ask(name, replyTo, publish), signal);
    } catch (cause) {
      if (!(cause instanceof TimeoutError)) throw cause;
      throw new TimeoutError("timeout", `No answer to ${quote(name)} within ${timeoutMs} ms`, { cause });
    } finally {
      this.#pending.delete(replyTo); // An answer that comes now is dropped.
    }
  }

  async #ask(name: string, replyTo: string, publish: PublishRequest): Promise<MqEvent> {
    const request: Request = { name, answer: Promise.withResolvers(), isSent: false };
    request.answer.promise.catch(() => {}); // Others are waited for first.
    this.#pending.set(replyTo, request);
    await this.#ready.promise;
    if (!this.#pending.has(replyTo)) return await request.answer.promise; // The time has run out meanwhile.
    const { receivers } = await publish(replyTo, () => request.isSent = true);
    if (receivers === 0) throw new MqError("no-responders", `Nobody receives ${quote(name)}, so nobody can answer it`);
    return await request.answer.promise;
  }

  /** Rejects what can no longer be answered, since the broker has forgotten the pattern with the connection. */
  onDisconnect(reason: ConnectionError): void {
    this.#reject(reason, ({ isSent }) => isSent);
  }

  onEvent(event: MqEvent): void {
    const failed = `.${ERROR_TOKEN}`;
    const isError = event.name.endsWith(failed);
    const replyTo = isError ? event.name.slice(0, -failed.length) : event.name;
    const request = this.#pending.get(replyTo);
    if (request === undefined) return; // It comes too late, or is the second.
    this.#pending.delete(replyTo);
    if (isError) request.answer.reject(requestFailed(request.name, event));
    else request.answer.resolve(event);
  }

  onReady(): void {
    this.#ready.resolve();
  }

  onRefused(error: MqError): void {
    this.#isOver = true;
    this.#ready.reject(error);
    this.#reject(error);
  }

  onClosed(reason: ConnectionError): void {
    this.onRefused(reason);
  }

  #reject(reason: MqError, isMeant: (request: Request) => boolean = () => true): void {
    for (const [replyTo, request] of this.#pending) {
      if (!isMeant(request)) continue;
      this.#pending.delete(replyTo);
      request.answer.reject(reason);
    }
  }
}

/**
 * Checks how long an answer may take.
 *
 * @param timeoutMs The time, in milliseconds; undefined for the default.
 * @throws {RangeError} If it is less than 1, or longer than a timer can wait.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 *
 * checkTimeout(250);
 * assertThrows(() => checkTimeout(Infinity), RangeError);
 * ```
 */
export function checkTimeout(timeoutMs: number = REQUEST_TIMEOUT_MS): void {
  if (timeoutMs >= 1 && timeoutMs <= MAX_TIMEOUT_MS) return;
  throw new RangeError(`Cannot wait ${timeoutMs} ms for an answer: it takes 1 to ${MAX_TIMEOUT_MS}`);
}

function requestFailed(name: string, { data, text }: MqEvent): MqError {
  const why = visible(typeof data === "string" ? data : text) || "no reason was given";
  return new MqError("request-failed", `The request ${quote(name)} failed: ${why}`);
}
