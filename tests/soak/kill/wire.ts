/** A bare connection to a broker that may be killed at any time: control lines out, their responses and other lines in. */

const encoder = new TextEncoder();

/** How much is read at once, in bytes. */
const READ_BYTES = 64 * 1024;

/** A line whose response has not come yet. */
interface Question {
  readonly what: string;
  answer(line: string | undefined): void;
}

/** One connection. */
export class Wire {
  /** Resolves when it has ended, whoever ended it. It never rejects. */
  readonly ended: Promise<void>;
  /** Which life of the broker it belongs to. */
  readonly life: number;
  readonly #conn: Deno.TcpConn;
  readonly #onLine: (line: string) => void;
  readonly #questions: Question[] = [];
  #writing: Promise<unknown> = Promise.resolve();
  #isDropped = false;
  #hasEnded = false;

  private constructor(conn: Deno.TcpConn, life: number, onLine: (line: string) => void) {
    this.#conn = conn;
    this.life = life;
    this.#onLine = onLine;
    this.ended = this.#readAll().then(() => this.#end());
  }

  /**
   * Connects.
   *
   * @param port The port of the broker.
   * @param life Which life of the broker this is.
   * @param onLine Called with each line that is no response to a question.
   */
  static async connect(port: number, life: number, onLine: (line: string) => void): Promise<Wire> {
    return new Wire(await Deno.connect({ hostname: "127.0.0.1", port }), life, onLine);
  }

  /** Whether this side has ended it. */
  get isDropped(): boolean {
    return this.#isDropped;
  }

  /** Whether nothing more comes. */
  get hasEnded(): boolean {
    return this.#isDropped || this.#hasEnded;
  }

  /** Sends a line that has no response. */
  send(line: string): void {
    this.#writing = this.#writing.then(() => this.#write(encoder.encode(line + "\n"))).catch(() => {}); // It has ended.
  }

  /**
   * Sends a line that has a response.
   *
   * @param what What the response begins with: the verb, or the REF.
   * @param line The line.
   * @returns The response; undefined if the connection ends before it comes.
   */
  ask(what: string, line: string): Promise<string | undefined> {
    if (this.#hasEnded) return Promise.resolve(undefined);
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    this.#questions.push({ what, answer: resolve });
    this.send(line);
    return promise;
  }

  /** Ends it, as the end of a process does. What was not read yet is never read. */
  drop(): void {
    if (this.#hasEnded) return;
    this.#isDropped = true;
    this.#close();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) sent += await this.#conn.write(bytes.subarray(sent));
  }

  async #readAll(): Promise<void> {
    const [buffer, decoder] = [new Uint8Array(READ_BYTES), new TextDecoder()];
    let text = "";
    for (let count = await this.#read(buffer); count !== null; count = await this.#read(buffer)) {
      text = this.#takeLines(text + decoder.decode(buffer.subarray(0, count), { stream: true }));
    }
  }

  /** Reads; null at the end, also if it was reset or dropped. */
  async #read(buffer: Uint8Array): Promise<number | null> {
    try {
      return await this.#conn.read(buffer);
    } catch {
      return null;
    }
  }

  /** Handles whole lines; returns what is left. */
  #takeLines(text: string): string {
    let start = 0;
    for (let end = text.indexOf("\n"); end !== -1 && !this.#isDropped; end = text.indexOf("\n", start)) {
      this.#takeLine(text.slice(start, end));
      start = end + 1;
    }
    return text.slice(start);
  }

  #takeLine(line: string): void {
    const [verb, what] = line.split(" ", 2);
    if (verb === "/ping") return this.send("/pong");
    if (verb === "/bye") return this.drop();
    const isAnswer = (verb === "/ok" || verb === "/err") && what === this.#questions[0]?.what;
    if (isAnswer) this.#questions.shift()!.answer(line);
    else this.#onLine(line);
  }

  #end(): void {
    this.#hasEnded = true;
    this.#close();
    for (const { answer } of this.#questions.splice(0)) answer(undefined);
  }

  #close(): void {
    try {
      this.#conn.close();
    } catch {
      // It is closed.
    }
  }
}
