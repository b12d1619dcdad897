/**
 * Where a lesson takes place: terminals with a shell in each, in a folder of their own, where `mq` is the program under
 * test and the ports that lessons name are free ones.
 *
 * @module
 */
import { has, Lines, programLine, shell, soon, until } from "../helpers.ts";
import { isShown, type Step } from "./lesson.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** The ports that lessons name. */
const PORTS = ["3001", "3002", "8080"];

/** Wipes a line away: what stands before it, such as the progress of a benchmark, is seen no more. */
const WIPE = "\r\x1b[K";

/**
 * How often the shell is told to exit, in milliseconds: a Ctrl-C before it throws away what has been typed meanwhile. What
 * is typed and not read must stay below 4 KiB, all that a terminal holds.
 */
const EXIT_EVERY_MS = 250;

/** The id of an event. One that a lesson has its reader type stands for the one that was shown in that terminal. */
const ID = /\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b/g;

const encoder = new TextEncoder();

/** What a terminal needs to be one: `script` gives a shell a terminal of its own. */
export const CAN_HOLD_LESSONS: boolean = Deno.build.os === "linux" && has("script");

/** A room for lessons, one after another: they share its folder and its ports. */
export class Classroom implements AsyncDisposable {
  /** Where its terminals are. */
  readonly #folder: string;
  /** Where what belongs to the room itself is: `bin`, the programs that its terminals find first. */
  readonly #temp: string;
  readonly #ports: ReadonlyMap<string, string>;
  readonly #terminals = new Map<string, Terminal>();

  private constructor(temp: string, folder: string, ports: ReadonlyMap<string, string>) {
    this.#temp = temp;
    this.#folder = folder;
    this.#ports = ports;
  }

  /**
   * Opens a room.
   *
   * @param folder Where its terminals are; an empty folder of its own if it is left out.
   */
  static async open(folder?: string): Promise<Classroom> {
    const temp = (await shell("mktemp -d")).trim();
    const ports = new Map(PORTS.map((port) => [port, freePort()]));
    await write(`${temp}/bin/mq`, mqOn(ports.get("3001")!));
    await write(`${temp}/bin/deno`, denoOn(ports.get("3001")!));
    await shell(`chmod +x '${temp}'/bin/* && mkdir '${temp}/empty'`);
    return new Classroom(temp, folder ?? `${temp}/empty`, ports);
  }

  /** Does what a step says; returns whether what it needs is there. */
  async perform({ kind, name, lines, needs }: Step): Promise<boolean> {
    if (needs !== undefined && !has(needs)) return false;
    const local = lines.map((line) => this.#localize(line));
    if (kind === "write") await write(`${this.#folder}/${name}`, local.join("\n") + "\n");
    else if (kind === "type") await this.#terminal(name).type(local);
    else await this.#terminal(name).expect(local);
    return true;
  }

  /**
   * Closes the terminals at the end of a lesson.
   *
   * @throws {Error} If the lesson has left something behind: a program that runs, a file, a port that is in use.
   */
  async leave(): Promise<void> {
    await this.#closeTerminals();
    const left = (await shell(`ls -A '${this.#folder}'`)).trim().replaceAll("\n", ", ");
    if (left !== "") throw new Error(`It leaves ${left} behind`);
    for (const port of this.#ports.values()) Deno.listen({ hostname: "127.0.0.1", port: Number(port) }).close();
  }

  /** Presses Ctrl-C in every terminal, and closes it. */
  async end(): Promise<void> {
    for (const terminal of this.#terminals.values()) await terminal.type(["^C"]);
    await this.#closeTerminals();
  }

  async #closeTerminals(): Promise<void> {
    const terminals = [...this.#terminals];
    this.#terminals.clear();
    await Promise.all(terminals.map(([name, terminal]) => terminal.leave(name)));
  }

  /** Puts free ports for those that the lesson names. */
  #localize(line: string): string {
    return line.replaceAll(/\b\d{4}\b/g, (port) => this.#ports.get(port) ?? port);
  }

  #terminal(name: string): Terminal {
    const terminal = this.#terminals.get(name) ??
      new Terminal(this.#folder, `${this.#temp}/bin`, this.#ports.get("3001")!);
    this.#terminals.set(name, terminal);
    return terminal;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // All at once: script takes two seconds to end.
    await Promise.all([...this.#terminals.values()].map((terminal) => terminal[Symbol.asyncDispose]()));
    await shell(`rm -rf '${this.#temp}'`);
  }
}

/** One terminal, with a shell in it. */
class Terminal implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #stdout: ReadableStreamDefaultReader<Uint8Array>;
  readonly #lines: Lines;
  /** The last id of the last expected line that had one. */
  #shownId: string | undefined;

  constructor(folder: string, bin: string, port: string) {
    const path = [bin, Deno.execPath().replace(/\/[^/]*$/, ""), Deno.env.get("PATH")].join(":");
    const home = Deno.env.get("HOME") ?? "/";
    this.#process = new Deno.Command("script", {
      args: ["-qfec", "sh -i", "/dev/null"],
      cwd: folder,
      clearEnv: true,
      env: {
        PATH: path,
        HOME: home,
        PS1: "",
        TERM: "dumb",
        LANG: "C.UTF-8",
        NO_COLOR: "1",
        MQ_FOLDER: ROOT,
        MQ_URL: `mq://localhost:${port}`,
        DENO_TLS_CA_STORE: "system",
      },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#stdin = this.#process.stdin.getWriter();
    const stdout = this.#stdout = this.#process.stdout.getReader();
    this.#lines = new Lines(async () => (await stdout.read()).value ?? null);
  }

  /** Types lines; `^C` is the key that ends a program, and `^D` the one that ends what is typed. */
  async type(lines: readonly string[]): Promise<void> {
    for (const line of lines) {
      const keys = line === "^C" ? "\x03" : line === "^D" ? "\x04" : `${this.#withShownId(line)}\n`;
      await this.#stdin.write(encoder.encode(keys));
    }
  }

  #withShownId(line: string): string {
    return line.replaceAll(ID, (id) => this.#shownId ?? id);
  }

  /** Waits until it shows lines, in this order; others may come between them. */
  async expect(lines: readonly string[]): Promise<void> {
    for (const line of lines) await this.#find(line);
  }

  async #find(expected: string): Promise<void> {
    const seen: string[] = [];
    try {
      for (let line = await this.#lines.next(); line !== null; line = await this.#lines.next()) {
        const shown = line.split(WIPE).at(-1)!.replaceAll("\r", "");
        if (isShown(expected, shown)) return this.#noteId(shown);
        seen.push(shown);
      }
    } catch (error) {
      throw new Error(`${(error as Error).message}: ${JSON.stringify(expected)}; there was:\n${seen.join("\n")}`);
    }
    throw new Error(`The terminal was closed before it showed ${JSON.stringify(expected)}:\n${seen.join("\n")}`);
  }

  #noteId(shown: string): void {
    this.#shownId = shown.match(ID)?.at(-1) ?? this.#shownId;
  }

  /** Ends the shell from its prompt, which needs that nothing else runs there. */
  async leave(name: string): Promise<void> {
    let isLeft = false;
    this.#process.status.then(() => isLeft = true);
    this.#lines.rest(); // A terminal shows what comes, also while it is left.
    let typedAt = -Infinity;
    try {
      await until(() => {
        if (isLeft || performance.now() < typedAt + EXIT_EVERY_MS) return isLeft;
        typedAt = performance.now();
        return this.type(["exit"]).then(() => false, () => isLeft);
      }, "the prompt");
    } catch { // It has waited in vain: nothing else can go wrong there.
      await this[Symbol.asyncDispose]();
      throw new Error(`It leaves something running in the terminal ${name}`);
    }
    await this.#release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGTERM"); // It closes the terminal, which hangs up on all that runs in it.
    await soon(this.#process.status, "the end of a terminal");
    await this.#release();
  }

  async #release(): Promise<void> {
    await this.#stdin.abort().catch(() => {}); // The terminal has ended, so what was still to be typed is no loss.
    await this.#stdout.cancel();
  }
}

/** `mq`, as the lesson has it: its broker listens on a free port where the lesson means the usual one. */
function mqOn(port: string): string {
  const program = programLine().map((word) => `'${word}'`).join(" ");
  return `#!/bin/sh
case "$1 $*" in
  *--port*) ;;
  "server "*) shift; set -- server --port ${port} "$@" ;;
esac
exec ${program} "$@"
`;
}

/** `deno`, whose task `server` listens on that port, too. */
function denoOn(port: string): string {
  return `#!/bin/sh
[ "$1 $2" != "task server" ] || set -- "$@" --port ${port}
exec '${Deno.execPath()}' "$@"
`;
}

function freePort(): string {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return String(port);
}

async function write(path: string, text: string): Promise<void> {
  await shell(`mkdir -p "$(dirname '${path}')" && cat > '${path}'`, text);
}
