/** The process of the hostile connections, seen from the trial that starts it. */
import type { Tally } from "./hostile_clients.ts";
import { Child } from "./process.ts";

const PROGRAM = new URL("./hostile_clients.ts", import.meta.url).pathname;

/** What hostile connections are told. */
export interface HostileOptions {
  readonly port: number;
  /** How many there are at the same time. */
  readonly connections: number;
  /** How long each pauses after each write, in milliseconds. Without a pause they take all the time that there is. */
  readonly paceMs: number;
  readonly seed: number;
}

/** The process of the hostile connections. */
export class Hostiles {
  readonly #child: Child;
  readonly #output = { stdout: "", stderr: "" };

  constructor({ port, connections, paceMs, seed }: HostileOptions) {
    const args = [port, connections, paceMs, seed].map(String);
    const program = [Deno.execPath(), "run", "--quiet", "--allow-net", PROGRAM];
    this.#child = new Child(args, (line, source) => this.#output[source] += `${line}\n`, program);
  }

  /** Ends them; returns how many there were. */
  async end(): Promise<Tally> {
    await this.#child.closeStdin();
    const code = await this.#child.ended;
    const { stdout, stderr } = this.#output;
    if (code !== 0) throw new Error(`The hostile connections ended with exit code ${code}: ${stderr}`);
    return JSON.parse(stdout);
  }
}
