/**
 * A copy of the repository, in which a test runs tasks of deno.json as a reader does: what they make there, no other test
 * sees.
 *
 * @module
 */
import { Program, shell } from "./helpers.ts";

const ROOT = new URL("../", import.meta.url).pathname;

/** A copy of the repository, without what was made in it. */
export class Tree implements AsyncDisposable {
  /** Its root. */
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Makes a copy. */
  static async copy(): Promise<Tree> {
    const made = [".git", "dist", "coverage", "node_modules"];
    const entries = [...Deno.readDirSync(ROOT)].filter(({ name }) => !made.includes(name));
    const paths = entries.map(({ name }) => `'${ROOT}${name}'`).join(" ");
    const folder = await shell(`folder=$(mktemp -d) && cp -R ${paths} "$folder" && printf %s "$folder"`);
    return new Tree(folder);
  }

  /** Types `deno task` and the words of a line, where `deno compile` cannot get the base of its executables. */
  task(line: string): Program {
    const task = [Deno.execPath(), "task", "--config", `${this.folder}/deno.json`];
    return new Program(line.split(" "), { DENORT_BIN: "/nowhere" }, task);
  }

  /** The text of a file, by its path from the root. */
  read(path: string): Promise<string> {
    return Deno.readTextFile(`${this.folder}/${path}`);
  }

  /** Writes a file, by its path from the root. */
  async write(path: string, text: string): Promise<void> {
    await shell(`mkdir -p "$(dirname '${this.folder}/${path}')" && cat > '${this.folder}/${path}'`, text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await shell(`rm -rf '${this.folder}'`);
  }
}
