/**
 * Compiles mq for this machine into dist/mq:
 *
 *     deno task compile
 *
 * @module
 */
import { stripAnsiCode } from "@std/fmt/colors";
import { V8_FLAGS } from "../cmd/bench/subject.ts";
import { productLock } from "./lock.ts";
import { type Graph, unusedFiles } from "./unused_files.ts";

/** What the executable is permitted: each command drops at its start what it does not need. */
export const PERMISSIONS: readonly string[] = [
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-run",
  "--allow-env=MQ_URL,MQ_TOKEN,MQ_TLS_CA,MQ_HOPS,TERM",
];

const MAIN = "cmd/main.ts";

/** The module of the store's worker: nothing imports it. */
const STORE_WORKER = "lib/store/sqlite/worker.ts";

/** Where an executable is made, so that the one of before stays in place until then. */
const FOLDER = "dist/new";

/**
 * `deno compile` embeds every package of its lock, and deno.dev.lock, with which all else is run, has those of the tests, too.
 * To check types, which `deno task gate` does, would add @types/node. A code cache would be a file in the folder for temporary
 * files, where others may write, and mq, which ends by Deno.exit, would never get to fill it.
 */
const FLAGS: readonly string[] = ["--quiet", "--lock=deno.lock", "--no-check", "--no-code-cache", V8_FLAGS];

/**
 * Makes an executable in dist/.
 *
 * @param file Its name.
 * @param target The system that it is for, as Deno names it.
 * @returns Its bytes.
 * @throws {Error} If that fails, with Deno's reason. What was in dist/ is left as it was.
 */
export async function compile(file: string, target: string): Promise<Uint8Array<ArrayBuffer>> {
  // `deno compile` does not mind if its lock lacks a package, even with --frozen.
  const isCurrent = await Deno.readTextFile("deno.lock") === await productLock();
  if (!isCurrent) throw new Error("deno.lock is not a part of deno.dev.lock; deno task lock writes it anew");
  await Deno.mkdir(FOLDER, { recursive: true });
  try {
    const excluded = (await unused()).flatMap((path) => ["--exclude", path]);
    const embedded = ["--include", "dist/page", "--include", STORE_WORKER, ...excluded];
    const made = ["--target", target, "--output", `${FOLDER}/${file}`];
    await deno(["compile", ...FLAGS, ...PERMISSIONS, ...embedded, ...made, MAIN], target);
    const bytes = await Deno.readFile(`${FOLDER}/${file}`);
    await Deno.rename(`${FOLDER}/${file}`, `dist/${file}`);
    console.log(`dist/${file}, ${(bytes.length / 1e6).toFixed(1)} MB`);
    return bytes;
  } finally {
    await Deno.remove(FOLDER, { recursive: true });
  }
}

/** What the packages of mq hold that it never loads. */
async function unused(): Promise<string[]> {
  const { npmCache } = JSON.parse(await deno(["info", "--json"]));
  const graph: Graph = JSON.parse(await deno(["info", "--json", MAIN]));
  return unusedFiles(graph, npmCache);
}

/** Runs Deno; returns what it prints. DENORT_BIN is for this machine, and Deno would take it for any other, too. */
async function deno(args: string[], target: string = Deno.build.target): Promise<string> {
  const { DENORT_BIN, ...env } = Deno.env.toObject();
  if (DENORT_BIN && target === Deno.build.target) env.DENORT_BIN = DENORT_BIN;
  env.RUST_LIB_BACKTRACE = "0"; // It would stand behind the reason.
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, env, clearEnv: true }).output();
  if (!success) throw new Error(reasonIn(new TextDecoder().decode(stderr)));
  return new TextDecoder().decode(stdout);
}

/** Why Deno has failed: the last of the causes that it lists, or the error itself. */
function reasonIn(stderr: string): string {
  const lines = stripAnsiCode(stderr).trimEnd().split("\n");
  const error = lines.find((line) => line.startsWith("error: "));
  const line = lines.includes("Caused by:") || error === undefined ? lines.at(-1)! : error;
  return line.replace(/^(error: |\s*\d+: |\s+)/, "").replace(/\.$/, "");
}

if (import.meta.main) {
  try {
    await compile(Deno.build.os === "windows" ? "mq.exe" : "mq", Deno.build.target);
  } catch (error) {
    console.error(`Could not compile: ${(error as Error).message}.`);
    Deno.exitCode = 1;
  }
}
