/**
 * The requests of a client that wait for their replies.
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

/** The default timeout of a request, in milliseconds. */
const REQUEST_TIMEOUT_MS = 5000;

/** The longest timeout of a timer, in milliseconds. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** A request that waits for its reply. */
interface Request {
  /** The name of the request. */
  readonly name: string;
  readonly reply: PromiseWithResolvers<MqEvent>;
  /** Whether it was sent: if the connection breaks after that, the reply may be lost. */
  isSent: boolean;
}

/** Publishes a request as soon as there is a connection, and calls `onSend` then; not if the signal is aborted before. */
export type PublishRequest = (replyTo: string, onSend: () => void, signal: AbortSignal) => Promise<Receipt>;

/**
 * Publishes requests and receives their replies, with one pattern for all of them.
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
   * Makes an inbox: a pattern that no other client has.
   *
   * @param inbox The first token of the pattern, from the broker's `/hello`.
   */
  constructor(inbox: string) {
    this.#prefix = `${inbox}.${monotonicUlid()}`;
    this.patterns = [new Pattern(`${this.#prefix}.>`)];
    this.#ready.promise.catch(() => {}); // Each request waits for it.
  }

  /** Whether the broker has refused the pattern, or the client is closed. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /**
   * Publishes a request and waits for its reply. It is not published before the broker has subscribed the connection to the
   * pattern, so that the reply can be received.
   *
   * @param name The name of the request.
   * @param publish Publishes it; is given the name for the reply.
   * @param options The timeout, and a signal that stops waiting.
   * @returns The reply.
   * @throws As {@linkcode Client.request}.
   */
  async request(
    name: string,
    publish: PublishRequest,
    { timeoutMs = REQUEST_TIMEOUT_MS, signal }: Pick<RequestOptions, "timeoutMs" | "signal"> = {},
  ): Promise<MqEvent> {
    const replyTo = `${this.#prefix}.${++this.#count}`;
    const over = new AbortController();
    try {
      return await within(timeoutMs, this.#ask(name, replyTo, publish, over.signal), signal);
    } catch (cause) {
      if (!(cause instanceof TimeoutError)) throw cause;
      throw new TimeoutError("timeout", `No reply to ${quote(name)} within ${timeoutMs} ms`, { cause });
    } finally {
      this.#pending.delete(replyTo); // A reply that arrives later is dropped.
      over.abort(); // What was not sent is not sent any more.
    }
  }

  async #ask(name: string, replyTo: string, publish: PublishRequest, over: AbortSignal): Promise<MqEvent> {
    const request: Request = { name, reply: Promise.withResolvers(), isSent: false };
    request.reply.promise.catch(() => {}); // The receipt is waited for first.
    this.#pending.set(replyTo, request);
    await this.#ready.promise;
    if (!this.#pending.has(replyTo)) return await request.reply.promise; // It has timed out meanwhile.
    const { receivers } = await publish(replyTo, () => request.isSent = true, over);
    if (receivers === 0) throw new MqError("no-responders", `Nobody receives ${quote(name)}, so nobody can reply`);
    return await request.reply.promise;
  }

  /** Rejects the requests that were sent over the connection: their replies may be lost. */
  onDisconnect(reason: ConnectionError): void {
    this.#reject(reason, ({ isSent }) => isSent);
  }

  onEvent(event: MqEvent): void {
    const failed = `.${ERROR_TOKEN}`;
    const isError = event.name.endsWith(failed);
    const replyTo = isError ? event.name.slice(0, -failed.length) : event.name;
    const request = this.#pending.get(replyTo);
    if (request === undefined) return; // The request has timed out, or has a reply already.
    this.#pending.delete(replyTo);
    if (isError) request.reply.reject(requestFailed(request.name, event));
    else request.reply.resolve(event);
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
      request.reply.reject(reason);
    }
  }
}

/**
 * Checks the timeout of a request.
 *
 * @param timeoutMs The timeout, in milliseconds; undefined for the default.
 * @throws {RangeError} If it is not from 1 to 2,147,483,647.
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
  throw new RangeError(`Cannot wait ${timeoutMs} ms for a reply: it takes 1 to ${MAX_TIMEOUT_MS}`);
}

function requestFailed(name: string, { data, text }: MqEvent): MqError {
  const why = visible(typeof data === "string" ? data : text) || "no reason was given";
  return new MqError("request-failed", `The request ${quote(name)} failed: ${why}`);
}
