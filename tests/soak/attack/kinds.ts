/**
 * The kinds of attack: what each does with one connection. When that returns, or the broker has had enough, the connection
 * is closed and another comes.
 */
import { type Attacker, frame, type Peer, times } from "./attacker.ts";

/** What the attackers publish. The honest do not listen to it. */
export const HOSTILE_EVENTS = "hostile.>";

/** A kind of attack. */
export interface Kind {
  /** What it does, in a few words. */
  readonly summary: string;
  /** Whether it aims at the memory, and is one of those that a broker with little of it has to survive. */
  readonly fills?: boolean;
  attack(attacker: Attacker): Promise<void>;
}

const MEBIBYTE = 1024 * 1024;
const PIECE = 16_384;

/** As many copies of something as are worth one write. */
function pieceOf(text: string): string {
  return times(Math.max(1, Math.floor(PIECE / text.length)), text);
}

/** A flood of one line, whose answers are read. */
function flood(summary: string, line: string): Kind {
  return { summary, attack: async (attacker) => (await attacker.lines()).drink().flood(pieceOf(line + "\n")) };
}

/** Holds so many patterns of so many bytes. */
async function subscribe(peer: Peer, count: number, pattern: (index: number) => string): Promise<void> {
  const all = Array.from({ length: count }, (_, index) => pattern(index));
  await peer.send(`/sub ${all.join(" ")}\n`);
}

/** Tokens that make a pattern long: 184 bytes. */
const LONG_NAME = "hostile.".repeat(23);

export const KINDS: Record<string, Kind> = {
  none: {
    summary: "nothing: what the others are compared with",
    attack: () => new Promise(() => {}),
  },
  clients: flood("/clients without end", "/clients"),
  why: flood("/why without end", "/why honest.tick"),
  verbs: flood("verbs that there are not", "/bogus"),
  names: flood("names that are none", "hostile..a x"),
  hello: flood("/hello without end", '/hello {"name":"somebody"}'),
  pub: flood("/pub without end", "/pub 1 hostile.a x"),
  events: flood("one event without end", "hostile.a x"),
  "sub-1000": flood("/sub of 1,000 patterns without end", "/sub" + times(1000, (index) => ` hostile.${index}`)),
  words: flood("/sub with a megabyte of words", "/sub" + times(130_000, (index) => ` w${index}`)),
  glued: flood(
    "messages that could be glued together",
    `/hello {"name":"hostile"}\nhostile.a ${"hostile".repeat(8000)}`,
  ),
  deep: flood("deep JSON", `hostile.a ${"[".repeat(30_000)}`),
  sub: {
    summary: "another pattern with each /sub",
    async attack(attacker) {
      const peer = (await attacker.lines()).drink();
      for (let first = 0;; first += 500) {
        await peer.send(times(500, (index) => `/sub hostile.${first + index}\n`) + "/unsub >\n");
      }
    },
  },
  "sub-event": {
    summary: "another pattern, and an event, in turns",
    async attack(attacker) {
      const peer = (await attacker.lines()).drink();
      for (let first = 0;; first += 500) {
        await peer.send(times(500, (index) => `/sub hostile.${first + index}\nhostile.a x\n`) + "/unsub >\n");
      }
    },
  },
  toggle: {
    summary: "1,000 patterns, one of them taken and given back without end",
    fills: true,
    async attack(attacker) {
      const peer = (await attacker.lines()).drink();
      await subscribe(peer, 999, (index) => `hostile.${index}.${attacker.random.between(0, 1e9)}`);
      await peer.flood(pieceOf("/unsub hostile.x\n/sub hostile.x\nhostile.a x\n"));
    },
  },
  wildcards: {
    summary: "1,000 patterns with wildcards, of which each event changes one, and another name with each event",
    async attack(attacker) {
      const peer = (await attacker.lines()).drink();
      const own = attacker.random.between(0, 1e9);
      await subscribe(peer, 999, (index) => `hostile.*.${own}.${index}.*`);
      for (let first = 0;; first += 100) {
        await peer.send(
          times(100, (index) => `/sub hostile.*.x\nhostile.${own}.${first + index} x\n/unsub hostile.*.x\n`),
        );
      }
    },
  },
  "half-lines": {
    summary: "connections that leave in the middle of a line",
    attack: async (attacker) => (await attacker.lines()).send("hostile.a half"),
  },
  storms: {
    summary: "connections that send one event and leave",
    attack: async (attacker) => (await attacker.lines()).send("hostile.a x\n"),
  },
  "big-lines": {
    summary: "lines of 900 kB",
    fills: true,
    attack: async (attacker) => (await attacker.lines()).drink().flood(`hostile.a ${"x".repeat(900_000)}\n`),
  },
  unread: {
    summary: "events of its own that it never reads, without the echo of them",
    fills: true,
    async attack(attacker) {
      const reader = await attacker.lines();
      await reader.send('/hello {"echo":false}\n/sub hostile.>\n');
      const peer = (await attacker.lines()).drink();
      await peer.send('/hello {"echo":false}\n');
      for (let count = 0; count < 150; count++) await peer.send(`hostile.a ${"x".repeat(100_000)}\n`);
      await reader.hold();
    },
  },
  patterns: {
    summary: "1,000 patterns of 190 bytes each, and nothing more",
    fills: true,
    async attack(attacker) {
      const peer = await attacker.lines();
      await subscribe(peer, 1000, (index) => `${LONG_NAME}a${index}.b${attacker.random.between(0, 1e9)}`);
      await peer.drink().hold();
    },
  },
  "unread-answers": {
    summary: "/clients without end, and no answer is read",
    fills: true,
    attack: async (attacker) => (await attacker.lines()).flood(pieceOf("/clients\n")),
  },
  messages: {
    summary: "tiny WebSocket messages without end",
    async attack(attacker) {
      const tiny = frame("hostile.a x");
      const peer = (await attacker.webSocket()).drink();
      await peer.flood(new Uint8Array(1000 * tiny.length).map((_, index) => tiny[index % tiny.length]));
    },
  },
  "empty-messages": {
    summary: "empty WebSocket messages without end",
    async attack(attacker) {
      const empty = frame("");
      const peer = (await attacker.webSocket()).drink();
      await peer.flood(new Uint8Array(2000 * empty.length).map((_, index) => empty[index % empty.length]));
    },
  },
  "half-messages": {
    summary: "WebSocket messages of 1 MiB whose end never comes",
    fills: true,
    async attack(attacker) {
      const peer = await attacker.webSocket();
      await peer.send(frame("x".repeat(1_000_000), MEBIBYTE));
      await peer.read();
    },
  },
  posts: {
    summary: "POSTs of 30 kB that are mostly spaces",
    async attack(attacker) {
      const body = `[1,${" ".repeat(30_000)}2,\n3]`;
      const head = `POST /pub/hostile.a HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`;
      await (await attacker.web()).drink().flood(head + body);
    },
  },
  "half-posts": {
    summary: "POSTs of 1 MiB whose end never comes",
    fills: true,
    async attack(attacker) {
      const peer = await attacker.web();
      await peer.send(`POST /pub/hostile.a HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${MEBIBYTE}\r\n\r\n`);
      await peer.send("x".repeat(MEBIBYTE - 1));
      await peer.read();
    },
  },
  heads: {
    summary: "HTTP requests whose head never ends",
    async attack(attacker) {
      const peer = await attacker.web();
      await peer.send("GET / HTTP/1.1\r\nHost: localhost\r\n");
      await peer.read();
    },
  },
  resets: {
    summary: "WebSocket upgrades, each followed by a reset",
    async attack(attacker) {
      const peer = await attacker.webSocket();
      await peer.send(frame("/ping")); // Its answer is unread when the connection is closed.
    },
  },
  readers: {
    summary: "readers of /events who never read, and a megabyte of CRs for them",
    fills: true,
    async attack(attacker) {
      const reader = await attacker.web();
      await reader.send("GET /events?pattern=hostile.> HTTP/1.1\r\nHost: localhost\r\n\r\n");
      const peer = (await attacker.lines()).drink();
      await peer.send(`hostile.a ${"x\r".repeat(450_000)}\n`);
      await new Promise((resolve) => setTimeout(resolve, 2000));
    },
  },
};
