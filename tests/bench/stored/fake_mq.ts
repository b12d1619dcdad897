/** As much of mq's side of the protocol as the load needs, and a record of what the load sent. */
import type { Address } from "../../../lib/protocol/address.ts";
import { TextLineStream } from "@std/streams/text-line-stream";

const encoder = new TextEncoder();

/** What a fake does that a broker would not. */
export interface FakeOptions {
  /** Refuses publishes after so many. */
  readonly maxPublishes?: number;
  /** How many jobs there are. */
  readonly jobs?: number;
}

/** A broker that stores nothing and says that it did. */
export class FakeMq implements AsyncDisposable {
  published = 0;
  /** How many jobs each `/ack` named. */
  readonly acks: number[] = [];
  /** The numbers of all jobs that were acknowledged. */
  readonly acknowledged = new Set<number>();
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #options: FakeOptions;
  readonly #serving: Promise<unknown>[] = [];
  #nextJob = 1;

  constructor(options: FakeOptions = {}) {
    this.#options = options;
    this.#serving.push(this.#accept());
  }

  get address(): Address {
    return { hostname: "127.0.0.1", port: this.#listener.addr.port };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await Promise.all(this.#serving);
  }

  async #accept(): Promise<void> {
    for await (const conn of this.#listener) this.#serving.push(this.#serve(conn));
  }

  async #serve(conn: Deno.Conn): Promise<void> {
    const lines = conn.readable.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
    const writer = conn.writable.getWriter();
    try {
      for await (const line of lines) await writer.write(encoder.encode(this.#answer(line)));
      await writer.close();
    } catch (error) {
      if (!isDisconnect(error)) throw error;
    }
  }

  #answer(line: string): string {
    const [verb, ...words] = line.split(" ");
    switch (verb) {
      case "/ping":
        return "/pong\n";
      case "/pub":
        return this.#receipt(words[0]);
      case "/join":
        return `/ok join {}\n${this.#jobs(JSON.parse(words[1]).ahead)}`;
      case "/ack":
        return `/ok ack {}\n${this.#acknowledge(words.map(Number))}`;
      default:
        return `/ok ${verb.slice(1)}\n`;
    }
  }

  #receipt(reference: string): string {
    if (this.published === this.#options.maxPublishes) return `/err ${reference} out-of-memory The disk is full\n`;
    this.published++;
    return `/ok ${reference} {"id":"01J00000000000000000000000","receivers":0,"stored":true}\n`;
  }

  #acknowledge(numbers: number[]): string {
    this.acks.push(numbers.length);
    for (const number of numbers) this.acknowledged.add(number);
    return this.#jobs(numbers.length);
  }

  #jobs(count: number): string {
    let text = "";
    for (; count > 0 && this.#nextJob <= (this.#options.jobs ?? 0); count--) {
      text += `/job ${this.#nextJob++} 1 work 01J00000000000000000000000 bench jobs xxxx\n`;
    }
    return text;
  }
}

/** The load closes its connections when it is done, whatever is still sent to it. */
function isDisconnect(error: unknown): boolean {
  return [Deno.errors.BrokenPipe, Deno.errors.ConnectionReset].some((kind) => error instanceof kind);
}
