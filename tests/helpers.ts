/**
 * What the tests share: a broker on a free port, a client that speaks through a bare socket, and the real program.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Sink } from "../cmd/shared/sink.ts";
import config from "../deno.json" with { type: "json" };
import { Broker, type BrokerOptions, type SystemEvent } from "../mod.ts";

/** How long anything that is waited for may take: far more than it needs on a busy machine. */
const PATIENCE_MS = 20_000;

const encoder = new TextEncoder();

/** A broker on a free port of 127.0.0.1. */
export async function startBroker(options: BrokerOptions = {}): Promise<TestBroker> {
  const server = new TestBroker(options);
  await server.broker.listen({ hostname: "127.0.0.1", port: 0 });
  return server;
}

/** A broker, and the bare sockets connected to it; all are closed at the end of its scope. */
export class TestBroker implements AsyncDisposable {
  readonly broker: Broker;
  /** The `mq.*` events so far. */
  readonly activities: { name: string; data: SystemEvent }[] = [];
  readonly #clients: RawClient[] = [];

  constructor(options: BrokerOptions) {
    const onSystemEvent = (name: string, data: SystemEvent) => void this.activities.push({ name, data });
    this.broker = new Broker({ onSystemEvent, ...options });
  }

  get port(): number {
    return this.broker.addr!.port;
  }

  /** Connects some clients; the broker's pool holds them all, in this order, when it returns. */
  async connect(count: number): Promise<RawClient[]> {
    const clients: RawClient[] = [];
    const { connections } = this.broker.stats();
    for (let index = 1; index <= count; index++) {
      clients.push(await RawClient.connect(this.port));
      await until(() => this.broker.stats().connections === connections + index, "a client is in the pool");
    }
    this.#clients.push(...clients);
    return clients;
  }

  /** The `mq.*` events of one name so far. */
  told(name: string): SystemEvent[] {
    return this.activities.filter((activity) => activity.name === name).map(({ data }) => data);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.broker.close();
  }
}

/** Waits for a promise, but fails a test that waits for what does not come. */
export async function soon<T>(promise: Promise<T>, what: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`Waited in vain for ${what}`)), PATIENCE_MS);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until something holds. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!await holds()) {
    if (Date.now() > deadline) throw new Error(`Waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Has a broker listen where another one did: for a moment somebody else may have got that port. */
export async function listenAgain(broker: Broker, port: number): Promise<void> {
  await until(() => broker.listen({ hostname: "127.0.0.1", port }).then(() => true, () => false), "the port is free");
}

/** Text that comes in, line by line, whatever the pieces. It knows nothing of mq's own reader. */
export class Lines {
  readonly #read: () => Promise<Uint8Array | null>;
  readonly #decoder = new TextDecoder();
  #text = "";

  constructor(read: () => Promise<Uint8Array | null>) {
    this.#read = read;
  }

  /** The next line without its LF; null at the end. */
  next(): Promise<string | null> {
    return soon(this.#next(), "a line");
  }

  /** The next line that contains a text. */
  async find(text: string): Promise<string> {
    const seen: string[] = [];
    for (let line = await this.next(); line !== null; line = await this.next()) {
      if (line.includes(text)) return line;
      seen.push(line);
    }
    throw new Error(`Nothing contains ${JSON.stringify(text)}; there was:\n${seen.join("\n")}`);
  }

  /** The next text that comes, whether lines end in it or not; null at the end. */
  chunk(): Promise<string | null> {
    return soon(this.#chunk(), "some text");
  }

  /** All that is left. */
  async rest(): Promise<string> {
    for (let chunk = await this.#read(); chunk !== null; chunk = await this.#read()) this.#add(chunk);
    return this.#text;
  }

  async #chunk(): Promise<string | null> {
    const chunk = await this.#read();
    if (chunk === null) return null;
    this.#add(chunk);
    const text = this.#text;
    this.#text = "";
    return text;
  }

  async #next(): Promise<string | null> {
    while (!this.#text.includes("\n")) {
      const chunk = await this.#read();
      if (chunk === null) return null;
      this.#add(chunk);
    }
    const end = this.#text.indexOf("\n");
    const line = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + 1);
    return line;
  }

  #add(chunk: Uint8Array): void {
    this.#text += this.#decoder.decode(chunk, { stream: true });
  }
}

/** A client that speaks through a bare socket. */
export class RawClient implements Disposable {
  readonly conn: Deno.TcpConn;
  readonly lines: Lines;

  private constructor(conn: Deno.TcpConn) {
    this.conn = conn;
    this.lines = new Lines(async () => {
      const buffer = new Uint8Array(65536);
      const count = await conn.read(buffer).catch(() => null);
      return count === null ? null : buffer.slice(0, count);
    });
  }

  static async connect(port: number): Promise<RawClient> {
    return new RawClient(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Sends text or bytes just as they are. */
  async send(data: string | Uint8Array): Promise<void> {
    let bytes = typeof data === "string" ? encoder.encode(data) : data;
    while (bytes.length > 0) bytes = bytes.subarray(await this.conn.write(bytes));
  }

  /** Sends a line, or several at once. */
  async line(...texts: string[]): Promise<void> {
    await this.send(texts.map((text) => text + "\n").join(""));
  }

  /** Sends a control line and returns the next line that comes. */
  async ask(text: string): Promise<string | null> {
    await this.line(text);
    return await this.lines.next();
  }

  /** Checks the next lines that come. */
  async expect(...lines: string[]): Promise<void> {
    for (const line of lines) assertEquals(await this.lines.next(), line);
  }

  /** Checks that the broker ends the connection without another word. */
  async expectEnd(): Promise<void> {
    assertEquals(await this.lines.next(), null);
  }

  close(): void {
    try {
      this.conn.close();
    } catch {
      // It is closed.
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** What an Output writes to, in a test: a function gets the text. */
export function sinkTo(onText: (text: string) => void): Sink {
  const decoder = new TextDecoder();
  return {
    write(bytes) {
      onText(decoder.decode(bytes, { stream: true }));
      return Promise.resolve(bytes.length);
    },
  };
}

/** What became of a run of the program. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

const MAIN = new URL("../cmd/main.ts", import.meta.url).pathname;

/** Where programs write what of them was run, if somebody wants to know. */
const COVERAGE = Deno.env.get("MQ_COVERAGE_DIR");

/** The command line of the real program: the executable in MQ_BIN, or the source, just as the task `mq` runs it. */
export function programLine(): string[] {
  const binary = Deno.env.get("MQ_BIN");
  if (binary) return [binary];
  const [, run, ...words] = config.tasks.mq.command.replace("cmd/main.ts", MAIN).split(" ");
  return [Deno.execPath(), run, ...COVERAGE ? [`--coverage=${COVERAGE}`] : [], ...words];
}

/** Options of a run of the program. */
export interface RunOptions {
  stdin?: string;
  env?: Record<string, string>;
}

/** Runs the real program to its end. */
export async function mq(args: string[], options: RunOptions = {}): Promise<Outcome> {
  await using program = new Program(args, options.env);
  await program.write(options.stdin ?? "");
  await program.closeStdin();
  return await program.outcome();
}

/** Whether a program that a test needs is on this machine: if not, the test is ignored. */
export function has(program: string): boolean {
  const path = Deno.env.get("PATH") ?? "";
  return path.split(":").some((folder) => {
    try {
      return Deno.statSync(`${folder}/${program}`).isFile;
    } catch {
      return false; // There is none in that folder, or none that may be looked at.
    }
  });
}

/** Runs a command of the shell, and returns what it prints: the tests themselves may not write files. */
export async function shell(command: string, input = ""): Promise<string> {
  const process = new Deno.Command("sh", { args: ["-c", command], stdin: "piped", stdout: "piped" }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(encoder.encode(input));
  await writer.close();
  const { success, stdout } = await process.output();
  if (!success) throw new Error(`${command} failed`);
  return new TextDecoder().decode(stdout);
}

/** The real program, running. */
export class Program implements AsyncDisposable {
  readonly stdout: Lines;
  readonly stderr: Lines;
  readonly #process: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #readers: ReadableStreamDefaultReader<Uint8Array>[];

  constructor(args: string[], env: Record<string, string> = {}, line: string[] = programLine()) {
    const [command, ...before] = line;
    const options: Deno.CommandOptions & { detached: boolean } = {
      args: [...before, ...args],
      cwd: "/", // Nothing of mq is there: the program needs no files.
      env: { MQ_URL: "", MQ_TOKEN: "", MQ_TLS_CA: "", MQ_HOPS: "", NO_COLOR: "", DENO_TLS_CA_STORE: "system", ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      detached: true, // It leads a group: what it has started, as deno task does, can be ended with it.
    };
    this.#process = new Deno.Command(command, options).spawn();
    this.#stdin = this.#process.stdin.getWriter();
    this.#readers = [this.#process.stdout.getReader(), this.#process.stderr.getReader()];
    const [stdout, stderr] = this.#readers.map((reader) =>
      new Lines(async () => (await reader.read().catch(() => ({ value: null }))).value ?? null)
    );
    this.stdout = stdout;
    this.stderr = stderr;
  }

  get pid(): number {
    return this.#process.pid;
  }

  async write(text: string): Promise<void> {
    if (text !== "") await this.#stdin.write(encoder.encode(text)).catch(() => {});
  }

  async closeStdin(): Promise<void> {
    await this.#stdin.close().catch(() => {});
  }

  /** Closes its stdout from the reader's side, as `head` does when it has seen enough. */
  async breakStdout(): Promise<void> {
    await this.#readers[0].cancel();
  }

  kill(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  /** Presses Ctrl-C again and again until it has ended: what comes at once is taken for the same key. */
  async insist(): Promise<void> {
    let hasEnded = false;
    this.#process.status.then(() => hasEnded = true);
    await until(() => {
      try {
        this.kill("SIGINT");
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // It has ended, and that is told in a moment.
      }
      return hasEnded;
    }, "the program has ended");
  }

  /** Waits for its end. */
  async outcome(): Promise<Outcome> {
    const [{ code }, stdout, stderr] = await soon(
      Promise.all([this.#process.status, this.stdout.rest(), this.stderr.rest()]),
      "the end of the program",
    );
    return { code, stdout, stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      Deno.kill(-this.pid, "SIGKILL");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // All of it has ended.
    }
    await this.#process.status;
    await this.#stdin.close().catch(() => {});
    for (const reader of this.#readers) await reader.cancel().catch(() => {});
  }
}
