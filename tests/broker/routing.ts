/** A router and its fan-out, for tests that publish without a broker. */
import { FanOut, type Origin } from "../../lib/broker/fan_out.ts";
import { Publication } from "../../lib/broker/publication.ts";
import { type Route, Router } from "../../lib/broker/router.ts";
import type { Subscriber } from "../../lib/broker/subscriber_group.ts";

/** An event with an id that is known before. */
class IdentifiedPublication extends Publication {
  readonly #fixedId: string;

  constructor(id: string, line: string, from: string) {
    super(line, from);
    this.#fixedId = id;
  }

  override get id(): string {
    return this.#fixedId;
  }
}

/** A publisher of tests; the broker itself has no id. */
export type Sender = { readonly name: string } & Partial<Origin>;

/** A router and its fan-out, as one. */
export class Routing {
  readonly fanOut = new FanOut();
  readonly router: Router;

  constructor(events: readonly string[]) {
    this.router = new Router(events, this.fanOut);
  }

  /** Publishes a line on a route; returns for how many subscribers it is queued. */
  publish(route: Route, line: string, sender: Sender, id?: string): number {
    const event = id === undefined
      ? new Publication(line, sender.name)
      : new IdentifiedPublication(id, line, sender.name);
    return this.fanOut.publish(route, event, sender.id === undefined ? undefined : sender as Origin);
  }

  /** How many events were queued for subscribers. */
  get delivered(): number {
    return this.fanOut.delivered;
  }

  /** See {@linkcode Router.join}. */
  join(subscriber: Subscriber): void {
    this.router.join(subscriber);
  }

  /** See {@linkcode Router.leave}. */
  leave(subscriber: Subscriber): void {
    this.router.leave(subscriber);
  }

  /** See {@linkcode Router.route}. */
  route(name: string, isOwn?: boolean): Route {
    return this.router.route(name, isOwn);
  }

  /** See {@linkcode Router.routeAfter}. */
  routeAfter(last: Route | undefined, line: string): Route {
    return this.router.routeAfter(last, line);
  }

  /** See {@linkcode FanOut.send}. */
  send(subscriber: Subscriber, text: string): void {
    this.fanOut.send(subscriber, text);
  }

  /** See {@linkcode FanOut.settle}. */
  settle(subscriber: Subscriber): void {
    this.fanOut.settle(subscriber);
  }

  /** See {@linkcode FanOut.pause}. */
  pause(subscriber: Subscriber): Promise<void> | undefined {
    return this.fanOut.pause({ queue: subscriber.queue, hasCredit: false });
  }

  /** See {@linkcode FanOut.flush}. */
  flush(): void {
    this.fanOut.flush();
  }
}
