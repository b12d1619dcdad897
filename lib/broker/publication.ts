/**
 * An event on its way through a broker, and who publishes it.
 *
 * @module
 */
import { monotonicUlid } from "@std/ulid";
import type { EventFormat, Outgoing } from "../net/codec.ts";
import { type EventHeaders, formatHeaders } from "../protocol/lines.ts";
import type { StoredEvent } from "../store/record.ts";
import type { BoundedCounter } from "./system_events.ts";
import type { Route } from "./router.ts";
import type { SubscriberGroup } from "./subscriber_group.ts";

/** Who publishes events: a connection, or whoever calls {@linkcode Broker.publish}. */
export interface Publisher {
  /** The ULID of the connection; empty where there is none. */
  readonly id: string;
  /** Its name, which subscribers are told. */
  readonly name: string;
  /** Whether it gets its own events. */
  readonly echo: boolean;
  /** The group of subscribers that it belongs to, if it is a connection that subscribes. */
  readonly group?: SubscriberGroup;
  /** Whether it is a connection that has left: no system event about it follows. */
  readonly isGone?: boolean;
  /** Whether its token allows it to publish. */
  readonly mayPublish: boolean;
  /**
   * Has it wait before it publishes more, if it can: more is to be stored than the disk takes.
   *
   * @param until What it waits for.
   */
  holdBack?(until: Promise<void>): void;
  /** Counts what it was refused for, and the names that were not recognized. */
  readonly causes: BoundedCounter;
  /** The route of its last event: the next is likely to take the same. */
  route: Route | undefined;
  /** How many of its events were recognized. */
  published: number;
  /**
   * Takes an event from its rate.
   *
   * @returns Whether it publishes too fast, so that it has to wait.
   * @throws {ProtocolError} With the code `rate-limited`, if it publishes too fast and cannot be made to wait.
   */
  takeEvent(): boolean;
}

/**
 * An event on its way. Its id and the lines that subscribers with metadata get are made when they are first asked for,
 * once for all subscribers: most events need neither.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const event = new Publication('create {"id":1}', "shop");
 * assertEquals(event.metaLine, `/event ${event.id} shop create {"id":1}`);
 * ```
 */
export class Publication implements Outgoing {
  /** The event as a line, without the LF. */
  readonly line: string;
  /** The name of the publisher. */
  readonly from: string;
  /** What the publisher says of the event besides; undefined for nothing. */
  readonly headers: EventHeaders | undefined;
  /** The message that the event came as, if it was no line. */
  source: unknown;
  /** Whether it is, or will be, in the broker's store. */
  isStored = false;
  #id: string | undefined;
  #metaLine: string | undefined;

  /**
   * Makes an event.
   *
   * @param line The event as a line, without the LF.
   * @param from The name of the publisher.
   * @param headers What the publisher says of the event besides.
   * @param source The message that it came as, if it was no line.
   */
  constructor(line: string, from: string, headers?: EventHeaders, source?: unknown) {
    this.line = line;
    this.from = from;
    this.headers = headers;
    this.source = source;
  }

  /**
   * Makes an event of one that is stored.
   *
   * @param stored The stored event.
   * @returns The same event, with its id.
   */
  static of({ id, from, headers, line }: StoredEvent): Publication {
    const event = new Publication(line, from, headers);
    event.#id = id;
    return event;
  }

  /** The ULID of the event. */
  get id(): string {
    return this.#id ??= monotonicUlid();
  }

  /** The event as a store keeps it: see lib/store/record.ts. */
  get record(): string {
    return `${this.id} ${this.from} ${this.headers === undefined ? "" : formatHeaders(this.headers)}${this.line}`;
  }

  /** The event with its id and publisher. */
  get metaLine(): string {
    return this.#metaLine ??= `/event ${this.id} ${this.from} ${this.line}`;
  }
}

/** The event as it was published. */
export const PLAIN: EventFormat<Publication> = { key: "plain", write: (event) => event.line };

/** The event with its id and publisher. */
const META: EventFormat<Publication> = { key: "meta", write: (event) => event.metaLine };

const [HOPS, REPLY, HOPS_AND_REPLY] = [
  metaFormat("hops", ({ hops }) => ({ hops })),
  metaFormat("reply", ({ reply }) => ({ reply })),
  metaFormat("hops reply", (headers) => headers),
];

/**
 * The format that a client of the line protocol has asked for with `/hello`.
 *
 * @param wanted Whether it wants events with their id and publisher and, if so, with their headers.
 * @returns The format.
 */
export function lineFormat(
  { meta, hops, reply }: { meta: boolean; hops: boolean; reply: boolean },
): EventFormat<Publication> {
  if (!meta) return PLAIN;
  if (hops) return reply ? HOPS_AND_REPLY : HOPS;
  return reply ? REPLY : META;
}

/** A format with those of an event's headers that a client knows. */
function metaFormat(key: string, known: (headers: EventHeaders) => EventHeaders): EventFormat<Publication> {
  return {
    key,
    write(event) {
      if (event.headers === undefined) return event.metaLine;
      return `/event ${event.id} ${event.from} ${formatHeaders(known(event.headers))}${event.line}`;
    },
  };
}
