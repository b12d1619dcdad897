import { assert, assertEquals } from "@std/assert";
import { DROP_LABEL_MS, type Flight, Flights, LEG_MS, MAX_DOTS, MAX_DROP_LABELS } from "../../web/flights.ts";

const delivered: Flight = { name: "create", color: 0, from: "app", to: ["logger", "nc"] };
const dropped: Flight = { name: "archive", color: 1, from: "app", to: [], dropped: "not recognized" };

/** The dots as `CARD PROGRESS`, with `>` before those on their way to the broker, and `<` before those from it. */
function dots(flights: Flights, now: number): string[] {
  const seen: string[] = [];
  flights.visitDots(now, (_, card, progress, isOutward) => {
    seen.push(`${isOutward ? "<" : ">"}${card} ${progress.toFixed(2)}`);
  });
  return seen;
}

function dropLabels(flights: Flights, now: number): string[] {
  const seen: string[] = [];
  flights.visitDropLabels(now, ({ name }, age, index) => seen.push(`${index} ${name} ${age.toFixed(1)}`));
  return seen;
}

Deno.test("a dot moves from the publisher to the broker, then to each subscriber", () => {
  const flights = new Flights();
  assert(flights.start(delivered, 1000));
  assertEquals(dots(flights, 1000), [">app 0.00"]);
  assertEquals(dots(flights, 1000 + LEG_MS / 2), [">app 0.50"]);
  assertEquals(dots(flights, 1000 + LEG_MS * 1.5), ["<logger 0.50", "<nc 0.50"]);
  assertEquals(dots(flights, 1000 + LEG_MS * 2), []);
  assert(flights.isEmpty);
  assertEquals(flights.dots, 0);
});

Deno.test("a dropped event ends at the broker, and its name is shown there for a while", () => {
  const flights = new Flights();
  flights.start(dropped, 0);
  assertEquals(dots(flights, LEG_MS / 2), [">app 0.50"]);
  assertEquals(dots(flights, LEG_MS), []);
  assertEquals(dropLabels(flights, LEG_MS + DROP_LABEL_MS / 2), ["0 archive 0.5"]);
  assert(!flights.isEmpty);
  assertEquals(dropLabels(flights, LEG_MS + DROP_LABEL_MS), []);
  assert(flights.isEmpty);
});

Deno.test("only the newest names of dropped events are shown, each once", () => {
  const flights = new Flights();
  for (const [index, name] of ["a", "b", "a", "c", "d"].entries()) flights.start({ ...dropped, name }, index);
  dots(flights, LEG_MS + 5);
  assertEquals(dropLabels(flights, LEG_MS + 5).map((label) => label.split(" ")[1]), ["d", "c", "a"]);
  assertEquals(dropLabels(flights, LEG_MS + 5).length, MAX_DROP_LABELS);
});

Deno.test("the number of dots is limited, and new flights can start when others have ended", () => {
  const flights = new Flights();
  let started = 0;
  while (flights.start(delivered, 0)) started++;
  assertEquals(started, MAX_DOTS / 2);
  assertEquals(dots(flights, LEG_MS * 1.5).length, MAX_DOTS);
  assert(!flights.start(dropped, LEG_MS));
  dots(flights, LEG_MS * 2);
  assert(flights.start(delivered, LEG_MS * 2));
});

Deno.test("the name of a dropped event can be shown without a flight", () => {
  const flights = new Flights();
  flights.showDropLabel(dropped, 0);
  assertEquals([flights.dots, flights.isEmpty, dropLabels(flights, 0)], [0, false, ["0 archive 0.0"]]);
});

Deno.test("clear removes all dots", () => {
  const flights = new Flights();
  flights.start(delivered, 0);
  flights.clear();
  assertEquals([dots(flights, 1), flights.dots, flights.isEmpty], [[], 0, true]);
});

Deno.test("Flights shows what begins at the broker only on the way from there", () => {
  const flights = new Flights();
  flights.start({ name: "2 jobs", color: 1, to: ["mail"] }, 1000);
  const seen: unknown[] = [];
  for (const now of [1000, 1000 + LEG_MS / 2, 1000 + LEG_MS]) {
    flights.visitDots(now, (_, card, progress, isOutward) => seen.push([card, progress, isOutward]));
  }
  assertEquals(seen, [["mail", 1, true], ["mail", 0.5, true]]);
  assertEquals([flights.isEmpty, flights.dots], [true, 0]);
});
