/**
 * The responses of one connection, in the order of its lines: some have to wait for the disk, and those of later lines come
 * behind them (docs/protocol.md, 5.2).
 *
 * @module
 */
import { afterCurrentTick } from "../net/ticks.ts";
import type { ProtocolError } from "../protocol/errors.ts";
import { formatErr, formatOk } from "../protocol/lines.ts";

/** A response that is not known yet. */
export class PendingResponse {
  #text: string | undefined;
  #onReady = () => {};

  /** The response, without its LF; undefined as long as it is not known. */
  get text(): string | undefined {
    return this.#text;
  }

  /**
   * Says what the response is.
   *
   * @param text The response, without its LF.
   */
  resolve(text: string): void {
    this.#text = text;
    this.#onReady();
  }

  /**
   * Has a function called when the response is known.
   *
   * @param call The function.
   */
  onReady(call: () => void): void {
    this.#onReady = call;
  }
}

/**
 * Makes a response of what a promise comes to.
 *
 * @param what The verb.
 * @param result The JSON value of the response.
 * @param asError Makes the error to send of what the promise rejects with.
 * @returns The response.
 */
export function whenDone(
  what: string,
  result: Promise<unknown>,
  asError: (error: unknown) => ProtocolError,
): PendingResponse {
  const response = new PendingResponse();
  result.then(
    (value) => response.resolve(formatOk(what, value)),
    (error) => response.resolve(formatErr(what, asError(error))),
  );
  return response;
}

/** A response: a line without its LF, bytes with it, one that is not known yet, or what is done in its place. */
export type Response = string | Uint8Array | PendingResponse | (() => void);

/** Sends the responses of a connection in their order. */
export class ResponseQueue {
  readonly #send: (text: string | Uint8Array) => void;
  #waiting: Response[] = [];
  #isScheduled = false;

  /**
   * Makes an empty queue.
   *
   * @param send Sends whole lines, each with its LF.
   */
  constructor(send: (text: string | Uint8Array) => void) {
    this.#send = send;
  }

  /** Whether a response has to wait. */
  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /**
   * Sends a response, now or when all before it are sent.
   *
   * @param response The response.
   */
  push(response: Response): void {
    if (response instanceof PendingResponse) {
      this.#waiting.push(response);
      if (response.text === undefined) response.onReady(() => this.#schedule());
      else this.#schedule();
    } else if (this.isWaiting) this.#waiting.push(response);
    else this.#carryOut(response);
  }

  #carryOut(response: Exclude<Response, PendingResponse>): void {
    if (typeof response === "function") response();
    else this.#send(typeof response === "string" ? response + "\n" : response);
  }

  /** Once for all that become known in this tick. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    afterCurrentTick(() => this.#flush());
  }

  #flush(): void {
    this.#isScheduled = false;
    const isUnknown = (response: Response) => response instanceof PendingResponse && response.text === undefined;
    const known = this.#waiting.findIndex(isUnknown);
    const ready = this.#waiting.splice(0, known === -1 ? this.#waiting.length : known);
    let text = "";
    for (const response of ready) {
      if (response instanceof PendingResponse) text += response.text + "\n";
      else if (typeof response === "string") text += response + "\n";
      else {
        if (text !== "") this.#send(text);
        text = "";
        this.#carryOut(response);
      }
    }
    if (text !== "") this.#send(text);
  }

  /** Forgets all responses that wait: nobody reads them any more. */
  clear(): void {
    this.#waiting = [];
  }
}
