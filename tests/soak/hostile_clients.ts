/**
 * Hostile connections: some that send what is no line, some that send lines without end, some that ask for too much, some
 * that leave in the middle. Run as a process of its own (hostiles.ts), so that honest clients do not wait for them.
 */
import { Random } from "./random.ts";

/** What hostile connections publish, where the broker is to recognize it. */
export const HOSTILE_EVENTS = "hostile.>";

/** How long each waits before it connects again, in milliseconds. More often, and the system runs out of ports. */
const RETURN_MS = 100;

/** How much an endless line is sent of, and how much of it at once, in bytes. */
const [ENDLESS_BYTES, PIECE_BYTES] = [64 * 1024 * 1024, 64 * 1024];

/** How much of what it hears a slow connection reads at once, in bytes. */
const SIP_BYTES = 1024;

/** How many different names one connection publishes, and how many at once. */
const [MANY_NAMES, NAMES_AT_ONCE] = [1_000_000, 100];

const HTTP = "POST /create HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\ncreate 1";

const encoder = new TextEncoder();

/** One hostile connection. */
class Hostile {
  readonly random: Random;
  readonly #conn: Deno.TcpConn;
  readonly #paceMs: number;

  constructor(conn: Deno.TcpConn, random: Random, paceMs: number) {
    this.#conn = conn;
    this.random = random;
    this.#paceMs = paceMs;
  }

  /** Sends something, if the broker has not closed the connection; else it throws. */
  async send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    for (let sent = 0; sent < bytes.length;) sent += await this.#conn.write(bytes.subarray(sent));
    await sleep(this.#paceMs);
  }

  /** Reads until the broker closes the connection. */
  async readAll(): Promise<void> {
    const buffer = new Uint8Array(PIECE_BYTES);
    while (await this.#conn.read(buffer) !== null);
  }

  /** Reads a little, and pauses; false if the broker has closed the connection. */
  async sip(): Promise<boolean> {
    const count = await this.#conn.read(new Uint8Array(SIP_BYTES));
    await sleep(RETURN_MS);
    return count !== null;
  }

  /** Reads what comes, or leaves it unread. */
  readOrNot(): void {
    if (this.random.onceIn(2)) this.readAll().catch(() => {});
  }
}

/** What each kind does with a connection. When it returns or the broker has enough, the connection is closed. */
export const KINDS: Record<string, (hostile: Hostile) => Promise<void>> = {
  async "random bytes"(hostile) {
    for (;;) await hostile.send(hostile.random.bytes(1024));
  },
  async "endless lines"(hostile) {
    hostile.readOrNot();
    await hostile.send("hostile.first\nhostile.endless ");
    const piece = new Uint8Array(PIECE_BYTES).fill(0x78);
    for (let sent = 0; sent < ENDLESS_BYTES; sent += PIECE_BYTES) await hostile.send(piece);
    await hostile.send("\nhostile.last\n");
  },
  async "half lines"(hostile) {
    await hostile.send("hostile.whole\nhostile.ha");
  },
  async "HTTP requests"(hostile) {
    await hostile.send(HTTP);
    await hostile.readAll();
  },
  async "invalid UTF-8"(hostile) {
    await hostile.send(new Uint8Array([...encoder.encode("hostile.good\nhostile.bad "), 0xc3, 0x28, 0x0a]));
    await hostile.readAll();
  },
  async "10,000 patterns"(hostile) {
    hostile.readOrNot();
    for (let index = 0; index < 10_000; index++) await hostile.send(`/sub hostile.${index}.* hostile.*.${index}\n`);
  },
  async "a million names"(hostile) {
    hostile.readOrNot();
    const prefix = hostile.random.between(1, 1e9);
    for (let index = 0; index < MANY_NAMES; index += NAMES_AT_ONCE) {
      const name = (_: unknown, offset: number) =>
        `${offset % 2 === 0 ? "hostile" : "unknown"}.${prefix}.${index + offset} x\n`;
      await hostile.send(Array.from({ length: NAMES_AT_ONCE }, name).join(""));
    }
  },
  async "resets in mid-line"(hostile) {
    await hostile.send("/ping\nhostile.ha");
    await sleep(RETURN_MS); // Then the answer is there. To close with something unread is to reset.
  },
  async "slow readers"(hostile) {
    await hostile.send("/sub >\n");
    while (await hostile.sip());
  },
  async "one byte a second"(hostile) {
    for (const character of "/sub hostile.>\nhostile.slowly typed\n".repeat(1000)) {
      await hostile.send(character);
      await sleep(1000);
    }
  },
};

/** How many connections of each kind there were. */
export type Tally = Record<string, number>;

/** One after another, connections of one kind. */
async function attack(port: number, kind: string, random: Random, paceMs: number, tally: Tally): Promise<never> {
  for (;;) {
    try {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port });
      tally[kind] = (tally[kind] ?? 0) + 1;
      await KINDS[kind](new Hostile(conn, random, paceMs));
    } catch {
      // The broker has closed it, or is being restarted.
    }
    await sleep(RETURN_MS);
  }
}

function sleep(ms: number): Promise<void> {
  return ms === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
}

if (import.meta.main) {
  const [port, connections, paceMs, seed] = Deno.args.map(Number);
  const tally: Tally = {};
  const kinds = Object.keys(KINDS);
  for (let index = 0; index < connections; index++) {
    attack(port, kinds[index % kinds.length], new Random(seed + index), paceMs, tally);
  }
  for await (const _ of Deno.stdin.readable); // Its end is the end.
  console.log(JSON.stringify(tally));
  Deno.exit(0);
}
