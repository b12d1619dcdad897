/**
 * Connections in memory: what they send, when they read and how they end is for a test to say, and nothing is buffered by
 * any system.
 *
 * @module
 */
import type { Broker } from "../mod.ts";
import type { Transport } from "../lib/net/transport.ts";
import { until } from "./helpers.ts";

const encoder = new TextEncoder();

/** A client of a broker, which has taken it in. */
export class MemoryClient implements Transport {
  readonly remoteAddr: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 50_000 };
  readonly writable: WritableStream<Uint8Array>;
  /** All that it has read. */
  text = "";
  /** Whether the broker has closed it, or ended what goes to it. */
  isEnded = false;
  readonly #decoder = new TextDecoder();
  readonly #sent: (Uint8Array | Error | null)[] = [];
  #wakeBroker = () => {};
  /** How many more writes of the broker it reads. */
  #reads = 0;
  #wakeClient = () => {};
  #isBroken = false;

  /** Connects. Unless it is told to be slow, it reads all that comes. */
  constructor(broker: Broker, isSlow = false) {
    if (!isSlow) this.#reads = Infinity;
    this.writable = new WritableStream({ write: (chunk) => this.#take(chunk) });
    broker.attach(this);
  }

  /** What it has read, line by line. */
  get lines(): string[] {
    return this.text.split("\n").slice(0, -1);
  }

  /** Sends lines, all at once. */
  send(...lines: string[]): void {
    this.#push(encoder.encode(lines.map((line) => line + "\n").join("")));
  }

  /** Closes its side. */
  end(): void {
    this.#push(null);
  }

  /** Breaks, in both directions. */
  reset(): void {
    this.#push(new Error("Connection reset by peer"));
    this.#isBroken = true;
    this.#wakeClient();
  }

  /** Reads some of what the broker writes. */
  readWrites(count: number): void {
    this.#reads += count;
    this.#wakeClient();
  }

  /** Sends lines and waits until some text has come. */
  async ask(text: string, ...lines: string[]): Promise<void> {
    this.send(...lines);
    await until(() => this.text.includes(text) || this.isEnded, `${text} comes`);
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#sent.length === 0) await new Promise<void>((resolve) => this.#wakeBroker = resolve);
    const [next] = this.#sent;
    if (next instanceof Error) throw next;
    if (next === null) return null;
    const count = Math.min(buffer.length, next.length);
    buffer.set(next.subarray(0, count));
    if (count === next.length) this.#sent.shift();
    else this.#sent[0] = next.subarray(count);
    return count;
  }

  closeWrite(): Promise<void> {
    this.isEnded = true;
    this.end(); // As a client does that has read the end.
    return Promise.resolve();
  }

  close(): void {
    this.isEnded = true;
    this.end();
    this.#wakeClient();
  }

  #push(part: Uint8Array | Error | null): void {
    this.#sent.push(part);
    this.#wakeBroker();
  }

  async #take(chunk: Uint8Array): Promise<void> {
    while (this.#reads === 0) {
      if (this.isEnded || this.#isBroken) throw new Error("Broken pipe");
      await new Promise<void>((resolve) => this.#wakeClient = resolve);
    }
    this.#reads--;
    this.text += this.#decoder.decode(chunk, { stream: true });
  }
}
