/**
 * The executable: finds the subcommand, gives it its arguments, and turns what became of it into an exit code.
 *
 * @module
 */
import { setColorEnabled } from "@std/fmt/colors";
import { MqError, VERSION } from "../mod.ts";
import { app } from "./app.ts";
import { columns, type Command, helpOf, parseCommand, suggest, UsageError } from "./command.ts";
import { demo } from "./demo.ts";
import { logger } from "./logger.ts";
import { pub } from "./pub.ts";
import { server } from "./server.ts";
import { type Io, systemIo } from "./stdio.ts";

/** The subcommands, in the order of the help. */
export const COMMANDS: readonly Command[] = [server, logger, app, pub, demo];

const PERMISSIONS: readonly Deno.PermissionName[] = ["net", "env", "read", "write", "run", "sys", "ffi"];

const HELP = [
  `mq ${VERSION}: a small event broker and its toolkit`,
  "",
  "Usage: mq COMMAND [arguments]",
  "",
  "Commands:",
  ...columns([
    ...COMMANDS.map(({ name, summary }) => [name, summary] as const),
    ["help COMMAND", "what a command takes, with examples"],
  ]),
  "",
  "Begin with one terminal:   mq demo",
  "or with three:             mq server    mq logger    mq app",
].join("\n");

/**
 * Runs mq.
 *
 * @param argv The arguments behind `mq`.
 * @param io What it reads from and writes to.
 * @returns The exit code: 0 done, 1 failed, 2 misused, 124 the time given ran out.
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  try {
    return await dispatch(argv, io);
  } catch (error) {
    if (io.signal.aborted && error === io.signal.reason) return isBrokenPipe(io) ? 0 : 1;
    return fail(argv[0], error, io);
  }
}

function dispatch([first, ...rest]: readonly string[], io: Io): Promise<number> {
  if (first === undefined) throw new UsageError("it needs a command", "mq demo, or mq --help");
  if (["--version", "-V", "version"].includes(first)) return print(`mq ${VERSION}`, io);
  if (["help", "--help", "-h"].includes(first)) return help(rest, io);
  const command = find(first);
  const args = parseCommand(command, rest);
  if (args.help) return print(helpOf(command), io);
  dropPermissions(command.permissions);
  return command.run(args, io);
}

function help([name, ...rest]: string[], io: Io): Promise<number> {
  if (rest.length > 0) throw new UsageError("help takes one command", "mq help server");
  return print(name === undefined || name === "help" ? HELP : helpOf(find(name)), io);
}

function find(name: string): Command {
  const names = COMMANDS.map((command) => command.name);
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command) return command;
  const kind = name.startsWith("-") ? "flag" : "command";
  const nearest = kind === "command" ? suggest(name, names) : undefined;
  throw new UsageError(
    `unknown ${kind} ${name}`,
    nearest ? `mq ${nearest}` : `one of ${names.join(", ")}, or mq --help`,
  );
}

function print(text: string, io: Io): Promise<number> {
  io.stdout.line(text);
  return Promise.resolve(0);
}

/** What a command does not need it cannot be made to misuse. */
function dropPermissions(needed: readonly Deno.PermissionName[]): void {
  for (const name of PERMISSIONS) {
    if (!needed.includes(name)) Deno.permissions.revokeSync({ name });
  }
}

function fail(command: string | undefined, error: unknown, io: Io): number {
  const program = COMMANDS.some(({ name }) => name === command) ? `mq ${command}` : "mq";
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof UsageError) {
    io.stderr.line(`${program}: ${message}\nTry: ${error.hint}`);
    return 2;
  }
  const isExpected = error instanceof MqError || error instanceof RangeError;
  io.stderr.line(
    isExpected ? `${program}: ${message}` : `${program}: unexpected error: ${message}. This is a bug in mq.`,
  );
  return 1;
}

function isBrokenPipe(io: Io): boolean {
  return io.signal.reason === "broken pipe";
}

/** Whatever slips past every other net still comes as one sentence. */
function catchStrays(io: Io): void {
  const end = async (event: Event, error: unknown) => {
    event.preventDefault();
    const code = fail(Deno.args[0], error, io);
    await io.stderr.flush();
    Deno.exit(code);
  };
  globalThis.addEventListener("error", (event) => end(event, event.error));
  globalThis.addEventListener("unhandledrejection", (event) => end(event, event.reason));
}

if (import.meta.main) {
  const io = systemIo();
  catchStrays(io);
  setColorEnabled(io.stdout.isTerminal && !Deno.noColor);
  const code = await main(Deno.args, io);
  await io.stdout.flush();
  await io.stderr.flush();
  Deno.exit(code);
}
