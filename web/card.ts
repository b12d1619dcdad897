/**
 * The card of one connection: its name, what it hears, what waits for it.
 *
 * @module
 */
import { make, setText } from "./dom.ts";
import type { Box } from "./layout.ts";
import type { Program } from "./model.ts";
import { formatBytes, hearing } from "./words.ts";

/** A card in the picture. */
export class Card {
  readonly element: HTMLLIElement;
  /** Whether it is in trouble. */
  isBad = false;
  readonly #button: HTMLButtonElement;
  readonly #name = make("strong", "");
  readonly #hears = make("span", "hears");
  readonly #note = make("span", "note");
  readonly #queue = make("span", "queue");

  /** Makes a card without any text. */
  constructor(id: string, press: () => void) {
    this.#button = make("button", "card", this.#name, this.#hears, this.#note, this.#queue);
    this.#button.type = "button";
    this.#button.dataset.client = id;
    this.#button.onclick = press;
    this.element = make("li", "", this.#button);
  }

  /** Shows a connection, for which that share waits of what may. */
  show(program: Program, share: number): void {
    const { name, patterns, published, delivered, queuedBytes, isSlow, dropped } = program;
    this.isBad = isSlow;
    setText(this.#name, name);
    setText(this.#hears, `hears ${hearing(patterns)}`);
    const waiting = `${formatBytes(queuedBytes)} wait`;
    const missed = dropped > 0 ? `, has missed ${dropped.toLocaleString("en-US")}` : "";
    const counts = `${published.toLocaleString("en-US")} sent · ${delivered.toLocaleString("en-US")} heard`;
    setText(this.#note, isSlow ? `too slow: ${waiting}${missed}` : queuedBytes > 0 ? waiting : counts);
    this.element.classList.toggle("slow", isSlow);
    this.#button.style.setProperty("--load", loadOf(queuedBytes, share).toFixed(2));
  }

  /** Shows how many more there are. */
  showRest(number: number): void {
    setText(this.#name, `${number.toLocaleString("en-US")} more`);
    delete this.#button.dataset.client;
    this.#button.disabled = true;
  }

  /** Stands somewhere. */
  place({ x, y, width, height }: Box): void {
    const { style } = this.element;
    style.width = `${width}px`;
    style.height = `${height}px`;
    style.transform = `translate(${Math.round(x - width / 2)}px, ${Math.round(y - height / 2)}px)`;
  }

  /** Whether it is the one that is looked at. */
  mark(isMarked: boolean): void {
    this.#button.setAttribute("aria-pressed", String(isMarked));
  }

  /** It is gone, and why. */
  leave(reason: string): void {
    setText(this.#note, reason);
    this.element.classList.add("left");
    delete this.#button.dataset.client;
    this.#button.disabled = true;
  }
}

/** What waits, as a bar from 0 to 1: little is to be seen, too. */
function loadOf(queuedBytes: number, share: number): number {
  return queuedBytes === 0 ? 0 : Math.max(0.08, Math.sqrt(share));
}
