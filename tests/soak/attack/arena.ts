/** A broker under attack: its process, that of the attackers, that of the honest, and what the system says of the broker. */
import { count as countOf } from "../../../cmd/shared/format.ts";
import { programLine } from "../../helpers.ts";
import { BrokerProcess, Child } from "../process.ts";
import { type Observation, READY as CONNECTED } from "./honest.ts";
import { READY as ATTACKING } from "./attackers.ts";
import { HOSTILE_EVENTS } from "./kinds.ts";

const HERE = new URL(".", import.meta.url).pathname;

/** What all trials are told. */
export interface TrialOptions {
  /** How many attackers there are at a time. */
  readonly connections: number;
  /** How long they attack, in milliseconds. */
  readonly forMs: number;
  readonly seed: number;
  /** The program of the broker and what stands before its arguments, if it is not this `mq`. */
  readonly program?: string[];
  /** How many descriptors the broker may have; undefined for as many as the system allows. */
  readonly descriptors?: number;
}

/** What the system says of a process. */
export interface Usage {
  /** Resident memory, in bytes. */
  readonly rss: number;
  readonly descriptors: number;
}

/** A program of this folder that runs. */
export class Helper<T> {
  readonly #child: Child;
  readonly #ready = Promise.withResolvers<void>();
  #last = "";
  #errors = "";

  /**
   * Starts it.
   *
   * @param file The file.
   * @param args Its arguments.
   * @param ready The line that says that it has begun.
   */
  constructor(file: string, args: (string | number)[], ready: string) {
    const program = [Deno.execPath(), "run", "--quiet", "--cached-only", "--no-check", "--allow-net", HERE + file];
    this.#child = new Child(args.map(String), (line, source) => {
      if (source === "stderr") this.#errors += `${line}\n`;
      else if (line === ready) this.#ready.resolve();
      else this.#last = line;
    }, program);
    this.#child.ended.then((code) => this.#ready.reject(new Error(`${file} ended with ${code}: ${this.#errors}`)));
  }

  /** Waits until it has begun. */
  ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Has it go on. */
  async go(): Promise<void> {
    await this.#child.write("\n");
  }

  /** Closes its stdin, waits for its end, and returns what it has printed last. */
  async result(): Promise<T> {
    await this.#child.closeStdin();
    const code = await this.#child.ended;
    if (code !== 0) throw new Error(`It ended with exit code ${code}: ${this.#errors}`);
    return JSON.parse(this.#last);
  }

  /** Ends it. */
  async kill(): Promise<void> {
    await this.#child.end("SIGKILL");
  }
}

/** A broker, and what goes on around it. */
export class Arena implements AsyncDisposable {
  /** Sentences on what should not be. */
  readonly troubles: string[] = [];
  readonly #log: string[] = [];
  readonly #options: TrialOptions;
  readonly #helpers: Helper<unknown>[] = [];
  #broker!: BrokerProcess;
  #port = 0;
  #webPort = 0;
  #isWatching = false;
  #highest = 0;
  #watching = Promise.resolve();

  private constructor(options: TrialOptions) {
    this.#options = options;
  }

  /** Starts a broker. */
  static async start(options: TrialOptions, flags: string[] = []): Promise<Arena> {
    const arena = new Arena(options);
    const web = Promise.withResolvers<number>();
    const { broker, port } = await BrokerProcess.start(
      0,
      ["--events", `honest.>,bench.*,${HOSTILE_EVENTS}`, "--web", "127.0.0.1:0", ...flags],
      {
        program: limited(options),
        onTrouble: (sentence) => arena.troubles.push(sentence),
        onLog: (line) => {
          const [, webPort] = /^Web page: http:\/\/127\.0\.0\.1:(\d+)/.exec(line) ?? [];
          if (webPort !== undefined) web.resolve(Number(webPort));
          arena.#log.push(line);
        },
      },
    );
    arena.#broker = broker;
    arena.#port = port;
    arena.#webPort = await web.promise;
    return arena;
  }

  get port(): number {
    return this.#port;
  }

  /** Connects the honest. Have them `go` on, and they publish. */
  async honest(listeners: number, rate: number, forMs: number): Promise<Helper<Observation>> {
    const honest = new Helper<Observation>("honest.ts", [this.#port, listeners, rate, forMs], CONNECTED);
    this.#helpers.push(honest);
    await honest.ready();
    return honest;
  }

  /** Waits until the broker answers one who comes anew. */
  async answers(): Promise<void> {
    await (await this.honest(1, 1, 1)).kill();
  }

  /** Has attackers of a kind begin. */
  async attack(kind: string): Promise<Helper<number>> {
    const { connections, seed } = this.#options;
    const attackers = new Helper<number>(
      "attackers.ts",
      [kind, this.#port, this.#webPort, connections, seed],
      ATTACKING,
    );
    this.#helpers.push(attackers);
    await attackers.ready();
    return attackers;
  }

  /** What the system says of the broker now. */
  usage(): Promise<Usage> {
    return usageOf(this.#broker.pid);
  }

  /** Looks at the broker's memory again and again, until `highest` is asked for. */
  watch(everyMs: number): void {
    this.#isWatching = true;
    const look = async () => {
      while (this.#isWatching) {
        this.#highest = Math.max(this.#highest, (await this.usage()).rss);
        await new Promise((resolve) => setTimeout(resolve, everyMs));
      }
    };
    this.#watching = look();
    this.#watching.catch(() => {}); // It is told when it is waited for.
  }

  /** The most resident memory since `watch`, in bytes. */
  async highest(): Promise<number> {
    this.#isWatching = false;
    await this.#watching;
    return this.#highest;
  }

  /** What the broker's log tells of more than once in other words: each message without its names and numbers, with how often. */
  told(): string[] {
    const counts = new Map<string, number>();
    for (const line of this.#log) {
      const [, message] = /^[\d:]+ {2}! (?:[^ ]+: )?(.*)$/.exec(line) ?? [];
      if (message === undefined) continue;
      const form = message.replace(/"[^"]*"/g, "...").replace(/\d[\d.,]*/g, "N");
      counts.set(form, (counts.get(form) ?? 0) + 1);
    }
    return [...counts].sort(([, a], [, b]) => b - a).map(([form, count]) => `${countOf(count, "time")}: ${form}`);
  }

  /** Ends the broker as Ctrl-C does; resolves when it has ended. */
  async end(): Promise<void> {
    await this.#broker.end("SIGTERM");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isWatching = false;
    await this.#watching.catch(() => {}); // The broker may have ended.
    await Promise.all(this.#helpers.map((helper) => helper.kill()));
    await this.#broker[Symbol.asyncDispose]();
  }
}

/** The program with a limit of its descriptors, if there is to be one. */
function limited({ program, descriptors }: TrialOptions): string[] | undefined {
  if (descriptors === undefined) return program;
  return ["sh", "-c", `ulimit -n ${descriptors} && exec "$@"`, "sh", ...program ?? programLine()];
}

/**
 * How many TCP segments the system has thrown away so far because all sockets together had too much memory (tcp_mem). Each is
 * sent again 200 ms later or more, whoever's it is: a broker can do nothing about that.
 */
export async function lostSegments(): Promise<number> {
  const [names, values] = (await outputOf("grep ^TcpExt: /proc/net/netstat")).trim().split("\n").map((line) =>
    line.split(" ")
  );
  return ["TCPRcvQDrop", "RcvPruned", "TCPBacklogDrop"].reduce(
    (sum, name) => sum + Number(values[names.indexOf(name)]),
    0,
  );
}

async function usageOf(pid: number): Promise<Usage> {
  const output = await outputOf(`grep VmRSS /proc/${pid}/status && ls /proc/${pid}/fd | wc -l`);
  const [, kibibytes, descriptors] = /(\d+) kB\n(\d+)/.exec(output) ?? [];
  if (kibibytes === undefined) throw new Error(`The broker has ended`);
  return { rss: Number(kibibytes) * 1024, descriptors: Number(descriptors) };
}

async function outputOf(script: string): Promise<string> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script], stderr: "null" }).output();
  return new TextDecoder().decode(stdout);
}
