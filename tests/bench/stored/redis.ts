/** redis-server with an append-only file, in RESP2. */
import type { PublishWire } from "./publishing.ts";
import { exchange, NAME, type Subject, versionOf } from "./subject.ts";

const PROGRAM = "redis-server";
const DURABLE = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""];

const encoder = new TextEncoder();

/** Streams of redis-server, without its consumer groups. */
export async function findRedis(): Promise<Subject | undefined> {
  const version = await versionOf(PROGRAM, "--version");
  return version === undefined ? undefined : {
    name: "redis",
    version,
    settings: '`--appendonly yes --appendfsync always --save ""`; XADD',
    command: (port, folder) => ({
      program: PROGRAM,
      args: ["--bind", "127.0.0.1", "--port", String(port), "--dir", folder, ...DURABLE],
    }),
    publishing,
    working: [],
  };
}

/** A reply is a bulk string with an id: its length in a line, and the id, which begins with a digit, in another. */
const publishing: PublishWire = {
  hello: () => exchange("PING\r\n", "+PONG\r\n"),
  publish: (data) => encoder.encode(array("XADD", NAME, "*", "d", data)),
  replies: { counted: "$", skipped: [..."0123456789"] },
};

function array(...strings: string[]): string {
  return `*${strings.length}\r\n` + strings.map((text) => `$${text.length}\r\n${text}\r\n`).join("");
}
