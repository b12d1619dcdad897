/**
 * The list of events, the newest first, with its filter and its pause.
 *
 * @module
 */
import { Pattern } from "../lib/protocol/pattern.ts";
import type { Colors } from "./colors.ts";
import { byId, colorClass, make, setText } from "./dom.ts";
import { makeDetails } from "./event_details.ts";
import { formatTime, groupName } from "./format.ts";
import type { ShownEvent } from "./model.ts";

/** How many events are listed, and how many are kept for other filters. */
const MAX_ROWS = 100;
const MAX_KEPT = 1000;
const MAX_CHARACTERS = 120;
/** How often new events are added to the list. */
const BATCH_MS = 200;

/** A row of the list. Rows are reused. */
class Row {
  readonly element = make("li", "");
  readonly button = make("button", "row");
  event: ShownEvent | undefined;
  readonly #time = make("time", "");
  readonly #name = make("b", "");
  readonly #from = make("span", "from");
  readonly #data = make("span", "data");

  constructor() {
    this.button.type = "button";
    this.button.tabIndex = -1;
    this.button.append(this.#time, this.#name, this.#from, this.#data);
    this.element.append(this.button);
  }

  show(event: ShownEvent, color: string): void {
    const { id, name, fromName, text, drop } = event;
    this.event = event;
    this.element.className = drop === undefined ? "" : "dropped";
    this.button.setAttribute("aria-expanded", "false");
    setText(this.#time, formatTime(id));
    setText(this.#name, groupName(name));
    this.#name.className = drop === undefined ? color : "";
    setText(this.#from, fromName);
    setText(this.#data, drop?.why ?? text.slice(0, MAX_CHARACTERS));
  }
}

/** The list of events. */
export class EventList {
  readonly #list = byId("events");
  readonly #pause = byId<HTMLButtonElement>("pause");
  readonly #filter = byId<HTMLInputElement>("filter");
  readonly #colors: Colors;
  readonly #addressOf: (eventId: string) => string | undefined;
  readonly #rows: Row[] = [];
  readonly #rowOf = new WeakMap<Element, Row>();
  #kept: ShownEvent[] = [];
  /** The events for the next batch. */
  #batch: ShownEvent[] = [];
  /** How many events have arrived since the list was paused. */
  #newCount = 0;
  #isPaused = false;
  #pattern = new Pattern(">");
  /** The participant whose events are listed; all events if undefined. */
  #participant: string | undefined;
  #timer: number | undefined;
  #tabStop: HTMLElement | undefined;

  /** Sets up the list. `addressOf` returns the address from which an event came over HTTP. */
  constructor(colors: Colors, addressOf: (eventId: string) => string | undefined) {
    this.#colors = colors;
    this.#addressOf = addressOf;
    this.#pause.onclick = () => this.#setPaused(!this.#isPaused);
    this.#filter.oninput = () => this.#setFilter(this.#filter.value.trim());
    byId("filter-form").onsubmit = (event) => event.preventDefault();
    this.#list.onclick = ({ target }) => this.#toggle((target as Element).closest("button"));
    // A row with the focus must not move.
    this.#list.addEventListener("focusin", () => this.#setPaused(true));
    this.#list.onkeydown = (event) => this.#moveFocus(event);
  }

  /** Adds an event. */
  add(event: ShownEvent): void {
    this.#kept.push(event);
    if (this.#kept.length > 2 * MAX_KEPT) this.#kept = this.#kept.slice(-MAX_KEPT);
    if (!this.#isListed(event)) return;
    if (this.#isPaused) return this.#countNew();
    this.#batch.push(event);
    if (this.#batch.length > 2 * MAX_ROWS) this.#batch = this.#batch.slice(-MAX_ROWS);
    this.#timer ??= setTimeout(() => this.#flush(), BATCH_MS);
  }

  /** Lists only the events that a participant publishes or receives; all with undefined. */
  narrow(participant: string | undefined): void {
    this.#participant = participant;
    this.#rebuild();
  }

  /** Removes all events. */
  clear(): void {
    this.#kept = [];
    this.#rebuild();
  }

  /** Without a filter, all that was dropped is listed, also refused lines that have no event. */
  #isListed({ name, from, subscribers, drop }: ShownEvent): boolean {
    const matches = this.#pattern.text === ">" && drop !== undefined || this.#pattern.matches(name);
    const id = this.#participant;
    return matches && (id === undefined || from === id || subscribers.some((subscriber) => subscriber.id === id));
  }

  #countNew(): void {
    this.#newCount++;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#isPaused) setText(this.#pause, `Resume (${this.#newCount.toLocaleString("en-US")} new)`);
    }, BATCH_MS);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const fresh = this.#batch.slice(-MAX_ROWS);
    this.#batch = [];
    if (this.#isPaused) return;
    this.#list.prepend(...fresh.reverse().map((event) => this.#rowFor(event)));
    byId("no-events").hidden = this.#list.childElementCount > 0;
    this.#keepOneTabStop();
  }

  /** Shows an event in a new row, or in the oldest one if there are enough. */
  #rowFor(event: ShownEvent): HTMLElement {
    const row = this.#rows.length < MAX_ROWS ? new Row() : this.#rows.shift()!;
    this.#rows.push(row);
    this.#rowOf.set(row.button, row);
    row.show(event, colorClass(this.#colors.of(groupName(event.name))));
    return row.element;
  }

  #rebuild(): void {
    this.#setPaused(false);
    for (const { element } of this.#rows) element.remove();
    this.#rows.length = 0;
    this.#batch = this.#kept.filter((event) => this.#isListed(event));
    this.#flush();
  }

  #setFilter(text: string): void {
    const error = byId("filter-error");
    try {
      this.#pattern = new Pattern(text === "" ? ">" : text);
      setText(error, "");
    } catch (cause) {
      return setText(error, `${(cause as Error).message}.`);
    } finally {
      this.#filter.setAttribute("aria-invalid", String(error.textContent !== ""));
    }
    this.#rebuild();
  }

  #setPaused(isPaused: boolean): void {
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    this.#pause.setAttribute("aria-pressed", String(isPaused));
    setText(this.#pause, isPaused ? "Resume" : "Pause");
    if (isPaused) {
      this.#newCount = this.#batch.length;
      this.#batch = [];
      return;
    }
    this.#close();
    const listed = this.#kept.filter((event) => this.#isListed(event));
    this.#batch = this.#newCount === 0 ? [] : listed.slice(-this.#newCount);
    this.#newCount = 0;
    this.#flush();
  }

  /** Opens or closes the details of an event. The list is paused by the focus, so that they stay where they are. */
  #toggle(button: Element | null): void {
    const row = button === null ? undefined : this.#rowOf.get(button);
    if (row?.event === undefined) return;
    const isOpen = row.button.getAttribute("aria-expanded") === "true";
    this.#close();
    if (isOpen) return;
    row.button.setAttribute("aria-expanded", "true");
    row.element.append(makeDetails(row.event, this.#addressOf(row.event.id)));
    row.element.scrollIntoView({ block: "nearest" });
  }

  #close(): void {
    this.#list.querySelector("[aria-expanded=true]")?.setAttribute("aria-expanded", "false");
    this.#list.querySelector(".details")?.remove();
  }

  #moveFocus(event: KeyboardEvent): void {
    const item = document.activeElement?.closest("li");
    const next = new Map([
      ["ArrowDown", item?.nextElementSibling],
      ["ArrowUp", item?.previousElementSibling],
      ["Home", this.#list.firstElementChild],
      ["End", this.#list.lastElementChild],
    ]).get(event.key);
    if (!next) return;
    event.preventDefault();
    next.querySelector("button")!.focus();
  }

  /** Tab stops at the list once; the arrow keys move within it. */
  #keepOneTabStop(): void {
    if (this.#tabStop !== undefined) this.#tabStop.tabIndex = -1;
    this.#tabStop = this.#list.querySelector<HTMLElement>(".row") ?? undefined;
    if (this.#tabStop !== undefined) this.#tabStop.tabIndex = 0;
  }
}
