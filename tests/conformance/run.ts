/**
 * Plays the conformance suite against any broker that speaks mq's line protocol, whatever it is written in.
 *
 * @module
 */
import { Failure, play, Unreachable } from "./play.ts";
import { classicPortOf, needsControl, parseWords, readScripts, type Script } from "./script.ts";

const USAGE = `Usage: deno run --allow-net --allow-read tests/conformance/run.ts HOST:PORT [SCRIPT...] [--needs FLAGS]

Plays scripts against the broker at HOST:PORT, which should have no other clients meanwhile.
SCRIPT is a file of the suite or the number of a rule; without any, all of them are meant.
--needs says with which flags the broker was started; the scripts that need just these are played. Without it
those are played that need none. What mq server does for a flag, another broker may do in its own way.`;

/** How long anything that must come may take, in milliseconds. */
const PATIENCE_MS = 5000;

/** The arguments are wrong. */
class Misuse extends Error {}

interface Args {
  hostname: string;
  port: number;
  scripts: Script[];
  flags: string;
}

/**
 * Runs the program.
 *
 * @param argv Its arguments.
 * @param print Prints a line.
 * @returns The exit code: 0 all that was played is as it should be, 1 it is not, 2 misused.
 */
export async function run(argv: readonly string[], print: (line: string) => void): Promise<number> {
  const tell = (code: number, message: string) => (print(message), code);
  try {
    return await playAll(parse(argv), print);
  } catch (error) {
    if (error instanceof Unreachable) {
      return tell(1, `There is no broker: ${error.message}\nTry: mq server, or another HOST:PORT`);
    }
    if (error instanceof Misuse) return tell(2, `${error.message}\n\n${USAGE}`);
    throw error;
  }
}

function parse(argv: readonly string[]): Args {
  const at = argv.indexOf("--needs");
  const flags = at === -1 ? "" : argv[at + 1] ?? "";
  const [address = "", ...names] = at === -1 ? argv : argv.toSpliced(at, 2);
  const [, hostname, port] = /^\[?([^-[\]][^[\]]*?)\]?:(\d{1,5})$/.exec(address) ?? [];
  if (hostname === undefined) throw new Misuse("It needs to know where the broker is: HOST:PORT");
  const all = readScripts();
  if (!all.some(({ needs }) => isSame(needs, flags))) throw new Misuse(`No script needs ${flags}`);
  const scripts = names.length === 0 ? all : names.flatMap((name) => find(all, name));
  return { hostname, port: Number(port), scripts, flags };
}

function find(all: Script[], name: string): Script[] {
  const found = all.filter(({ file, rule }) => rule === name || file === name.split("/").at(-1));
  if (found.length === 0) throw new Misuse(`There is no script ${name}`);
  return found;
}

async function playAll({ hostname, port, scripts, flags }: Args, print: (line: string) => void): Promise<number> {
  const counts = { ok: 0, FAILED: 0, ignored: 0 };
  for (const script of scripts) {
    const needs = whatIsMissing(script, flags);
    const why = needs === undefined ? await tryOut(script, hostname, port) : `${script.file}: needs ${needs}`;
    const outcome = needs !== undefined ? "ignored" : why === undefined ? "ok" : "FAILED";
    counts[outcome]++;
    print(`${outcome.padEnd(7)} ${why ?? script.file}`);
  }
  print(`${counts.ok} ok, ${counts.FAILED} failed, ${counts.ignored} ignored`);
  return counts.FAILED === 0 && counts.ok > 0 ? 0 : 1;
}

function whatIsMissing(script: Script, flags: string): string | undefined {
  if (!isSame(script.needs, flags)) return script.needs || "a broker without flags";
  return needsControl(script) ? "a broker that can be told to go down" : undefined;
}

/** Whether two command lines say the same. */
function isSame(one: string, other: string): boolean {
  return parseWords(one).join(" ") === parseWords(other).join(" ");
}

/** Plays a script; returns what is wrong. */
async function tryOut(script: Script, hostname: string, port: number): Promise<string | undefined> {
  try {
    await play(script, { hostname, port, classicPort: classicPortOf(script.needs), patienceMs: PATIENCE_MS });
  } catch (error) {
    if (error instanceof Failure) return error.message;
    throw error;
  }
}

if (import.meta.main) Deno.exit(await run(Deno.args, console.log));
