import { assert, assertEquals } from "@std/assert";
import { type Flight, Flights, GRAVE_MS, LEG_MS, MAX_DOTS, MAX_GRAVES } from "../../web/flights.ts";

const heard: Flight = { name: "create", color: 0, from: "app", to: ["logger", "nc"] };
const dropped: Flight = { name: "archive", color: 1, from: "app", to: [], dropped: "not recognized" };

/** Which dots there are, as `CARD WAY`, with `>` before those that go in and `<` before those that go out. */
function dots(flights: Flights, now: number): string[] {
  const seen: string[] = [];
  flights.see(now, (_, card, way, isOutward) => seen.push(`${isOutward ? "<" : ">"}${card} ${way.toFixed(2)}`));
  return seen;
}

function graves(flights: Flights, now: number): string[] {
  const seen: string[] = [];
  flights.seeGraves(now, ({ name }, age, place) => seen.push(`${place} ${name} ${age.toFixed(1)}`));
  return seen;
}

Deno.test("a dot goes from its sender to the broker, and on to all who hear it", () => {
  const flights = new Flights();
  assert(flights.start(heard, 1000));
  assertEquals(dots(flights, 1000), [">app 0.00"]);
  assertEquals(dots(flights, 1000 + LEG_MS / 2), [">app 0.50"]);
  assertEquals(dots(flights, 1000 + LEG_MS * 1.5), ["<logger 0.50", "<nc 0.50"]);
  assertEquals(dots(flights, 1000 + LEG_MS * 2), []);
  assert(flights.isStill);
  assertEquals(flights.dots, 0);
});

Deno.test("an event that nobody gets ends at the broker, and can be read there for a while", () => {
  const flights = new Flights();
  flights.start(dropped, 0);
  assertEquals(dots(flights, LEG_MS / 2), [">app 0.50"]);
  assertEquals(dots(flights, LEG_MS), []);
  assertEquals(graves(flights, LEG_MS + GRAVE_MS / 2), ["0 archive 0.5"]);
  assert(!flights.isStill);
  assertEquals(graves(flights, LEG_MS + GRAVE_MS), []);
  assert(flights.isStill);
});

Deno.test("of events that nobody gets, few are written, the newest first and each name once", () => {
  const flights = new Flights();
  for (const [index, name] of ["a", "b", "a", "c", "d"].entries()) flights.start({ ...dropped, name }, index);
  dots(flights, LEG_MS + 5);
  assertEquals(graves(flights, LEG_MS + 5).map((grave) => grave.split(" ")[1]), ["d", "c", "a"]);
  assertEquals(graves(flights, LEG_MS + 5).length, MAX_GRAVES);
});

Deno.test("there are never too many dots, and there is room again when they have arrived", () => {
  const flights = new Flights();
  let started = 0;
  while (flights.start(heard, 0)) started++;
  assertEquals(started, MAX_DOTS / 2);
  assertEquals(dots(flights, LEG_MS * 1.5).length, MAX_DOTS);
  assert(!flights.start(dropped, LEG_MS));
  dots(flights, LEG_MS * 2);
  assert(flights.start(heard, LEG_MS * 2));
});

Deno.test("an event may end at the broker without travelling", () => {
  const flights = new Flights();
  flights.end(dropped, 0);
  assertEquals([flights.dots, flights.isStill, graves(flights, 0)], [0, false, ["0 archive 0.0"]]);
});

Deno.test("clear lets go of all dots", () => {
  const flights = new Flights();
  flights.start(heard, 0);
  flights.clear();
  assertEquals([dots(flights, 1), flights.dots, flights.isStill], [[], 0, true]);
});
