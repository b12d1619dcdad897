/**
 * The card of one participant: its name, what it subscribes to, and its counts or its queue.
 *
 * @module
 */
import { make, setText } from "./dom.ts";
import { formatBytes } from "./format.ts";
import type { Box } from "./layout.ts";
import type { Participant } from "./model.ts";

/** A short queue is drawn this long at least, so that it can be seen. */
const MIN_QUEUE_LENGTH = 0.08;

/** A card in the picture. */
export class Card {
  readonly element: HTMLLIElement;
  /** Whether its participant is a slow consumer. */
  isSlow = false;
  readonly #button: HTMLButtonElement;
  readonly #name = make("strong", "");
  readonly #patterns = make("span", "patterns");
  readonly #note = make("span", "note");
  readonly #queue = make("span", "queue");

  /** Makes a card without text, which calls a function when it is pressed. */
  constructor(id: string, onPress: () => void) {
    this.#button = make("button", "card", this.#name, this.#patterns, this.#note, this.#queue);
    this.#button.type = "button";
    this.#button.dataset.client = id;
    this.#button.onclick = onPress;
    this.element = make("li", "", this.#button);
  }

  /** Shows a participant and what it gets. `queueShare` is how full its queue is: 0 to 1. */
  show(participant: Participant, work: string, queueShare: number): void {
    const { name, queuedBytes, isSlow, isDetached, isIdle } = participant;
    this.isSlow = isSlow;
    setText(this.#name, name);
    setText(this.#patterns, isDetached ? "publishes only" : work);
    setText(this.#note, noteOf(participant));
    this.element.classList.toggle("slow", isSlow);
    this.element.classList.toggle("idle", isIdle);
    const length = queuedBytes === 0 ? 0 : Math.max(MIN_QUEUE_LENGTH, Math.sqrt(queueShare));
    this.#button.style.setProperty("--load", length.toFixed(2));
  }

  /** Shows how many participants have no card of their own. */
  showMore(number: number): void {
    setText(this.#name, `${number.toLocaleString("en-US")} more`);
    this.#disable();
  }

  /** Moves it to its place. */
  place({ x, y, width, height }: Box): void {
    const { style } = this.element;
    style.width = `${width}px`;
    style.height = `${height}px`;
    style.transform = `translate(${Math.round(x - width / 2)}px, ${Math.round(y - height / 2)}px)`;
  }

  /** Shows whether it is selected. */
  mark(isSelected: boolean): void {
    this.#button.setAttribute("aria-pressed", String(isSelected));
  }

  /** Fades out, and shows why its participant has left. */
  leave(reason: string): void {
    setText(this.#note, reason);
    this.element.classList.add("left");
    this.#disable();
  }

  #disable(): void {
    delete this.#button.dataset.client;
    this.#button.disabled = true;
  }
}

function noteOf({ published, delivered, queuedBytes, isSlow, isDetached, dropped }: Participant): string {
  const queued = `${formatBytes(queuedBytes)} queued`;
  if (isSlow) return `slow: ${queued}${dropped > 0 ? `, ${dropped.toLocaleString("en-US")} dropped` : ""}`;
  if (queuedBytes > 0) return queued;
  const sent = `${published.toLocaleString("en-US")} sent`;
  return isDetached ? sent : `${sent} · ${delivered.toLocaleString("en-US")} got`;
}
