/**
 * Assigns colours to event names: a name keeps its colour, and names that are shown together get different colours as
 * long as there are enough. Everything here is pure.
 *
 * @module
 */

/** One colour, for a light and for a dark background. */
export interface Color {
  readonly name: string;
  readonly light: string;
  readonly dark: string;
}

/** Colours with a contrast of WCAG AA on the backgrounds. They are never the only difference: names are shown, too. */
export const PALETTE: readonly Color[] = [
  { name: "blue", light: "#0a5cc2", dark: "#6cb2ff" },
  { name: "orange", light: "#a34700", dark: "#ffa657" },
  { name: "green", light: "#04714a", dark: "#3ddc97" },
  { name: "pink", light: "#b3166b", dark: "#ff8ac4" },
  { name: "teal", light: "#00697a", dark: "#4fd8eb" },
  { name: "violet", light: "#5b2fc9", dark: "#bda4ff" },
  { name: "olive", light: "#646000", dark: "#e3d33e" },
  { name: "brown", light: "#6e3f2b", dark: "#d9a58b" },
];

/** The backgrounds of coloured text. */
export const BACKGROUNDS = { light: ["#ffffff", "#f3f5f8", "#e8eef7"], dark: ["#0e131a", "#171f29", "#223044"] };

/** How many names keep their colours; the colour of any other name is computed anew each time. */
const MAX_NAMES = 500;

/** Assigns colours. */
export class Colors {
  readonly #indices = new Map<string, number>();
  /** The colours in use, as bits. */
  #used = 0;

  /** Returns the index of a name's colour in the palette. */
  of(name: string): number {
    const known = this.#indices.get(name);
    if (known !== undefined) return known;
    const index = this.#unusedFrom(hash(name) % PALETTE.length);
    if (this.#indices.size < MAX_NAMES) this.#indices.set(name, index);
    return index;
  }

  /** The first unused colour from an index on; the colour at that index if all are used. */
  #unusedFrom(start: number): number {
    let index = start;
    for (let tried = 0; tried < PALETTE.length && this.#used & (1 << index); tried++) {
      index = (index + 1) % PALETTE.length;
    }
    this.#used |= 1 << index;
    return index;
  }
}

function hash(name: string): number {
  let sum = 7;
  for (let index = 0; index < name.length; index++) sum = (sum * 31 + name.charCodeAt(index)) % 65521;
  return sum;
}
