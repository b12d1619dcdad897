/**
 * Compiles mq for every release target into dist/, and lists what it made in dist/SHA256SUMS:
 *
 *     deno task compile:all [linux-x86_64 ...]
 */
import { encodeHex } from "@std/encoding/hex";
import { stripAnsiCode } from "@std/fmt/colors";

const TARGETS: Record<string, string> = {
  "linux-x86_64": "x86_64-unknown-linux-gnu",
  "linux-arm64": "aarch64-unknown-linux-gnu",
  "macos-x86_64": "x86_64-apple-darwin",
  "macos-arm64": "aarch64-apple-darwin",
  "windows-x86_64": "x86_64-pc-windows-msvc",
};

/**
 * The stack of the compiler's threads, and the arguments of the `compile` task without its `--output`: the one place that
 * says what mq is permitted. With less of a stack, `deno compile` (2.4 to 2.9) overflows it over a package that prom-client
 * needs.
 */
function compileTask(task: string | { command: string } | undefined): { stackBytes: string; args: string[] } {
  const steps = (typeof task === "object" ? task.command : task)?.split(" && ");
  const command = steps?.find((step) => step.includes(" deno compile "));
  const words = command?.replace(/\s(--output|-o)[\s=]\S+/, "").trim().split(/\s+/) ?? [];
  const [stackBytes, deno, compile, ...args] = [words[0]?.replace("RUST_MIN_STACK=", ""), ...words.slice(1)];
  // The words are passed on as they are, so there must be nothing in them for a shell to interpret.
  if (deno !== "deno" || compile !== "compile" || /["'`$&|;<>\\]/.test(args.join())) {
    throw new Error("The task compile in deno.json has no plain `RUST_MIN_STACK=... deno compile` command.");
  }
  return { stackBytes, args };
}

/** The last line of what Deno wrote about an error: the root cause, without the number it has in the list of causes. */
function lastLine(stderr: Uint8Array): string {
  const lines = stripAnsiCode(new TextDecoder().decode(stderr)).split("\n").map((line) => line.trim());
  const last = lines.findLast((line) => line !== "" && !/^(info|hint): /.test(line)) ?? "deno compile said nothing";
  return last.replace(/^(error|\d+): /, "");
}

/** Compiles for one target, beside the files that are there; returns why that failed, if it did. */
async function compile(target: string, args: string[], output: string): Promise<string | undefined> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["compile", "--target", target, "--output", output, ...args],
    // Deno takes DENORT_BIN for every target, whatever that executable is for, so only this machine's target gets it.
    // A backtrace would hide the last line of an error.
    env: {
      RUST_LIB_BACKTRACE: "0",
      RUST_MIN_STACK: stackBytes,
      ...(denort && target === Deno.build.target ? { DENORT_BIN: denort } : {}),
    },
    stdin: "null",
    stdout: "inherit",
    stderr: "piped",
  }).output();
  return success ? undefined : lastLine(stderr);
}

const names = Deno.args.length ? Object.keys(TARGETS).filter((name) => Deno.args.includes(name)) : Object.keys(TARGETS);
const unknown = Deno.args.find((name) => !Object.hasOwn(TARGETS, name));
if (unknown !== undefined) {
  console.error(`There is no target "${unknown}"; the targets are ${Object.keys(TARGETS).join(", ")}.`);
  Deno.exit(2);
}

const denort = Deno.env.get("DENORT_BIN");
Deno.env.delete("DENORT_BIN");

const config = JSON.parse(await Deno.readTextFile("deno.json"));
const { stackBytes, args } = compileTask(config.tasks?.compile);
const folder = "dist/new";
await Deno.mkdir(folder, { recursive: true });
let sums = "";
for (const name of names) {
  const file = `mq-${config.version}-${name}${name.startsWith("windows") ? ".exe" : ""}`;
  const error = await compile(TARGETS[name], args, `${folder}/${file}`);
  if (error !== undefined) {
    console.error(`Could not compile for ${name}: ${error.replace(/\.$/, "")}.`);
    Deno.exitCode = 1;
    continue;
  }
  const bytes = await Deno.readFile(`${folder}/${file}`);
  await Deno.rename(`${folder}/${file}`, `dist/${file}`);
  sums += `${encodeHex(await crypto.subtle.digest("SHA-256", bytes))}  ${file}\n`;
  console.log(`dist/${file}, ${(bytes.length / 1e6).toFixed(1)} MB`);
}
await Deno.remove(folder, { recursive: true });
// Only what this run has made is listed; where that is nothing, the list of an earlier run stays with its files.
if (sums !== "") await Deno.writeTextFile("dist/SHA256SUMS", sums);
