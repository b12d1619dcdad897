/** `mq server --store` as a program of its own, for tests of what becomes of its files. */
import { assert } from "@std/assert";
import { programLine, RawClient, soon, until } from "../helpers.ts";
import { Child, type Source } from "../soak/process.ts";

/** How a server is started. */
export interface ServerOptions {
  /** Flags besides the folder and a free port. It recognizes every event unless they say otherwise. */
  readonly args?: string[];
  /** Environment variables, such as those of a disk. */
  readonly env?: Record<string, string>;
  /** A command that runs the program, such as one that changes the user. */
  readonly prefix?: string[];
}

/** A server, which is killed at the end of its scope. */
export class StoredServer implements AsyncDisposable {
  /** The lines of its log so far. */
  readonly log: string[] = [];
  /** The lines that it has written to stderr. */
  readonly errors: string[] = [];
  readonly #child: Child;
  readonly #listening = Promise.withResolvers<number>();
  readonly #clients: RawClient[] = [];
  #port = 0;

  private constructor(folder: string, { args = [], env = {}, prefix = [] }: ServerOptions) {
    const events = args.includes("--events") ? [] : ["--events", ">"];
    const flags = ["server", "--host", "127.0.0.1", "--port", "0", "--store", folder, ...events, ...args];
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const program = [...prefix, ...variables.length > 0 ? ["env", ...variables] : [], ...programLine()];
    this.#child = new Child(flags, (line, source) => this.#line(line, source), program);
    void this.#child.ended.then((code) => this.#listening.reject(new Error(`It ended with ${code}: ${this.errors}`)));
    this.#listening.promise.catch(() => {}); // Whoever starts one that is to listen waits for it.
  }

  /** Starts one; it listens when this returns. */
  static async start(folder: string, options: ServerOptions = {}): Promise<StoredServer> {
    const server = new StoredServer(folder, options);
    try {
      server.#port = await soon(server.#listening.promise, "the server to listen");
    } catch (error) {
      await server.end("SIGKILL");
      throw error;
    }
    return server;
  }

  /** Starts one that must end by itself; returns its exit code and all that it has written. */
  static async refused(folder: string, options: ServerOptions = {}): Promise<{ code: number; lines: string[] }> {
    await using server = new StoredServer(folder, options);
    const code = await soon(server.#child.ended, "the server to end");
    return { code, lines: [...server.log, ...server.errors] };
  }

  #line(line: string, source: Source): void {
    (source === "stdout" ? this.log : this.errors).push(line);
    const [, port] = /127\.0\.0\.1:(\d+)/.exec(line) ?? [];
    if (port !== undefined) this.#listening.resolve(Number(port));
  }

  /** Connects a client that is subscribed to nothing. */
  async connect(): Promise<RawClient> {
    const client = await RawClient.connect(this.#port);
    this.#clients.push(client);
    await client.line("/unsub >");
    await client.lines.find("/ok unsub");
    return client;
  }

  /** Waits for a line of the log. */
  async logged(text: RegExp): Promise<string> {
    const find = () => this.log.find((line) => text.test(line));
    await until(() => find() !== undefined, `the log has ${text}; it has:\n${this.log.join("\n")}`);
    return find()!;
  }

  /** Ends it; returns its exit code. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<number> {
    for (const client of this.#clients) client.close();
    return await soon(this.#child.end(signal), "the server to end");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
  }
}

/** Sends a line, and reads its response: other lines before it are skipped. */
export async function ask(client: RawClient, what: string, line: string): Promise<string> {
  await client.line(line);
  for (let next = await client.lines.next(); next !== null; next = await client.lines.next()) {
    if (next.startsWith(`/ok ${what}`) || next.startsWith(`/err ${what} `)) return next;
  }
  throw new Error(`The connection ended before the response to ${line}`);
}

/** The JSON of a response that has to be good. */
export function resultOf(response: string): Record<string, unknown> {
  assert(response.startsWith("/ok "), response);
  return JSON.parse(response.slice(response.indexOf("{")));
}

/** The data of all stored events, in the order of the log. */
export async function replay(client: RawClient): Promise<string[]> {
  await client.line("/replay first >");
  const data: string[] = [];
  for (let line = await client.lines.next(); line !== null; line = await client.lines.next()) {
    const [verb, , , , text] = line.split(" ");
    if (verb === "/past") data.push(text);
    if (verb !== "/replayed") continue;
    assert(!line.includes('"error"'), line);
    return data;
  }
  throw new Error("The connection ended within a replay");
}
