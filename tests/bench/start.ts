/**
 * What it takes to start dist/mq, beside an empty program that is compiled with the same base:
 *
 *     DENORT_BIN=$(.ci/denort) deno task bench:start
 *
 * Fails if the executable, or the memory that `mq --version` takes, is larger than mq allows itself. Of the time, which the
 * machine decides, it only says what it was. GNU time (/usr/bin/time) tells how much memory a process has had at most.
 *
 * @module
 */
const ROUNDS = 9;

/** How large the executable may be. */
const MAX_BYTES = 97e6;

/** How much more memory `mq --version` may take than an empty program, which takes 48 MB on Linux. */
const MAX_MORE_BYTES = 12e6;

const MQ = "dist/mq";

/** What is started: its name here, and its command line. */
type Program = readonly [name: string, ...line: string[]];

/** What starting a program takes, in the middle of all rounds. */
interface Cost {
  readonly ms: number;
  readonly bytes: number;
}

const folder = await Deno.makeTempDir();
try {
  const empty = `${folder}/empty`;
  compileEmpty(empty);
  const programs: Program[] = [
    ["an empty program", empty],
    ["mq --version", MQ, "--version"],
    ["mq --help", MQ, "--help"],
    ["mq help server", MQ, "help", "server"],
  ];
  const costs = inTurns(programs);
  const [base, version] = costs;
  for (const [index, { ms, bytes }] of costs.entries()) {
    const times = `${(ms / base.ms).toFixed(2)} times as long`;
    console.log(`${programs[index][0].padEnd(16)}  ${ms.toFixed(1)} ms (${times}), ${megabytes(bytes)} of memory`);
  }
  const size = Deno.statSync(MQ).size;
  console.log(`${MQ} is ${megabytes(size)} large, the empty program ${megabytes(Deno.statSync(empty).size)}`);
  hold("the executable", size, MAX_BYTES);
  hold("what mq --version takes more than an empty program", version.bytes - base.bytes, MAX_MORE_BYTES);
} finally {
  Deno.removeSync(folder, { recursive: true });
}

function compileEmpty(output: string): void {
  const main = `${folder}/empty.ts`;
  Deno.writeTextFileSync(main, "");
  run(Deno.execPath(), "compile", "--quiet", "--no-config", "--output", output, main);
}

/** Starts each program so many times, one after the other in each round. */
function inTurns(programs: readonly Program[]): Cost[] {
  const starts: Cost[][] = programs.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, [, ...line]] of programs.entries()) starts[index].push(start(line));
  }
  return starts.map((all) => ({ ms: median(all.map(({ ms }) => ms)), bytes: median(all.map(({ bytes }) => bytes)) }));
}

/** Starts a program twice, to its end: once to see how long it takes, and once for its memory. */
function start(line: readonly string[]): Cost {
  const [command, ...args] = line;
  const before = performance.now();
  run(command, ...args);
  const ms = performance.now() - before;
  return { ms, bytes: Number(run("/usr/bin/time", "--format=%M", ...line)) * 1024 };
}

/** Runs a program; returns what it writes to stderr. */
function run(command: string, ...args: string[]): string {
  const { success, stderr } = new Deno.Command(command, { args, stdout: "null", stderr: "piped" }).outputSync();
  const text = new TextDecoder().decode(stderr);
  if (!success) throw new Error(`${command} ${args.join(" ")} failed: ${text}`);
  return text;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Fails if something is larger than it may be. */
function hold(what: string, bytes: number, max: number): void {
  if (bytes <= max) return;
  console.error(`${what} is ${megabytes(bytes)}, and may be ${megabytes(max)}`);
  Deno.exitCode = 1;
}
