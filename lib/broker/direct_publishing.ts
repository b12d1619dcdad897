/**
 * Publishes for those without a connection: the program around the broker, HTTP requests, and the broker itself.
 *
 * @module
 */
import type { Json } from "../protocol/data.ts";
import { MqError, ProtocolError, quote } from "../protocol/errors.ts";
import { checkPublishable, eventLine } from "../protocol/event.ts";
import { isKey, KEY_FORM } from "../protocol/key.ts";
import { type Limits, MAX_HOPS } from "../protocol/limits.ts";
import { type EventHeaders, isClientName } from "../protocol/lines.ts";
import type { Receipt } from "../protocol/responses.ts";
import { takeWord } from "../protocol/text.ts";
import { DirectPublishers } from "./direct_publisher.ts";
import type { Waiter } from "./journal.ts";
import { noStore } from "./no_store.ts";
import type { DirectPublishOptions } from "./options.ts";
import { Publication, type Publisher } from "./publication.ts";
import { unrecognized } from "./publish_line.ts";
import type { Stored } from "./stored.ts";
import type { SystemEvents } from "./system_events.ts";

/** What {@linkcode DirectPublishing} works with. */
export interface DirectPublishingOptions {
  /** The broker's limits. */
  readonly limits: Limits;
  /** The patterns of the events that are recognized. */
  readonly events: readonly string[];
  /** Tells what is published and refused. */
  readonly systemEvents: SystemEvents;
  /** Whether the broker is going down. */
  readonly isClosing: () => boolean;
  /** What a broker with a store has more. */
  readonly stored: () => Stored | undefined;
  /** Checks whether a publisher may publish, and takes an event from its rate. */
  readonly admit: (publisher: Publisher) => void;
  /** Publishes an event; returns for how many subscribers it is queued, or undefined if nothing recognizes it. */
  readonly publish: (
    event: Publication,
    publisher: Publisher,
    isGuess?: boolean,
    waiter?: Waiter,
  ) => number | undefined;
}

/** Publishes events that come by no connection. */
export class DirectPublishing {
  readonly #options: DirectPublishingOptions;
  readonly #publishers: DirectPublishers;

  /**
   * Makes it.
   *
   * @param options What it works with.
   */
  constructor(options: DirectPublishingOptions) {
    this.#options = options;
    this.#publishers = new DirectPublishers(options.limits.eventsPerSecond);
  }

  /** See {@linkcode Broker.publish}. */
  publish(name: string, data: Json | undefined, options: DirectPublishOptions): Receipt {
    return this.#from(name, options, (publisher) => this.#publish(publisher, name, data, options));
  }

  /** See {@linkcode Broker.publishConfirmed}. */
  async publishConfirmed(
    name: string,
    data: Json | undefined,
    options: DirectPublishOptions & { key?: string },
  ): Promise<Receipt> {
    const { key, scope } = options;
    if (key !== undefined && scope !== "listen") return await this.#publishOnce(key, name, data, options);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { settled: (error?: ProtocolError) => error === undefined ? resolve() : reject(error) };
    const receipt = this.#from(name, options, (publisher) => this.#publish(publisher, name, data, options, waiter));
    if (receipt.stored) await promise;
    return receipt;
  }

  /**
   * Publishes an event that the broker has kept or made; what refuses it is told.
   *
   * @param event The event.
   */
  publishOwn(event: Publication): void {
    const { publish, systemEvents } = this.#options;
    const publisher = this.#publishers.publisher(event.from, "all");
    try {
      publish(event, publisher);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      systemEvents.refusedLine(publisher, error, takeWord(event.line)[0]);
    }
  }

  async #publishOnce(
    key: string,
    name: string,
    data: Json | undefined,
    options: DirectPublishOptions,
  ): Promise<Receipt> {
    const { promise, resolve, reject } = Promise.withResolvers<Receipt>();
    this.#from(name, options, (publisher) => {
      const publish = () => {
        const receipt = this.#publish(publisher, name, data, options, { settled: () => {} });
        return JSON.stringify(receipt);
      };
      this.#storedForKey(key).publishOnce(key, publish, (receipt, error) => {
        if (error === undefined) resolve(JSON.parse(receipt!));
        else reject(error);
      });
    });
    return await promise;
  }

  #storedForKey(key: string): Stored {
    const stored = this.#options.stored();
    if (stored === undefined) throw noStore("publish with a key");
    if (!isKey(key)) {
      throw new ProtocolError("bad-arguments", `Cannot publish with the key ${quote(key)}: it takes ${KEY_FORM}`);
    }
    return stored;
  }

  #publish(
    publisher: Publisher,
    name: string,
    data: Json | undefined,
    options: DirectPublishOptions,
    waiter?: Waiter,
  ): Receipt {
    const { address } = options;
    const { publish, events, systemEvents } = this.#options;
    const event = this.#makeEvent(name, data, options, publisher);
    const receivers = publish(event, publisher, false, waiter);
    if (receivers === undefined) throw unrecognized(event.line, events);
    const receipt: Receipt = { id: event.id, receivers, ...(event.isStored && waiter && { stored: true }) };
    if (address !== undefined) systemEvents.publishedDirectly(publisher, address, { name, ...receipt });
    return receipt;
  }

  /** Has a publisher without a connection publish; what is refused is told. */
  #from<T>(
    name: string,
    { from = "broker", scope = "all", limitBy }: DirectPublishOptions,
    publish: (from: Publisher) => T,
  ): T {
    const { isClosing, systemEvents } = this.#options;
    if (isClosing()) throw new MqError("draining", "Cannot publish: the broker is going down");
    if (!isClientName(from)) throw new TypeError(`Cannot publish in the name of ${quote(from)}: it takes one word`);
    const publisher = this.#publishers.publisher(from, scope, limitBy);
    try {
      return publish(publisher);
    } catch (error) {
      const isRefusal = error instanceof ProtocolError && error.code !== "unrecognized";
      if (isRefusal) systemEvents.refusedLine(publisher, error, name);
      throw error;
    }
  }

  /** Makes the event of a publisher without a connection. A malformed one needs permission, too, and counts for its rate. */
  #makeEvent(name: string, data: Json | undefined, options: DirectPublishOptions, publisher: Publisher): Publication {
    try {
      const line = eventLine(name, data, { raw: options.raw, maxBytes: this.#options.limits.lineBytes });
      return new Publication(line, publisher.name, headersOf(options));
    } catch (error) {
      this.#options.admit(publisher);
      throw error;
    }
  }
}

function headersOf({ hops = 0, reply }: DirectPublishOptions): EventHeaders | undefined {
  if (!(Number.isInteger(hops) && hops >= 0 && hops <= MAX_HOPS)) {
    throw new RangeError(`Cannot publish with ${hops} hops: it takes a whole number from 0 to ${MAX_HOPS}`);
  }
  if (reply !== undefined) checkPublishable(reply);
  return hops === 0 && reply === undefined ? undefined : { hops, reply };
}
