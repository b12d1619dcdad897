/**
 * The colours of events: a name keeps its colour, and names that are seen together have different ones as long as there
 * are enough. Everything here is pure.
 *
 * @module
 */

/** One colour, on a light and on a dark ground. */
export interface Color {
  readonly name: string;
  readonly light: string;
  readonly dark: string;
}

/** What text on these grounds is legible in (WCAG AA). Who cannot tell two of them apart has the names beside them. */
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

/** The grounds that coloured text stands on. */
export const GROUNDS = { light: ["#ffffff", "#f3f5f8", "#e8eef7"], dark: ["#0e131a", "#171f29", "#223044"] };

const MAX_NAMES = 500;

/** Which name has which colour. */
export class Colors {
  readonly #indices = new Map<string, number>();
  #taken = 0;

  /** The place in the palette of a name's colour. */
  of(name: string): number {
    const known = this.#indices.get(name);
    if (known !== undefined) return known;
    const index = this.#free(hash(name) % PALETTE.length);
    if (this.#indices.size < MAX_NAMES) this.#indices.set(name, index);
    return index;
  }

  #free(wish: number): number {
    let index = wish;
    for (let tried = 0; tried < PALETTE.length && this.#taken & (1 << index); tried++) {
      index = (index + 1) % PALETTE.length;
    }
    this.#taken |= 1 << index;
    return index;
  }
}

function hash(name: string): number {
  let sum = 7;
  for (let index = 0; index < name.length; index++) sum = (sum * 31 + name.charCodeAt(index)) % 65521;
  return sum;
}
