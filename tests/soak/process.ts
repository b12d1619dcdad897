/** The real programs of a trial: `mq` as a child process whose every line is watched, and the broker among them. */
import { TextLineStream } from "@std/streams/text-line-stream";
import { programLine } from "../helpers.ts";

const encoder = new TextEncoder();

/** What the broker's log says when it has failed itself, and not a client. */
const FAILURE = /internal-error|The broker failed/;

/** What it says on stderr, though all is well: for whom it waits when it ends. */
const WAITS = / waiting up to [\d.]+ s for (?:\d+ connections?|HTTP requests) /;

/** Where a line came from. */
export type Source = "stdout" | "stderr";

/** A program that runs. */
export class Child {
  /** Resolves with the exit code when it has ended and everything it wrote was read. */
  readonly ended: Promise<number>;
  readonly #process: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;

  /**
   * Starts a program.
   *
   * @param args Its arguments.
   * @param onLine Called with each line it writes.
   * @param program The program and what stands before the arguments; `mq` unless told otherwise.
   */
  constructor(args: string[], onLine: (line: string, source: Source) => void, program: string[] = programLine()) {
    const [command, ...before] = program;
    this.#process = new Deno.Command(command, {
      args: [...before, ...args],
      env: { MQ_URL: "", MQ_TOKEN: "", MQ_TLS_CA: "", MQ_HOPS: "", NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#stdin = this.#process.stdin.getWriter();
    this.ended = Promise.all([
      this.#process.status,
      readLines(this.#process.stdout, (line) => onLine(line, "stdout")),
      readLines(this.#process.stderr, (line) => onLine(line, "stderr")),
    ]).then(([{ code }]) => this.closeStdin().then(() => code));
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Writes to its stdin, if it still reads. */
  async write(text: string): Promise<void> {
    await this.#stdin.write(encoder.encode(text)).catch(() => {});
  }

  async closeStdin(): Promise<void> {
    await this.#stdin.close().catch(() => {});
  }

  /** Sends it a signal, and waits for its end. */
  async end(signal: Deno.Signal): Promise<number> {
    try {
      this.#process.kill(signal);
    } catch {
      // It has ended.
    }
    return await this.ended;
  }
}

async function readLines(stream: ReadableStream<Uint8Array>, onLine: (line: string) => void): Promise<void> {
  const lines = stream.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  for await (const line of lines) onLine(line);
}

/** Who is told of a broker. */
export interface BrokerWatch {
  /** Called with a sentence when it does what it must not. */
  onTrouble(sentence: string): void;
  /** Called with each line of its log. */
  onLog?(line: string): void;
  /** The program and what stands before its arguments, if it is not this `mq`. */
  readonly program?: string[];
}

/** `mq server` as a process of its own. */
export class BrokerProcess implements AsyncDisposable {
  readonly #child: Child;
  readonly #listening = Promise.withResolvers<number>();
  readonly #watch: BrokerWatch;
  #isEnding = false;
  #firstError: string | undefined;

  private constructor(args: string[], watch: BrokerWatch) {
    this.#watch = watch;
    const onLine = (line: string, source: Source) => this.#line(line, source);
    this.#child = new Child(["server", "--host", "127.0.0.1", ...args], onLine, watch.program);
    this.#child.ended.then((code) => this.#ended(code));
  }

  /** Starts a broker on a port, or on a free one; resolves when it listens. */
  static async start(
    port: number,
    args: string[],
    watch: BrokerWatch,
  ): Promise<{ broker: BrokerProcess; port: number }> {
    const broker = new BrokerProcess(["--port", String(port), ...args], watch);
    return { broker, port: await broker.#listening.promise };
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Ends it. A broker that is asked to (SIGTERM) ends well. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.#isEnding = true;
    const code = await this.#child.end(signal);
    if (signal === "SIGTERM" && code !== 0) {
      this.#watch.onTrouble(`The broker drained and ended with exit code ${code}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
  }

  #line(line: string, source: Source): void {
    const [, port] = / listens on 127\.0\.0\.1:(\d+)/.exec(line) ?? [];
    if (port !== undefined) this.#listening.resolve(Number(port));
    if (source === "stderr") this.#firstError ??= line;
    if (FAILURE.test(line) || (source === "stderr" && !WAITS.test(line))) {
      this.#watch.onTrouble(`The broker wrote: ${line}`);
    }
    this.#watch.onLog?.(line);
  }

  #ended(code: number): void {
    this.#listening.reject(
      new Error(
        `The broker did not listen: it ended with exit code ${code}: ${this.#firstError ?? "it wrote nothing"}`,
      ),
    );
    if (!this.#isEnding) this.#watch.onTrouble(`The broker ended by itself with exit code ${code}`);
  }
}
