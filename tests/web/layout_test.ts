import { assert, assertEquals } from "@std/assert";
import { type Box, type Layout, layOut, MAX_CARDS, pointOn } from "../../web/layout.ts";

const SIZES: [what: string, width: number, height: number, rem: number][] = [
  ["a projector", 812, 380, 16],
  ["a large screen", 1220, 640, 23],
  ["a tablet", 700, 500, 16],
  ["a phone", 340, 480, 16],
  ["a small phone", 276, 480, 16],
];

/** A hundredth of a pixel. */
const ROUNDING = 0.01;

for (const [what, width, height, rem] of SIZES) {
  for (const cards of [1, 4, 7, 12, 20, 30, 41]) {
    Deno.test(`layOut puts ${cards} cards on ${what} without cutting off or overlapping any`, () => {
      const { broker, places } = layOut(width, height, rem, cards);
      const shown = places.slice(0, cards);
      assert(shown.length > 0);
      for (const box of [broker, ...shown]) assert(isInside(box, width, height), JSON.stringify(box));
      const boxes = [broker, ...shown];
      for (const [index, box] of boxes.entries()) {
        for (const other of boxes.slice(index + 1)) assert(!overlap(box, other), JSON.stringify([box, other]));
      }
    });
  }

  Deno.test(`layOut fits 12 cards on ${what}, and never shows more than the maximum`, () => {
    assert(layOut(width, height, rem, 12).places.length >= 12);
    assert(layOut(width, height, rem, 10_000).places.length <= MAX_CARDS + 1);
  });

  Deno.test(`every line on ${what} runs from its card to the broker`, () => {
    const { broker, places } = layOut(width, height, rem, 30);
    for (const { path, ...card } of places) {
      assert(touches(at(path, 0), card), JSON.stringify(card));
      assert(touches(at(path, 1), broker), JSON.stringify(card));
    }
  });
}

Deno.test("a line's straight part meets its curve", () => {
  const { places } = layOut(812, 380, 16, 30);
  const { path } = places.find(({ path }) => path.lead > 0)!;
  const [before, after] = [at(path, path.lead - 1e-9), at(path, path.lead + 1e-9)];
  assert(Math.hypot(before.x - after.x, before.y - after.y) < 0.01);
});

Deno.test("layOut makes cards smaller only where there are too many", () => {
  const size = (cards: number): Layout["size"] => layOut(812, 380, 16, cards).size;
  assertEquals([4, 8, 30].map(size), ["large", "medium", "small"]);
});

function at(path: Layout["places"][number]["path"], progress: number): { x: number; y: number } {
  const point = { x: 0, y: 0 };
  pointOn(path, progress, point);
  return point;
}

function isInside({ x, y, width, height }: Box, right: number, bottom: number): boolean {
  const [side, half] = [width / 2 - ROUNDING, height / 2 - ROUNDING];
  return x - side >= 0 && x + side <= right && y - half >= 0 && y + half <= bottom;
}

function overlap(a: Box, b: Box): boolean {
  return Math.abs(a.x - b.x) < (a.width + b.width) / 2 && Math.abs(a.y - b.y) < (a.height + b.height) / 2;
}

function touches({ x, y }: { x: number; y: number }, box: Box): boolean {
  return Math.abs(x - box.x) <= box.width / 2 + ROUNDING && Math.abs(y - box.y) <= box.height / 2 + ROUNDING;
}
