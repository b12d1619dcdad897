/** What is measured of each broker. */
import { exchangeBytes, type Load, open, read, runLoad, topicName, writeAll } from "../../cmd/bench/load.ts";
import type { Server } from "./servers.ts";

/** A kind of figure. */
export interface Figure {
  readonly label: string;
  readonly unit: string;
  /** Whether more of it is better, as of a rate, or less, as of a time. */
  readonly better: "more" | "less";
}

/** Something that is measured of a broker; it may have several figures. */
export interface Case {
  readonly figures: readonly Figure[];
  /** Whether each measurement needs a broker that has just been started. */
  readonly isFresh: boolean;
  measure(server: Server): Promise<number[]>;
}

/** How much is measured. */
export interface Extent {
  /** How long each load goes on, in milliseconds. */
  readonly loadMs: number;
  readonly roundTrips: number;
  readonly connections: number;
  /** How long a broker gets to tidy up before its memory is read, in milliseconds. */
  readonly settleMs: number;
}

const LOADS: readonly (readonly [label: string, load: Load])[] = [
  ["1 publisher, 1 listener, 1 name", { pubs: 1, subs: 1, topics: 1, size: 64 }],
  ["1 publisher, 10 listeners of one name", { pubs: 1, subs: 10, topics: 1, size: 64 }],
  ["1 publisher, 100 listeners of one name", { pubs: 1, subs: 100, topics: 1, size: 64 }],
  ["1 publisher cycling through 10 names, 10 listeners of one name each", { pubs: 1, subs: 10, topics: 10, size: 64 }],
  ["4 publishers cycling through 4 names, 4 listeners of one name each", { pubs: 4, subs: 4, topics: 4, size: 64 }],
  ["1 publisher, 10 listeners, 16 KiB data", { pubs: 1, subs: 10, topics: 1, size: 16 * 1024 }],
  ["1 publisher, no listener", { pubs: 1, subs: 0, topics: 1, size: 64 }],
];

/** What mq and every peer are compared by. */
export function comparisons(extent: Extent): Case[] {
  return [
    ...LOADS.map(([label, load]) => throughput(label, load, extent.loadMs)),
    roundTrip(extent.roundTrips),
    idle("silent", extent),
    idle("subscribed", extent),
  ];
}

function throughput(label: string, load: Load, forMs: number): Case {
  return {
    figures: [{ label, unit: load.subs > 0 ? "deliveries/s" : "events/s", better: "more" }],
    isFresh: false,
    measure: async (server) => [await rate(server, load, forMs)],
  };
}

/** Deliveries a second, or events a second where nobody listens. */
export async function rate(server: Server, load: Load, forMs: number): Promise<number> {
  const { published, delivered, ms } = await runLoad(server.address, server.wire, load, { forMs });
  return (load.subs > 0 ? delivered : published) / ms * 1000;
}

/** One event at a time: the next is sent when the one before has arrived. */
function roundTrip(times: number): Case {
  const label = (percentile: string) => `round trip, one at a time, ${percentile}`;
  return {
    figures: ["p50", "p99"].map((percentile) => ({ label: label(percentile), unit: "µs", better: "less" })),
    isFresh: false,
    async measure({ address, wire }) {
      const [name, data] = [topicName(0), "x".repeat(64)];
      using listener = await open(address, wire.listener(name));
      using publisher = await open(address, wire.publisher);
      const [event, delivery] = [wire.publish(name, data), wire.deliver(name, data)];
      const buffer = new Uint8Array(64 * 1024);
      const timesUs = new Float64Array(times);
      for (let index = 0; index < times; index++) {
        const start = performance.now();
        await writeAll(publisher, event);
        for (let left = delivery.length; left > 0;) left -= await read(listener, buffer);
        timesUs[index] = (performance.now() - start) * 1000;
      }
      timesUs.sort();
      return [0.5, 0.99].map((share) => timesUs[Math.floor(times * share)]);
    },
  };
}

/** Connections opened one after another that then do nothing. */
function idle(kind: "silent" | "subscribed", { connections, settleMs }: Extent): Case {
  const count = connections.toLocaleString("en-US");
  return {
    figures: [
      { label: `${count} ${kind} connections: memory of each`, unit: "KiB", better: "less" },
      { label: `${count} ${kind} connections, opened one after another`, unit: "s", better: "less" },
    ],
    isFresh: true,
    async measure(server) {
      const before = server.rssBytes();
      const start = performance.now();
      const conns: Deno.Conn[] = [];
      try {
        while (conns.length < connections) {
          const conn = await Deno.connect(server.address);
          conns.push(conn);
          if (kind === "subscribed") await exchangeBytes(conn, server.wire.listener(topicName(0)));
        }
        // The last one's answer tells that those before it have been accepted.
        if (kind === "silent") await exchangeBytes(conns.at(-1)!, server.wire.publisher);
        const seconds = (performance.now() - start) / 1000;
        await new Promise((resolve) => setTimeout(resolve, settleMs));
        return [(server.rssBytes() - before) / connections / 1024, seconds];
      } finally {
        for (const conn of conns) conn.close();
      }
    },
  };
}
