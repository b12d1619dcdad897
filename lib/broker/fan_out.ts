/**
 * How events get to subscribers. An event is added to the text of each group on its route; at the end of the tick, or
 * sooner if it has grown long, each group's text is encoded once, and the same bytes are queued for every member. Nothing
 * here waits.
 *
 * @module
 */
import { afterCurrentTick } from "../net/ticks.ts";
import type { WriteQueue } from "../net/write_queue.ts";
import { RESPONSE_BYTES } from "../protocol/limits.ts";
import { Backpressure, type Client } from "./backpressure.ts";
import type { Publication, Publisher } from "./publication.ts";
import type { Route } from "./router.ts";
import { encodeControl, type Samplers, type Subscriber, type SubscriberGroup } from "./subscriber_group.ts";

/** How many bytes of responses may wait beyond the limit of a queue: as many as hold its reader back, and one more. */
const MAX_RESPONSES_BYTES = 2 * RESPONSE_BYTES;

/** Who published an event, as far as its delivery depends on it. */
export type Origin = Pick<Publisher, "id" | "echo" | "group">;

/**
 * Delivers events to the groups of subscribers.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Publication } from "./publication.ts";
 * import { Router } from "./router.ts";
 *
 * const fanOut = new FanOut();
 * const router = new Router(["create"], fanOut);
 * assertEquals(fanOut.publish(router.route("create"), new Publication("create hello", "shop")), 0); // Nobody subscribed.
 * ```
 */
export class FanOut {
  #waiting: SubscriberGroup[] = [];
  /** The groups of observers. */
  readonly #observers = new Set<SubscriberGroup>();
  readonly #touched = new Set<WriteQueue>();
  readonly #backpressure = new Backpressure(() => this.flush());
  /** The calls to make when the fan-out has done what it is about: they may call it again. */
  readonly #calls: (() => void)[] = [];
  #delivered = 0;
  #isScheduled = false;

  /**
   * How many events were queued for subscribers, jobs and those of replays included; one that goes to three counts three.
   * What is sampled for observers does not count.
   */
  get delivered(): number {
    return this.#delivered;
  }

  /**
   * Sends an event to all groups on its route.
   *
   * @param route The route of its name.
   * @param event The event.
   * @param origin Who published it; undefined for the broker itself.
   * @returns For how many subscribers it is queued. Observers do not count, nor do subscribers that have no room for it.
   */
  publish({ groups }: Route, event: Publication, origin?: Origin): number {
    const quiet = origin?.echo === false ? origin.group : undefined; // One of its members wants no echo of this.
    let receivers = 0;
    for (const group of groups) {
      const isForAll = group !== quiet && group.leftOut === undefined;
      if (!isForAll && !this.#leavesSome(group, group === quiet ? origin!.id : undefined)) continue;
      if (group.samplers !== undefined) this.#sample(group, group.samplers, event, origin);
      else receivers += this.#write(group, event);
    }
    this.#delivered += receivers;
    if (groups.length > 0) this.#schedule();
    this.notify();
    return receivers;
  }

  /**
   * One batch is either for all members or for all but one, who wants no echo of what is in it.
   *
   * @returns Whether there are members that it is for.
   */
  #leavesSome(group: SubscriberGroup, leftOut: string | undefined): boolean {
    if (leftOut !== undefined && group.members.size === 1) return false;
    if (group.leftOut !== leftOut) this.deliver(group);
    group.leftOut = leftOut;
    return true;
  }

  /** Adds an event to the text that waits for a group; returns for how many of its members it is queued. */
  #write(group: SubscriberGroup, event: Publication): number {
    const text = group.format.write(event);
    return text === undefined ? this.#leaveOut(group, event) : this.#add(group, text);
  }

  /** An event is longer than the format of a group allows. */
  #leaveOut({ members }: SubscriberGroup, { line }: Publication): number {
    for (const member of members) this.#calls.push(() => member.onTooLong(line.length));
    return 0;
  }

  /** Adds an event to the text that waits for observers, if it is in their sample. */
  #sample(group: SubscriberGroup, { own, others }: Samplers, event: Publication, origin?: Origin): void {
    const skipped = (origin === undefined ? own : others).take();
    if (skipped === undefined) return;
    const gap = skipped === 0 ? "" : `/skipped ${skipped}\n`;
    this.#add(group, `${gap}/event ${event.id} ${origin?.id || event.from} ${event.line}`);
  }

  #add(group: SubscriberGroup, text: string): number {
    if (group.hasRoomFor(text)) return group.add(text);
    this.deliver(group);
    group.begin();
    const isSure = group.hasRoomFor(text);
    const receivers = group.add(text);
    if (!isSure) return this.deliver(group); // Only its bytes tell which members have room for it.
    this.#waiting.push(group);
    return receivers;
  }

  /**
   * Sends text to one subscriber, behind all that was published to it before.
   *
   * @param subscriber The subscriber; it need not be in the router.
   * @param text Whole lines, each with its LF; or their bytes, which must not be changed afterwards.
   * @param events How many events it has, which count as delivered. Default: 0, as in a response.
   */
  send(subscriber: Subscriber, text: string | Uint8Array, events: number = 0): void {
    if (subscriber.group !== undefined) this.deliver(subscriber.group);
    const bytes = encodeControl(subscriber, text);
    const isQueued = subscriber.queue.pushUrgent(bytes, MAX_RESPONSES_BYTES);
    if (isQueued) this.#countSent(subscriber, events);
    else this.#calls.push(() => subscriber.overflow(bytes.length, 0));
    this.#schedule();
    this.notify();
  }

  #countSent(subscriber: Subscriber, events: number): void {
    this.#touched.add(subscriber.queue);
    subscriber.delivered += events;
    this.#delivered += events;
  }

  /**
   * Queues what was published to a subscriber before, so that what is queued for it next comes behind that.
   *
   * @param subscriber The subscriber; it need not be in the router.
   */
  settle({ group }: Subscriber): void {
    if (group === undefined) return;
    this.deliver(group);
    this.notify();
  }

  /**
   * Ends the batch of a group: queues what waits for it. Members without room are told by the next
   * {@linkcode FanOut.notify}.
   *
   * @param group The group.
   * @returns For how many of its members it is queued.
   */
  deliver(group: SubscriberGroup): number {
    return group.deliver(({ queue }) => {
      this.#touched.add(queue);
      if (queue.isBurst) this.#backpressure.add(queue);
    }, (member, bytes, events) => void this.#calls.push(() => member.overflow(bytes, events)));
  }

  /** Tells subscribers what found no room: to be called when whoever delivers is done, since they may change the router. */
  notify(): void {
    while (this.#calls.length > 0) this.#calls.shift()!();
  }

  /** Whether {@linkcode FanOut.pause} may have a reason besides the client's own queue. */
  get mayPause(): boolean {
    return this.#backpressure.isOn;
  }

  /**
   * What a client should wait for before its next line: what came at once has filled a queue that is read as fast as it
   * is written, and needs a moment for that.
   *
   * @param client The client.
   * @returns Undefined if there is nothing to wait for.
   */
  pause(client: Client): Promise<void> | undefined {
    return this.#backpressure.wait(client);
  }

  /** Queues all that waits, and has the queues write it. Happens by itself at the end of each tick. */
  flush(): void {
    this.#isScheduled = false;
    if (this.#observers.size > 0) this.#tickSamplers();
    for (const group of this.#waiting) this.deliver(group);
    this.#waiting = [];
    for (const queue of this.#touched) queue.flush();
    this.#touched.clear();
    this.notify();
  }

  /**
   * Prepares for a group.
   *
   * @param group The group.
   */
  addGroup(group: SubscriberGroup): void {
    if (group.samplers !== undefined) this.#observers.add(group);
  }

  /**
   * Forgets a group.
   *
   * @param group The group, without members.
   */
  removeGroup(group: SubscriberGroup): void {
    this.#observers.delete(group);
  }

  #tickSamplers(): void {
    const now = performance.now();
    for (const { samplers } of this.#observers) {
      samplers!.own.tick(now);
      samplers!.others.tick(now);
    }
  }

  /** Once for all that a tick brings: at its end every line that has arrived is routed. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    afterCurrentTick(() => this.flush());
  }
}
