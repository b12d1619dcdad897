/** A connection of the load. */
import { type Exchange, open, read, writeAll } from "../../../cmd/bench/load.ts";
import type { Address } from "../../../lib/protocol/address.ts";

const READ_BYTES = 64 * 1024;

/** A plain connection with a buffer of its own. */
export class Socket implements Disposable {
  readonly #conn: Deno.Conn;
  readonly #buffer = new Uint8Array(READ_BYTES);

  private constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Connects, and completes the first exchange. */
  static async open(address: Address, hello: Exchange): Promise<Socket> {
    return new Socket(await open(address, hello));
  }

  async send(bytes: Uint8Array): Promise<void> {
    await writeAll(this.#conn, bytes);
  }

  /** At least one byte. They are only valid until the next call. */
  async receive(): Promise<Uint8Array> {
    return this.#buffer.subarray(0, await read(this.#conn, this.#buffer));
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}
