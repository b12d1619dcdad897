/** Runs what stands behind `deno task NAME`: its flags are read, and its help is drawn, as those of a command of mq. */
import { type Command, parseCommand, UsageError } from "../../cmd/command.ts";
import { helpOf } from "../../cmd/shared/command_help.ts";
import { type Io, systemIo } from "../../cmd/shared/stdio.ts";

/** Runs a command with this program's arguments, and ends with its exit code. */
export async function runTask(command: Command): Promise<void> {
  const io = systemIo();
  const code = await run(command, io);
  await io.stdout.flush();
  await io.stderr.flush();
  Deno.exit(code);
}

async function run(command: Command, io: Io): Promise<number> {
  const task = (text: string) => text.replaceAll(`mq ${command.name}`, `deno task ${command.name}`);
  try {
    const args = parseCommand(command, Deno.args);
    if (!args.help) return await command.run(args, io);
    io.stdout.line(task(helpOf(command)));
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.stderr.line(`deno task ${command.name}: ${error.message}\nTry: ${task(error.hint)}`);
    return 2;
  }
}
