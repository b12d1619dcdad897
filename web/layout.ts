/**
 * Where everything stands in the picture: the broker in the middle, cards to its left and right, and the lines between
 * them. Lengths are in pixels. Everything here is pure.
 *
 * @module
 */

/** A rectangle by its centre. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A line from a card to the broker: straight from its start to where the curve begins, then a cubic Bézier curve. */
export interface Path {
  readonly startX: number;
  /** How much of the way is straight: 0 to 1. */
  readonly lead: number;
  /** Four points: x and y of where the curve begins, of the two that bend it, and of its end at the broker. */
  readonly curve: readonly [number, number, number, number, number, number, number, number];
}

/** How much a card has room for. */
export type Size = "large" | "medium" | "small";

/** Where a card stands, and its line to the broker. */
export interface Place extends Box {
  readonly path: Path;
}

/** A picture. */
export interface Layout {
  readonly size: Size;
  /** Whether the cards stand above and below the broker, with little room for words beside the lines. */
  readonly isNarrow: boolean;
  readonly broker: Box;
  /** The places of cards, in the order in which they are to be taken. */
  readonly places: readonly Place[];
  /** Where those stand who only watch: the middle of their row. */
  readonly watchers: { readonly x: number; readonly y: number };
}

/** The most connections that are drawn one by one. */
export const MAX_CARDS = 40;

/** A size of cards, in rem: how wide and high at most, and how many columns there are on each side of the broker. */
interface Grade {
  readonly size: Size;
  readonly width: number;
  readonly height: number;
  readonly columns: number;
}

const GRADES: readonly Grade[] = [
  { size: "large", width: 12.6, height: 4.9, columns: 1 },
  { size: "medium", width: 12.6, height: 3.3, columns: 1 },
  { size: "medium", width: 9.5, height: 3.3, columns: 2 },
  { size: "small", width: 7.6, height: 1.7, columns: 2 },
];
const GAP = 0.6;
const BROKER = { width: 11, height: 8 };
/** The least width that lines have between the cards and the broker. */
const LINES = 2.4;
/** How far the cards of the middle stand further out than those at the top and at the bottom. */
const BEND = 1.2;
const WATCHERS_HEIGHT = 2.6;
/** The room below the broker for the name of what ended there, in a narrow picture. */
const GRAVE_HEIGHT = 1.8;
/** A picture narrower than this has its cards above and below the broker. */
const NARROW = 40;

/**
 * Lays a picture out for so many cards, as large as they fit.
 *
 * @param width The picture's width.
 * @param height Its height.
 * @param rem The size of text.
 * @param cards How many cards there are.
 */
export function layOut(width: number, height: number, rem: number, cards: number): Layout {
  const room = height - WATCHERS_HEIGHT * rem;
  const broker = { x: width / 2, y: room / 2, width: BROKER.width * rem, height: BROKER.height * rem };
  const isNarrow = width < NARROW * rem;
  const place = isNarrow ? aboveAndBelow : leftAndRight;
  const pictures = GRADES.map((grade) => ({ size: grade.size, places: place(grade, broker, room, rem) }));
  const { size, places } = pictures.find(({ places }) => places.length >= cards) ?? pictures.at(-1)!;
  const watchers = { x: width / 2, y: height - WATCHERS_HEIGHT * rem / 2 };
  return { size, isNarrow, broker, places: places.slice(0, MAX_CARDS + 1), watchers };
}

/**
 * Finds a point of a line.
 *
 * @param path The line.
 * @param way How far from the card to the broker: 0 to 1.
 * @param point Where it is put: this is done thousands of times a second.
 */
export function pointOn({ startX, lead, curve }: Path, way: number, point: { x: number; y: number }): void {
  const [x0, y0, x1, y1, x2, y2, x3, y3] = curve;
  if (way < lead) {
    point.x = startX + (x0 - startX) * way / lead;
    point.y = y0;
    return;
  }
  const t = (way - lead) / (1 - lead);
  const [a, b, c, d] = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t ** 2 * (1 - t), t ** 3];
  point.x = a * x0 + b * x1 + c * x2 + d * x3;
  point.y = a * y0 + b * y1 + c * y2 + d * y3;
}

/** Columns on both sides of the broker, bent around it; those next to it are taken first. */
function leftAndRight({ width, height, columns }: Grade, broker: Box, room: number, rem: number): Place[] {
  const [gap, bend] = [GAP * rem, BEND * rem];
  const side = broker.x - broker.width / 2 - LINES * rem - bend - gap;
  const card = { width: Math.min(width * rem, side / columns - gap), height: height * rem };
  const most = rowsIn(room, card.height, gap);
  const step = Math.min((room - card.height) / Math.max(1, most - 1), card.height * 1.6);
  return Array.from({ length: columns }, (_, column) => {
    const outer = columns - 1 - column;
    // A column has a row less than the next one outwards, so that the lines of that run between its cards.
    return fromMiddle(most - outer).flatMap((row) =>
      [-1, 1].map((direction) => {
        const middle = broker.x - gap - card.width / 2 - bend * (2 * row / most) ** 2;
        const x = broker.x + direction * (middle - outer * (card.width + gap));
        const y = broker.y - row * step * direction;
        const curveX = broker.x + direction * (middle - (columns - 1) * (card.width + gap) - card.width / 2);
        return { ...card, x, y, path: sideways(x - direction * card.width / 2, curveX, y, direction, broker) };
      })
    );
  }).flat();
}

/** Two columns, whose rows above and below the broker are taken from it outwards; lines run between the columns. */
function aboveAndBelow({ height }: Grade, broker: Box, room: number, rem: number): Place[] {
  const gap = GAP * rem;
  const card = { width: broker.x - LINES * rem / 2 - gap / 2, height: height * rem };
  const edge = broker.height / 2 + GRAVE_HEIGHT * rem;
  const rows = rowsIn(room / 2 - edge, card.height, gap);
  return Array.from({ length: rows }, (_, row) =>
    [[-1, -1], [1, 1], [1, -1], [-1, 1]].map(([direction, upOrDown]) => {
      const x = broker.x + direction * (LINES * rem / 2 + card.width / 2);
      const y = broker.y + upOrDown * (edge + card.height / 2 + row * (card.height + gap));
      return { ...card, x, y, path: inward(x - direction * card.width / 2, y, direction, upOrDown, broker) };
    })).flat();
}

function rowsIn(room: number, height: number, gap: number): number {
  return Math.max(1, Math.floor((room + gap) / (height + gap)));
}

/** The rows of a column, counted from its middle, from there outwards: -0.5, 0.5, -1.5, 1.5. */
function fromMiddle(rows: number): number[] {
  const offsets = Array.from({ length: rows }, (_, row) => row - (rows - 1) / 2);
  return offsets.sort((a, b) => Math.abs(a) - Math.abs(b) || a - b);
}

function sideways(startX: number, curveX: number, y: number, direction: number, broker: Box): Path {
  const endX = broker.x + direction * broker.width / 2;
  const endY = broker.y + clamp((y - broker.y) * 0.35, broker.height * 0.36);
  const half = (endX - curveX) / 2;
  const straight = Math.abs(curveX - startX);
  const lead = straight / (straight + Math.hypot(endX - curveX, endY - y));
  return { startX, lead, curve: [curveX, y, curveX + half, y, endX - half, endY, endX, endY] };
}

function inward(startX: number, y: number, direction: number, upOrDown: number, broker: Box): Path {
  const x = broker.x + direction * Math.abs(startX - broker.x) * 0.4;
  const endY = broker.y + upOrDown * broker.height / 2;
  return { startX, lead: 0, curve: [startX, y, x, y, x, y - (y - endY) / 4, x, endY] };
}

function clamp(value: number, most: number): number {
  return Math.max(-most, Math.min(most, value));
}
