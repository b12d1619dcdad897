/**
 * The stream of events, newest first.
 *
 * @module
 */
import { Pattern } from "../lib/protocol/pattern.ts";
import type { Colors } from "./colors.ts";
import { detailsOf } from "./details.ts";
import { byId, colorClass, make, setText } from "./dom.ts";
import type { Seen } from "./model.ts";
import { timeOf } from "./words.ts";

/** How many events are in the list, and how many are kept for other filters. */
const MAX_ROWS = 100;
const MAX_KEPT = 1000;
const MAX_CHARACTERS = 120;
/** More often nobody can read. */
const BATCH_MS = 200;

/** A row of the list, used again and again. */
class Row {
  readonly element = make("li", "");
  readonly button = make("button", "row");
  seen: Seen | undefined;
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

  show(seen: Seen, color: string): void {
    const { id, name, fromName, text, drop } = seen;
    this.seen = seen;
    this.element.className = drop === undefined ? "" : "dropped";
    this.button.setAttribute("aria-expanded", "false");
    setText(this.#time, timeOf(id));
    setText(this.#name, name);
    this.#name.className = drop === undefined ? color : "";
    setText(this.#from, fromName);
    setText(this.#data, drop?.why ?? text.slice(0, MAX_CHARACTERS));
  }
}

/** The list, its filter and its pause. */
export class Stream {
  readonly #list = byId("events");
  readonly #pause = byId<HTMLButtonElement>("pause");
  readonly #filter = byId<HTMLInputElement>("filter");
  readonly #colors: Colors;
  readonly #rows: Row[] = [];
  readonly #rowOf = new WeakMap<Element, Row>();
  #kept: Seen[] = [];
  #waiting: Seen[] = [];
  #missed = 0;
  #isPaused = false;
  #pattern = new Pattern(">");
  #about: string | undefined;
  #timer: number | undefined;
  #tabStop: HTMLElement | undefined;

  /** Sets the list up, with these colours. */
  constructor(colors: Colors) {
    this.#colors = colors;
    this.#pause.onclick = () => this.#setPaused(!this.#isPaused);
    this.#filter.oninput = () => this.#setFilter(this.#filter.value.trim());
    byId("filter-form").onsubmit = (event) => event.preventDefault();
    this.#list.onclick = ({ target }) => this.#toggle((target as Element).closest("button"));
    // What has the focus must not move on.
    this.#list.addEventListener("focusin", () => this.#setPaused(true));
    this.#list.onkeydown = (event) => this.#move(event);
  }

  /** Takes in an event. */
  add(seen: Seen): void {
    this.#kept.push(seen);
    if (this.#kept.length > 2 * MAX_KEPT) this.#kept = this.#kept.slice(-MAX_KEPT);
    if (!this.#wants(seen)) return;
    if (this.#isPaused) return this.#count();
    this.#waiting.push(seen);
    if (this.#waiting.length > 2 * MAX_ROWS) this.#waiting = this.#waiting.slice(-MAX_ROWS);
    this.#timer ??= setTimeout(() => this.#flush(), BATCH_MS);
  }

  /** Shows only what a connection sends and hears; all with undefined. */
  narrow(id: string | undefined): void {
    this.#about = id;
    this.#rebuild();
  }

  /** Forgets all events. */
  clear(): void {
    this.#kept = [];
    this.#rebuild();
  }

  #wants({ name, from, hearers, drop }: Seen): boolean {
    const isMeant = this.#pattern.text === ">" && drop !== undefined || this.#pattern.matches(name);
    return isMeant &&
      (this.#about === undefined || from === this.#about || hearers.some(({ id }) => id === this.#about));
  }

  #count(): void {
    this.#missed++;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#isPaused) setText(this.#pause, `Go on (${this.#missed.toLocaleString("en-US")} new)`);
    }, BATCH_MS);
  }

  /** What is not in the list yet comes into it later. */
  #hold(): void {
    this.#missed = this.#waiting.length;
    this.#waiting = [];
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const fresh = this.#waiting.slice(-MAX_ROWS);
    this.#waiting = [];
    if (this.#isPaused) return;
    this.#list.prepend(...fresh.reverse().map((seen) => this.#recycle(seen)));
    byId("no-events").hidden = this.#list.childElementCount > 0;
    this.#keepOneTabStop();
  }

  /** A row that is not in use, else the oldest. */
  #recycle(seen: Seen): HTMLElement {
    const row = this.#rows.length < MAX_ROWS ? new Row() : this.#rows.shift()!;
    this.#rows.push(row);
    this.#rowOf.set(row.button, row);
    row.show(seen, colorClass(this.#colors.of(seen.name)));
    return row.element;
  }

  #rebuild(): void {
    this.#setPaused(false);
    for (const { element } of this.#rows) element.remove();
    this.#rows.length = 0;
    this.#waiting = this.#kept.filter((seen) => this.#wants(seen));
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
    setText(this.#pause, isPaused ? "Go on" : "Pause");
    if (isPaused) return this.#hold();
    this.#close();
    this.#waiting = this.#missed === 0 ? [] : this.#kept.filter((seen) => this.#wants(seen)).slice(-this.#missed);
    this.#missed = 0;
    this.#flush();
  }

  /** Opens an event, or closes it. What is open stays where it is: the stream pauses. */
  #toggle(button: Element | null): void {
    const row = button === null ? undefined : this.#rowOf.get(button);
    if (row?.seen === undefined) return;
    const isOpen = row.button.getAttribute("aria-expanded") === "true";
    this.#close();
    if (isOpen) return;
    row.button.setAttribute("aria-expanded", "true");
    row.element.append(detailsOf(row.seen));
    row.element.scrollIntoView({ block: "nearest" });
  }

  #close(): void {
    this.#list.querySelector("[aria-expanded=true]")?.setAttribute("aria-expanded", "false");
    this.#list.querySelector(".details")?.remove();
  }

  #move(event: KeyboardEvent): void {
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

  /** TAB goes to the list once; within it go the arrow keys. */
  #keepOneTabStop(): void {
    if (this.#tabStop !== undefined) this.#tabStop.tabIndex = -1;
    this.#tabStop = this.#list.querySelector<HTMLElement>(".row") ?? undefined;
    if (this.#tabStop !== undefined) this.#tabStop.tabIndex = 0;
  }
}
