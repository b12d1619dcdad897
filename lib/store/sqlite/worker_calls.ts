/**
 * Calls what runs in the worker of a store.
 *
 * @module
 */
import { MqError } from "../../protocol/errors.ts";
import type { Call, Reply } from "./calls.ts";

/** A worker, and the calls that wait for its replies. */
export class WorkerCalls {
  readonly #worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "mq store" });
  readonly #pending = new Map<number, PromiseWithResolvers<unknown>>();
  #calls = 0;
  #failure: MqError | undefined;

  /** Starts the worker. */
  constructor() {
    this.#worker.onmessage = ({ data }: { data: Reply }) => this.#settle(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(event.message);
    };
  }

  /**
   * Has the worker carry a call out, after those before it.
   *
   * @param call The call.
   * @returns What it comes to.
   * @throws {MqError} As the method that is called; with the code `store-failed`, if the worker has ended.
   */
  call<T>(call: Call): Promise<T> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const pending = Promise.withResolvers<unknown>();
    this.#pending.set(++this.#calls, pending);
    this.#worker.postMessage({ id: this.#calls, call });
    return pending.promise as Promise<T>;
  }

  #settle(reply: Reply): void {
    const pending = this.#pending.get(reply.id)!;
    this.#pending.delete(reply.id);
    if (reply.error === undefined) pending.resolve(reply.result);
    else pending.reject(new MqError(reply.error.code, reply.error.message));
  }

  /** The worker has ended: nothing can be stored any more. */
  #fail(message: string): void {
    this.#failure = new MqError("store-failed", `The store has stopped: ${message}`);
    for (const { reject } of this.#pending.values()) reject(this.#failure);
    this.#pending.clear();
  }

  /** Whether the worker carries out a call. */
  get isBusy(): boolean {
    return this.#pending.size > 0;
  }

  /** Ends the worker at once. */
  end(): void {
    this.#worker.terminate();
  }
}
