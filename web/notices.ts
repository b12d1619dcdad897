/**
 * The line of notices below the picture: what happened to the connections, as one sentence every few seconds. It is a
 * live region, which screen readers read aloud.
 *
 * @module
 */
import { byId, setText } from "./dom.ts";
import { summarize } from "./format.ts";
import type { Notice } from "./model.ts";

const FIRST_DELAY_MS = 400;
const INTERVAL_MS = 3000;

/** Collects notices, and shows a summary of them at most once in each interval. */
export class NoticeLine {
  readonly #nameOf: (id: string) => string | undefined;
  #pending: Notice[] = [];
  #timer: number | undefined;
  #shownAt = -INTERVAL_MS;

  /** Takes a function that returns the current name of a participant; undefined if it has left. */
  constructor(nameOf: (id: string) => string | undefined) {
    this.#nameOf = nameOf;
  }

  /** Adds a notice. */
  add(notice: Notice): void {
    const hasJoined = this.#pending.some(({ kind, id }) => kind === "joined" && id === notice.id);
    if (hasJoined && notice.kind === "other") return; // Its /hello and first /sub are part of its joining.
    this.#pending.push(notice);
    const delay = Math.max(FIRST_DELAY_MS, this.#shownAt + INTERVAL_MS - performance.now());
    this.#timer ??= setTimeout(() => this.#show(), delay);
  }

  #show(): void {
    this.#timer = undefined;
    this.#shownAt = performance.now();
    const notices = this.#pending.splice(0).flatMap((notice) => this.#withCurrentName(notice));
    if (notices.length > 0) setText(byId("notice"), `${summarize(notices)}.`);
  }

  /** A client often has another name by now than when it connected, or has left again. */
  #withCurrentName(notice: Notice): Notice[] {
    if (notice.kind !== "joined") return [notice];
    const name = this.#nameOf(notice.id);
    return name === undefined ? [] : [{ ...notice, name }];
  }
}
