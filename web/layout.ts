/**
 * The layout of the picture: the broker in the middle, cards around it, and the lines between them. Lengths are in
 * pixels. Everything here is pure.
 *
 * @module
 */

/** A rectangle, given by its centre. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A line from a card to the broker: straight from its start to where the curve begins, then a cubic Bézier curve. */
export interface Path {
  readonly startX: number;
  /** The straight share of the line: 0 to 1. */
  readonly lead: number;
  /** x and y of four points: the start of the curve, its two control points, and its end at the broker. */
  readonly curve: readonly [number, number, number, number, number, number, number, number];
}

/** The size of cards. */
export type Size = "large" | "medium" | "small";

/** The place of a card, and its line to the broker. */
export interface Place extends Box {
  readonly path: Path;
}

/** The layout of a picture. */
export interface Layout {
  readonly size: Size;
  /** Whether the cards are above and below the broker, with no space for labels beside the lines. */
  readonly isNarrow: boolean;
  readonly broker: Box;
  /** The places of cards, in the order in which they should be used. */
  readonly places: readonly Place[];
  /** The centre of the row of observers. */
  readonly observers: { readonly x: number; readonly y: number };
}

/** The most participants with a card of their own. */
export const MAX_CARDS = 40;

/** A way to arrange cards: their greatest size in rem, and the number of columns on each side of the broker. */
interface Arrangement {
  readonly size: Size;
  readonly width: number;
  readonly height: number;
  readonly columns: number;
}

const ARRANGEMENTS: readonly Arrangement[] = [
  { size: "large", width: 12.6, height: 4.9, columns: 1 },
  { size: "medium", width: 12.6, height: 3.3, columns: 1 },
  { size: "medium", width: 9.5, height: 3.3, columns: 2 },
  { size: "small", width: 7.6, height: 1.7, columns: 2 },
];
const GAP = 0.6;
const BROKER = { width: 11, height: 8 };
/** The least distance between the cards and the broker. */
const LINES_WIDTH = 2.4;
/** How much further out the middle cards of a column are than its top and bottom ones. */
const BEND = 1.2;
const OBSERVERS_HEIGHT = 2.6;
/** The space below the broker for the name of a dropped event, in a narrow picture. */
const DROP_LABEL_HEIGHT = 1.8;
/** In a narrower picture the cards are above and below the broker. */
const NARROW_WIDTH = 40;

/**
 * Lays out a picture with the largest cards that fit.
 *
 * @param width The picture's width.
 * @param height Its height.
 * @param rem The font size.
 * @param cards The number of cards.
 * @returns The layout; it may have fewer places than cards.
 */
export function layOut(width: number, height: number, rem: number, cards: number): Layout {
  const room = height - OBSERVERS_HEIGHT * rem;
  const broker = { x: width / 2, y: room / 2, width: BROKER.width * rem, height: BROKER.height * rem };
  const isNarrow = width < NARROW_WIDTH * rem;
  const place = isNarrow ? aboveAndBelow : leftAndRight;
  const pictures = ARRANGEMENTS.map((arrangement) => ({
    size: arrangement.size,
    places: place(arrangement, broker, room, rem),
  }));
  const { size, places } = pictures.find(({ places }) => places.length >= cards) ?? pictures.at(-1)!;
  const observers = { x: width / 2, y: height - OBSERVERS_HEIGHT * rem / 2 };
  return { size, isNarrow, broker, places: places.slice(0, MAX_CARDS + 1), observers };
}

/**
 * Computes a point of a line.
 *
 * @param path The line.
 * @param progress The share of the way from the card to the broker: 0 to 1.
 * @param point The result, which is reused: this is called thousands of times a second.
 */
export function pointOn({ startX, lead, curve }: Path, progress: number, point: { x: number; y: number }): void {
  const [x0, y0, x1, y1, x2, y2, x3, y3] = curve;
  if (progress < lead) {
    point.x = startX + (x0 - startX) * progress / lead;
    point.y = y0;
    return;
  }
  const t = (progress - lead) / (1 - lead);
  const [a, b, c, d] = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t ** 2 * (1 - t), t ** 3];
  point.x = a * x0 + b * x1 + c * x2 + d * x3;
  point.y = a * y0 + b * y1 + c * y2 + d * y3;
}

/** Places in columns on both sides of the broker, curved around it; the inner columns come first. */
function leftAndRight({ width, height, columns }: Arrangement, broker: Box, room: number, rem: number): Place[] {
  const [gap, bend] = [GAP * rem, BEND * rem];
  const side = broker.x - broker.width / 2 - LINES_WIDTH * rem - bend - gap;
  const card = { width: Math.min(width * rem, side / columns - gap), height: height * rem };
  const most = rowsIn(room, card.height, gap);
  const step = Math.min((room - card.height) / Math.max(1, most - 1), card.height * 1.6);
  return Array.from({ length: columns }, (_, column) => {
    const outer = columns - 1 - column;
    // Each column has one row less than the next outer one, whose lines run between its cards.
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

/** Places in two columns, in rows from the broker outwards; the lines run between the columns. */
function aboveAndBelow({ height }: Arrangement, broker: Box, room: number, rem: number): Place[] {
  const gap = GAP * rem;
  const card = { width: broker.x - LINES_WIDTH * rem / 2 - gap / 2, height: height * rem };
  const edge = broker.height / 2 + DROP_LABEL_HEIGHT * rem;
  const rows = rowsIn(room / 2 - edge, card.height, gap);
  return Array.from({ length: rows }, (_, row) =>
    [[-1, -1], [1, 1], [1, -1], [-1, 1]].map(([direction, upOrDown]) => {
      const x = broker.x + direction * (LINES_WIDTH * rem / 2 + card.width / 2);
      const y = broker.y + upOrDown * (edge + card.height / 2 + row * (card.height + gap));
      return { ...card, x, y, path: inward(x - direction * card.width / 2, y, direction, upOrDown, broker) };
    })).flat();
}

function rowsIn(room: number, height: number, gap: number): number {
  return Math.max(1, Math.floor((room + gap) / (height + gap)));
}

/** The rows of a column, numbered from its middle and sorted outwards: -0.5, 0.5, -1.5, 1.5. */
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
