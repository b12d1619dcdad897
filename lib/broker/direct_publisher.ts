/**
 * Publishers without a connection: programs around the broker, and those for whom they speak, such as HTTP requests.
 *
 * @module
 */
import { ProtocolError } from "../protocol/errors.ts";
import type { Scope } from "../protocol/tokens.ts";
import { BoundedCounter } from "./system_events.ts";
import type { Publisher } from "./publication.ts";
import { RateLimiter } from "./rate_limiter.ts";
import type { Route } from "./router.ts";

/** How many sources are remembered with their rate. Past that, the one that has published nothing for longest is forgotten. */
const MAX_SOURCES = 10_000;

/** What is remembered of those who publish under one key. */
interface Source {
  readonly causes: BoundedCounter;
  readonly limiter: RateLimiter | undefined;
  route: Route | undefined;
}

/** A publisher without a connection. */
export class DirectPublisher implements Publisher {
  readonly id = "";
  readonly name: string;
  readonly echo = true;
  readonly mayPublish: boolean;
  published = 0;
  readonly #source: Source;

  /**
   * Makes a publisher.
   *
   * @param name Its name, which subscribers are told.
   * @param scope What its token allows.
   * @param source What is remembered of it.
   */
  constructor(name: string, scope: Scope, source: Source) {
    this.name = name;
    this.mayPublish = scope !== "listen";
    this.#source = source;
  }

  get causes(): BoundedCounter {
    return this.#source.causes;
  }

  get route(): Route | undefined {
    return this.#source.route;
  }

  set route(route: Route | undefined) {
    this.#source.route = route;
  }

  /**
   * Takes an event from its rate.
   *
   * @returns False: it is not too fast.
   * @throws {ProtocolError} With the code `rate-limited`, if it is.
   */
  takeEvent(): boolean {
    const { limiter } = this.#source;
    if (limiter === undefined || limiter.tryTake()) return false;
    const message = `Cannot publish more than ${limiter.perSecond} events a second: try again in a second`;
    throw new ProtocolError("rate-limited", message);
  }
}

/** The sources of a broker's direct publishers. */
export class DirectPublishers {
  readonly #eventsPerSecond: number | null;
  readonly #sources = new Map<string, Source>();
  /** Of all that need not keep to a rate. */
  readonly #unlimited: Source = { causes: new BoundedCounter(), limiter: undefined, route: undefined };

  /**
   * Makes an empty registry.
   *
   * @param eventsPerSecond How many events a second each source may publish; null for no limit.
   */
  constructor(eventsPerSecond: number | null) {
    this.#eventsPerSecond = eventsPerSecond;
  }

  /**
   * A publisher for one event or more.
   *
   * @param name Its name.
   * @param scope What its token allows.
   * @param limitBy What its rate is counted by; undefined if it need not keep to one.
   * @returns The publisher.
   */
  publisher(name: string, scope: Scope, limitBy?: string): DirectPublisher {
    return new DirectPublisher(name, scope, limitBy === undefined ? this.#unlimited : this.#sourceOf(limitBy));
  }

  #sourceOf(key: string): Source {
    const source = this.#sources.get(key) ?? this.#makeSource();
    this.#sources.delete(key);
    this.#sources.set(key, source); // The last one of the map is the one that has published last.
    if (this.#sources.size > MAX_SOURCES) this.#sources.delete(this.#sources.keys().next().value!);
    return source;
  }

  #makeSource(): Source {
    const limiter = this.#eventsPerSecond === null ? undefined : new RateLimiter(this.#eventsPerSecond);
    return { causes: new BoundedCounter(), limiter, route: undefined };
  }
}
