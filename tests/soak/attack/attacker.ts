/** One hostile connection, as the kinds of attack see it. */
import { concat } from "@std/bytes/concat";
import type { Random } from "../random.ts";

/** Where the broker listens. */
export interface Doors {
  readonly port: number;
  /** The port of HTTP. */
  readonly webPort: number;
}

const encoder = new TextEncoder();

/** What stands before a WebSocket message from a client: its mask is zero, so that the message stays as it is. */
const MASK = [0, 0, 0, 0];

/** A hostile connection. Whatever it waits for is rejected when the broker closes it. */
export class Attacker implements Disposable {
  readonly random: Random;
  readonly #doors: Doors;
  readonly #conns: Deno.Conn[] = [];

  constructor(doors: Doors, random: Random) {
    this.#doors = doors;
    this.random = random;
  }

  /** Connects to the port of lines. */
  lines(): Promise<Peer> {
    return this.#connect(this.#doors.port);
  }

  /** Connects to the port of HTTP. */
  web(): Promise<Peer> {
    return this.#connect(this.#doors.webPort);
  }

  /** Connects to the port of HTTP, and asks for a WebSocket, which the broker has agreed to when this returns. */
  async webSocket(): Promise<Peer> {
    const peer = await this.web();
    await peer.send(
      "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    );
    await peer.read();
    return peer;
  }

  async #connect(port: number): Promise<Peer> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    this.#conns.push(conn);
    return new Peer(conn);
  }

  /** Closes its connections. What they have not read makes that a reset. */
  [Symbol.dispose](): void {
    for (const conn of this.#conns) conn.close();
  }
}

/** One end of a connection. */
export class Peer {
  readonly #conn: Deno.Conn;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Sends something. */
  async send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    for (let sent = 0; sent < bytes.length;) sent += await this.#conn.write(bytes.subarray(sent));
  }

  /** Sends something again and again, until the broker closes the connection. */
  async flood(data: string | Uint8Array): Promise<never> {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    for (;;) await this.send(bytes);
  }

  /** Reads once. */
  async read(): Promise<void> {
    if (await this.#conn.read(new Uint8Array(65536)) === null) throw new Error("closed");
  }

  /** Reads all that comes; does not wait for it. */
  drink(): this {
    this.#readAll().catch(() => {}); // It is closed, as all are in the end.
    return this;
  }

  /** Waits until the broker closes the connection, and reads nothing. A blank line shows whether it has. */
  async hold(): Promise<never> {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      await this.send("\n");
    }
  }

  async #readAll(): Promise<never> {
    for (;;) await this.read();
  }
}

/** A text so many times. */
export function times(count: number, text: string | ((index: number) => string)): string {
  return Array.from({ length: count }, (_, index) => typeof text === "string" ? text : text(index)).join("");
}

/** A WebSocket message of text; only the first part of one, if `sent` is less than its length. */
export function frame(text: string, length = text.length): Uint8Array {
  const size = length < 126
    ? [0x80 | length]
    : length < 65536
    ? [0x80 | 126, length >> 8, length & 255]
    : [0x80 | 127, 0, 0, 0, 0, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255];
  return concat([new Uint8Array([0x81, ...size, ...MASK]), encoder.encode(text)]);
}
