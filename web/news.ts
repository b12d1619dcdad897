/**
 * What has happened to the connections, in a sentence every few seconds: to be read, and to be read aloud.
 *
 * @module
 */
import { byId, setText } from "./dom.ts";
import type { Happening } from "./model.ts";
import { summary } from "./words.ts";

const FIRST_MS = 400;
const PAUSE_MS = 3000;

type Item = Exclude<Happening, { kind: "event" }>;

/** Gathers what happens, and tells it. */
export class News {
  readonly #nameOf: (id: string) => string | undefined;
  #items: Item[] = [];
  #timer: number | undefined;
  #toldAt = -PAUSE_MS;

  /** Begins with nothing; who has just come is told by the name that it has by then. */
  constructor(nameOf: (id: string) => string | undefined) {
    this.#nameOf = nameOf;
  }

  /** Something has happened. */
  add(item: Item): void {
    const isNew = this.#items.some(({ kind, id }) => kind === "joined" && id === item.id);
    if (isNew && item.kind === "other") return; // How it introduces itself belongs to its coming.
    this.#items.push(item);
    const wait = Math.max(FIRST_MS, this.#toldAt + PAUSE_MS - performance.now());
    this.#timer ??= setTimeout(() => this.#tell(), wait);
  }

  #tell(): void {
    this.#timer = undefined;
    this.#toldAt = performance.now();
    const items = this.#items.splice(0).flatMap((item) => {
      if (item.kind !== "joined") return [item];
      const name = this.#nameOf(item.id);
      return name === undefined ? [] : [{ ...item, text: `${name} connected` }];
    });
    if (items.length > 0) setText(byId("news"), `${summary(items)}.`);
  }
}
