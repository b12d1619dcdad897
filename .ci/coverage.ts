/**
 * Runs the tests and tells how many of the lines of lib/ and cmd/ they reach, those of the programs that they start
 * included. Fails if that is too few.
 *
 * @module
 */

/** The least share of the lines of each folder, in percent. */
const LEAST = new Map([["lib", 95], ["cmd", 85]]);

/** What runs elsewhere in CI, and is left out here: it takes long, or a browser, and reaches hardly a line more. */
const IGNORED = [
  "**/browser/**",
  "**/soak/**",
  "**/bench/**",
  "tests/growth_test.ts",
  "tests/cmd/lessons_test.ts",
  "tests/cmd/documents_test.ts",
  "tests/store/broken_disk_test.ts",
  "tests/store/full_disk_test.ts",
  "tests/store/kill_test.ts",
];

const root = new URL("../", import.meta.url).pathname;
const folder = await Deno.makeTempDir();
try {
  await deno([
    "test",
    "--allow-all",
    "--parallel",
    "--quiet",
    "--coverage-raw-data-only",
    `--coverage=${folder}`,
    `--ignore=${IGNORED.join()}`,
    "tests",
  ]);
  for (const { name } of Deno.readDirSync(folder)) removeTorn(`${folder}/${name}`);
  const report = await deno(["coverage", "--lcov", folder], "piped");
  Deno.exitCode = tell(linesOf(report)) ? 0 : 1;
} finally {
  await Deno.remove(folder, { recursive: true });
}

/** Runs Deno to its end; returns what it prints, where that is wanted. */
async function deno(args: string[], stdout: "inherit" | "piped" = "inherit"): Promise<string> {
  const env = { MQ_COVERAGE_DIR: folder };
  const child = new Deno.Command(Deno.execPath(), { args, cwd: root, env, stdout, stderr: "inherit" });
  const output = await child.output();
  if (!output.success) Deno.exit(output.code);
  return stdout === "piped" ? new TextDecoder().decode(output.stdout) : "";
}

/** A program that is killed while it writes what of it was run leaves a piece that nothing can read. */
function removeTorn(path: string): void {
  try {
    JSON.parse(Deno.readTextFileSync(path));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    Deno.removeSync(path);
  }
}

/** A file and how many of its lines there are, and are reached. */
interface Covered {
  readonly file: string;
  readonly found: number;
  readonly hit: number;
}

/** Reads a report in the format of lcov: a record for each file. */
function linesOf(report: string): Covered[] {
  return report.split("end_of_record").filter((record) => record.includes("SF:")).map((record) => {
    const field = (name: string) => new RegExp(`^${name}:(.*)$`, "m").exec(record)![1];
    return { file: field("SF").replace(root, ""), found: Number(field("LF")), hit: Number(field("LH")) };
  });
}

/** Prints what each folder comes to, and which files are below that; returns whether it is enough. */
function tell(files: Covered[]): boolean {
  let isEnough = true;
  for (const [name, least] of LEAST) {
    const inside = files.filter(({ file }) => file.startsWith(`${name}/`));
    const share = percent(inside);
    isEnough &&= share >= least;
    console.log(`line coverage of ${name}/: ${share.toFixed(1)} % (at least ${least} %)`);
    for (const one of inside.filter((one) => percent([one]) < least)) {
      console.log(`  ${one.file}: ${percent([one]).toFixed(1)} %, ${one.found - one.hit} lines are never run`);
    }
  }
  return isEnough;
}

function percent(files: Covered[]): number {
  const sum = (key: "found" | "hit") => files.reduce((total, file) => total + file[key], 0);
  return 100 * sum("hit") / sum("found");
}
