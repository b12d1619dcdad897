/**
 * One connection of a conformance script: a bare socket that knows lines and nothing else of the protocol.
 *
 * @module
 */

/** Where a broker is. */
interface Address {
  hostname: string;
  port: number;
}

/** The certificate that a broker under test shows where a script connects with TLS. */
const CERTIFICATE = new URL("../files/cert.pem", import.meta.url);

/** A client's end of a connection. */
export class Wire {
  /** Why no line comes any more, once that is so. */
  end: string | undefined;
  readonly #conn: Deno.Conn | undefined;
  readonly #buffer = new Uint8Array(64 * 1024);
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #text = "";

  private constructor(conn: Deno.Conn | undefined, end?: string) {
    this.#conn = conn;
    this.end = end;
  }

  /** Connects. A connection that cannot be made is one that has ended. */
  static async connect({ hostname, port }: Address, withTls = false): Promise<Wire> {
    try {
      return new Wire(await (withTls ? connectTls({ hostname, port }) : Deno.connect({ hostname, port })));
    } catch (error) {
      return new Wire(undefined, `it cannot connect: ${(error as Error).message}`);
    }
  }

  /** Sends bytes as they are, as far as the broker takes them: it may have closed the connection meanwhile. */
  async send(bytes: Uint8Array): Promise<void> {
    try {
      for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await this.#conn!.write(rest));
    } catch {
      // What should come next tells whether that is a fault.
    }
  }

  /** The next line without its LF; null at the end. Text that stands behind the last LF comes with a note. */
  async line(): Promise<string | null> {
    for (let from = 0;;) {
      const end = this.#text.indexOf("\n", from);
      if (end !== -1) return this.#take(end);
      from = this.#text.length;
      if (this.end !== undefined) return this.#text === "" ? null : this.#take(from) + "<no LF>";
      await this.#read();
    }
  }

  /** Closes the client's side: nothing more is sent. */
  async closeWrite(): Promise<void> {
    try {
      await this.#conn?.closeWrite();
    } catch {
      // The broker has gone.
    }
  }

  /** Closes both sides at once. */
  hangUp(): void {
    this.end ??= "it has hung up";
    this.#text = "";
    try {
      this.#conn?.close();
    } catch {
      // It is closed.
    }
  }

  #take(end: number): string {
    const line = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + 1);
    return line;
  }

  async #read(): Promise<void> {
    try {
      const count = await this.#conn!.read(this.#buffer);
      if (count === null) this.end ??= "the connection ended";
      else this.#text += this.#decoder.decode(this.#buffer.subarray(0, count), { stream: true });
    } catch (error) {
      this.end ??= `the connection broke: ${(error as Error).message}`;
    }
  }
}

async function connectTls({ hostname, port }: Address): Promise<Deno.TlsConn> {
  const conn = await Deno.connectTls({ hostname, port, caCerts: [await Deno.readTextFile(CERTIFICATE)] });
  await conn.handshake();
  return conn;
}
