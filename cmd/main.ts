/**
 * The executable: loads the command that is called, parses its arguments, runs it, and sets the exit code.
 *
 * Imports here delay every call: `mq --version` loads nothing else.
 *
 * @module
 */
import { VERSION } from "../lib/protocol/version.ts";
import { ALL, commandOf, membersOf, wordsOf } from "./commands.ts";
import { isBrokenPipe } from "./shared/sink.ts";
import { type Io, systemIo } from "./shared/stdio.ts";

const PERMISSIONS: readonly Deno.PermissionName[] = ["net", "env", "read", "write", "run", "sys", "ffi"];

/**
 * Runs mq.
 *
 * @param argv The arguments after `mq`.
 * @param io Its input and output.
 * @returns The exit code: 0 done, 1 failed, 2 wrong arguments, 124 timed out. (A process that a second signal ends exits with
 * 128 plus the number of the signal, such as 130 for Ctrl-C.)
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const code = await run(argv, io);
  await io.stdout.flush();
  const { failure } = io.stdout;
  if (failure === undefined) return code;
  const isGone = isBrokenPipe(failure) || io.stdout.isTerminal; // A write to a terminal fails only if it was closed.
  if (isGone) return io.signal.reason === failure ? 0 : code;
  return (await import("./shared/report_failure.ts")).reportWriteError(argv, failure, io);
}

async function run(argv: readonly string[], io: Io): Promise<number> {
  try {
    return await dispatch(argv, io);
  } catch (error) {
    if (io.signal.aborted && error === io.signal.reason) return 1;
    return (await import("./shared/report_failure.ts")).reportFailure(argv, error, io);
  }
}

function dispatch(argv: readonly string[], io: Io): Promise<number> {
  const [first, second] = argv;
  if (["--version", "-V", "-v", "version"].includes(first)) return print(`mq ${VERSION}`, io);
  if (["help", "--help", "-h"].includes(first)) return printHelp(argv.slice(1), io);
  if (["--help", "-h"].includes(second) && membersOf(first).length > 0) return printHelp([first], io);
  return runCommand(argv, io);
}

async function runCommand(argv: readonly string[], io: Io): Promise<number> {
  const called = commandOf(ALL, argv);
  if (called === undefined) throw (await import("./shared/unknown_command.ts")).unknownCommand(argv);
  const [command, { parseCommand }, { setColorEnabled }] = await Promise.all([
    called.load(),
    import("./command.ts"),
    import("@std/fmt/colors"),
  ]);
  setColorEnabled(io.stdout.can.colors);
  const args = parseCommand(command, argv.slice(wordsOf(called).length), io.env);
  if (args.help) return printHelp(wordsOf(called), io);
  dropPermissions([...command.permissions, ...command.openingPermissions?.(args.flags) ?? []]);
  return command.run(args, io);
}

async function printHelp(words: readonly string[], io: Io): Promise<number> {
  const { help } = await import("./help.ts");
  return print(await help(words, io), io);
}

function print(text: string, io: Io): Promise<number> {
  io.stdout.line(text);
  return Promise.resolve(0);
}

/**
 * Revokes the permissions that a command does not need, so that it cannot be made to misuse them.
 *
 * @param needed The permissions that it needs.
 */
function dropPermissions(needed: readonly Deno.PermissionName[]): void {
  for (const name of PERMISSIONS) {
    if (!needed.includes(name)) Deno.permissions.revokeSync({ name });
  }
}

/** Reports uncaught errors and rejections as one sentence, and exits. */
function catchUnhandled(io: Io): void {
  let ending: Promise<void> | undefined;
  const end = (event: Event, error: unknown) => {
    event.preventDefault();
    ending ??= reportAndExit(error, io);
  };
  globalThis.addEventListener("error", (event) => end(event, event.error));
  globalThis.addEventListener("unhandledrejection", (event) => end(event, event.reason));
}

async function reportAndExit(error: unknown, io: Io): Promise<void> {
  try {
    io.terminal?.release();
    await (await import("./shared/report_failure.ts")).reportFailure(Deno.args, error, io);
    await io.stderr.flush();
  } finally {
    Deno.exit(1); // Exits even if the report fails, so that its error does not come here again.
  }
}

if (import.meta.main) {
  const io = systemIo();
  catchUnhandled(io);
  const code = await main(Deno.args, io);
  await io.stderr.flush();
  Deno.exit(code);
}
