/** A broker that a test plays by hand: line by line, as slow, broken or strange as it likes. */
import { Client, type ClientEventMap, type ConnectOptions } from "../mod.ts";
import { DEFAULT_LIMITS } from "../lib/protocol/limits.ts";
import { assert, assertEquals } from "@std/assert";
import { Lines, soon } from "./helpers.ts";

export const QUICK = { minDelayMs: 1, maxDelayMs: 10 };
export const NEVER = { minDelayMs: 1e6 };
export const HELLO = { id: "01", server: "fake/1", version: 1, limits: DEFAULT_LIMITS, events: [">"] };
export const RECEIPT = '{"id":"01","receivers":7}';

const encoder = new TextEncoder();

/** A broker's end of a connection. */
export class Peer {
  readonly lines: Lines;
  readonly #conn: Deno.TcpConn;
  readonly #hello: object;

  /** `hello` is what its response to `/hello` has besides HELLO. */
  constructor(conn: Deno.TcpConn, hello: object = {}) {
    this.#conn = conn;
    this.#hello = hello;
    this.lines = new Lines(async () => {
      const buffer = new Uint8Array(65536);
      const count = await conn.read(buffer).catch(() => null);
      return count === null ? null : buffer.slice(0, count);
    });
  }

  async say(...lines: string[]): Promise<void> {
    await this.send(lines.map((line) => line + "\n").join(""));
  }

  /** Sends text just as it is. */
  async send(text: string): Promise<void> {
    await this.#conn.write(encoder.encode(text));
  }

  async expect(...lines: string[]): Promise<void> {
    for (const line of lines) assertEquals(await this.lines.next(), line);
  }

  /** Hears what a client says first, and answers it. */
  async welcome(...patterns: string[]): Promise<void> {
    await this.hearHello(...patterns);
    await this.answerHello(...patterns);
  }

  async hearHello(...patterns: string[]): Promise<void> {
    assert((await this.lines.next())?.startsWith("/hello {"));
    await this.expect("/unsub >");
    if (patterns.length > 0) await this.expect(`/sub ${patterns.join(" ")}`);
  }

  async answerHello(...patterns: string[]): Promise<void> {
    await this.say(
      `/ok hello ${JSON.stringify({ ...HELLO, ...this.#hello })}`,
      "/ok unsub",
      ...patterns.length > 0 ? ["/ok sub"] : [],
    );
  }

  /** Ends the connection, and waits until the client has ended it too. */
  async hangUp(): Promise<void> {
    await this.#conn.closeWrite();
    while (await this.lines.next() !== null);
  }

  close(): void {
    try {
      this.#conn.close();
    } catch {
      // It is closed.
    }
  }
}

/** A broker that says only what a test has it say; it is closed at the end of its scope with its clients. */
export class FakeBroker implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #peers: Peer[] = [];
  readonly #clients: Client[] = [];
  readonly #hello: object;

  /** `hello` is what its responses to `/hello` have besides HELLO. */
  constructor(hello: object = {}) {
    this.#hello = hello;
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** A client that is connecting. */
  dial(options: ConnectOptions = {}): { client: Client; opened: Promise<void> } {
    const client = new Client({
      hostname: "127.0.0.1",
      port: this.port,
      reconnect: QUICK,
      timeoutMs: 60_000,
      ...options,
    });
    this.#clients.push(client);
    const opened = client.open(options.signal);
    opened.catch(() => {});
    return { client, opened };
  }

  async accept(): Promise<Peer> {
    const peer = new Peer(await soon(this.#listener.accept(), "a connection"), this.#hello);
    this.#peers.push(peer);
    return peer;
  }

  /** Accepts a client and answers what it says first. */
  async welcome(...patterns: string[]): Promise<Peer> {
    const peer = await this.accept();
    await peer.welcome(...patterns);
    return peer;
  }

  /** A client that is connected, and the broker's end of it. */
  async meet(options: ConnectOptions = {}): Promise<{ client: Client; peer: Peer }> {
    const { client, opened } = this.dial(options);
    const peer = await this.welcome();
    await soon(opened, "the connection");
    return { client, peer };
  }

  /** A client whose connection broke just now. Until somebody accepts it, its next one is under way. */
  async part(options: ConnectOptions = {}): Promise<Client> {
    const { client, peer } = await this.meet(options);
    const disconnected = happened(client, "disconnect");
    peer.close();
    await soon(disconnected, "the disconnect");
    return client;
  }

  /** Nobody answers here any more. */
  vanish(): void {
    try {
      this.#listener.close();
    } catch {
      // It is closed.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.vanish();
    for (const peer of this.#peers) peer.close();
    await Promise.allSettled(this.#clients.map((client) => client.close()));
  }
}

export async function happened<T extends keyof ClientEventMap>(
  client: Client,
  type: T,
): Promise<ClientEventMap[T]["detail"]> {
  const { promise, resolve } = Promise.withResolvers<ClientEventMap[T]>();
  client.addEventListener(type, resolve, { once: true });
  return (await promise).detail;
}
