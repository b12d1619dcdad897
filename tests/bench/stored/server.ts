/** A broker that runs in a process of its own, with an empty folder for its data. */
import { atMost } from "../../../lib/net/time.ts";
import type { Address } from "../../../lib/protocol/address.ts";
import { type Read, readerOf } from "./readings.ts";
import type { Subject } from "./subject.ts";

const HOSTNAME = "127.0.0.1";

/** How long a broker may take to listen, and the interval of the attempts to connect, in milliseconds. */
const [START_MS, RETRY_MS] = [10_000, 20];

/** How long a broker may take to end when it is asked to, in milliseconds. */
const END_MS = 3000;

/** How long the rest of stderr may take to arrive when a broker has ended, in milliseconds. */
const STDERR_MS = 1000;

/** How much of what it writes to stderr is kept for the error message, in characters. */
const MAX_STDERR = 2000;

/** A broker that runs until the end of its scope, when its folder is removed. */
export class Server implements AsyncDisposable {
  readonly address: Address = { hostname: HOSTNAME, port: freePort() };
  /** Takes readings with the CPU time of the broker. */
  readonly read: Read;
  readonly #name: string;
  readonly #process: Deno.ChildProcess;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #drained: Promise<void>;
  #owned: AsyncDisposableStack | undefined;
  #hasEnded = false;
  #stderr = "";

  private constructor({ name, command }: Subject, folder: string) {
    const { program, args } = command(this.address.port, folder);
    this.#name = name;
    this.#process = new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "piped" }).spawn();
    this.#process.status.then(() => this.#hasEnded = true);
    this.#reader = this.#process.stderr.getReader();
    this.#drained = this.#drain();
    this.read = readerOf(this.#process.pid);
  }

  /**
   * Starts a broker, waits until it listens, and prepares it.
   *
   * @throws {Error} If it does not listen within 10 s.
   */
  static async start(subject: Subject): Promise<Server> {
    await using owned = new AsyncDisposableStack();
    const folder = await Deno.makeTempDir({ prefix: "mq-stored-" });
    owned.defer(() => Deno.remove(folder, { recursive: true }));
    const server = new Server(subject, folder);
    owned.defer(() => server.#end());
    await server.#listening();
    await subject.prepare?.(server.address);
    server.#owned = owned.move();
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned?.disposeAsync();
  }

  async #end(): Promise<void> {
    this.#kill("SIGTERM"); // Killed, redis-server would leave a process behind that rewrites its file.
    await atMost(END_MS, this.#process.status);
    this.#kill("SIGKILL");
    await this.#process.status;
    await this.#reader.cancel(); // What it has started may still have its stderr.
    await this.#drained;
  }

  #kill(signal: Deno.Signal): void {
    if (!this.#hasEnded) this.#process.kill(signal);
  }

  async #listening(): Promise<void> {
    const deadline = Date.now() + START_MS;
    for (;;) {
      try {
        return (await Deno.connect(this.address)).close();
      } catch (cause) {
        if (this.#hasEnded || Date.now() > deadline) throw await this.#startError(cause);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  async #startError(cause: unknown): Promise<Error> {
    if (!this.#hasEnded) return new Error(`${this.#name} does not listen\n${this.#stderr}`, { cause });
    await atMost(STDERR_MS, this.#drained);
    const { code } = await this.#process.status;
    return new Error(`${this.#name} ended with exit code ${code}\n${this.#stderr}`, { cause });
  }

  /** Reads stderr to its end, so that the broker never waits for a reader. */
  async #drain(): Promise<void> {
    const decoder = new TextDecoder();
    for (let { value } = await this.#reader.read(); value !== undefined; { value } = await this.#reader.read()) {
      this.#stderr = (this.#stderr + decoder.decode(value, { stream: true })).slice(-MAX_STDERR);
    }
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: HOSTNAME, port: 0 });
  return listener.addr.port;
}
