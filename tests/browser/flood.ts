/**
 * Publishes at a set rate, with listeners to it, as a process of its own: `flood.ts PORT RATE LISTENERS`. Every so often
 * it prints how many events it has sent so far, and how many each of its listeners got in the mean.
 */
import { open, read, writeAll } from "../../cmd/bench/load.ts";
import { mqWire } from "../../cmd/bench/mq_wire.ts";

/** The names that it publishes in turns, and what each event carries. */
const NAMES = ["flood.create", "flood.read", "flood.update", "flood.delete"];
const DATA = JSON.stringify({ id: 1, title: "one of very many" });

/** How often it sends what is due, and prints, and its listeners show that they live, in milliseconds. */
const [STEP_MS, PRINT_MS, ALIVE_MS] = [5, 50, 10_000];

const [port, rate, listeners] = Deno.args.map(Number);
const target = { hostname: "127.0.0.1", port };
const wire = mqWire();
const encoder = new TextEncoder();
const cycle = NAMES.map((name) => new TextDecoder().decode(wire.publish(name, DATA))).join("");
const eventBytes = cycle.length / NAMES.length;
let [sent, receivedBytes] = [0, 0];

async function listen(): Promise<void> {
  const conn = await open(target, wire.listener("flood.*"));
  setInterval(() => writeAll(conn, encoder.encode("\n")), ALIVE_MS); // A blank line is ignored.
  const buffer = new Uint8Array(256 * 1024);
  for (;;) {
    const count = await read(conn, buffer);
    receivedBytes += count;
  }
}

async function publish(): Promise<void> {
  const conn = await open(target, wire.publisher);
  const start = performance.now();
  for (;;) {
    const cycles = Math.floor(((performance.now() - start) / 1000 * rate - sent) / NAMES.length);
    if (cycles > 0) await writeAll(conn, encoder.encode(cycle.repeat(cycles)));
    sent += Math.max(0, cycles) * NAMES.length;
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
}

for (let index = 0; index < listeners; index++) listen();
publish();
setInterval(() => console.log(`${sent} ${Math.floor(receivedBytes / eventBytes / listeners)}`), PRINT_MS);
