/**
 * `mq demo`: the broker, a logger and two apps in one terminal.
 *
 * @module
 */
import { blue, bold, cyan, green } from "@std/fmt/colors";
import { app } from "./app.ts";
import { wrapPlain } from "./shared/wrap.ts";
import { type Command, defineCommand, DURATION, duration, option, parseCommand } from "./command.ts";
import { titleOf } from "./commands.ts";
import { logger } from "./logger.ts";
import { server, type ServerFlags, startServer } from "./server.ts";
import { stopServer } from "./server/stop.ts";
import type { Sink } from "./shared/sink.ts";
import { aborted, type Io, Output } from "./shared/stdio.ts";
import { webFlagOrFree } from "./server/web_flags.ts";

const INTRODUCTION = [
  "Four programs connected over TCP: a broker, a logger that prints all events, and two apps that publish. Ctrl-C ends all.",
  "The broker forwards the events it recognizes and drops the others: watch for archive and login.",
  "The same in three terminals: mq server, mq logger and mq app (or deno task server, deno task logger, deno task app).",
];

const flags = {
  for: option("DURATION", "Exit after that time.", duration, {
    suggestFor: ["wait", "timeout", "time", "duration"],
    suggestForValue: DURATION,
  }),
  web: webFlagOrFree,
};

export const demo = defineCommand({
  ...titleOf("demo"),
  description: "Starts a broker on a free port with a logger and two apps connected to it, and opens the web page.",
  operands: { form: "", min: 0, max: 0 },
  flags,
  examples: [
    ["mq demo", "until Ctrl-C"],
    ["mq demo --for 10s", "for ten seconds"],
  ],
  permissions: ["net"],
  async run({ flags }, io) {
    const until = flags.for === undefined ? io.signal : AbortSignal.any([io.signal, AbortSignal.timeout(flags.for)]);
    const introduced = Promise.withResolvers<void>();
    const named = (name: string, color: (text: string) => string) =>
      prefixed({ ...io, signal: until }, color(name.padEnd(8)), introduced.promise);
    const serverFlags = { ...parseCommand(server, ["--port", "0"]).flags, web: flags.web } as ServerFlags;
    const served = await startServer(serverFlags, named("server", bold));
    const width = io.terminal?.size().columns ?? Infinity;
    for (const line of INTRODUCTION.flatMap((line) => wrapPlain(line, width))) io.stdout.line(line);
    io.stdout.line(`A page that shows the connections and events: ${bold(served.web!.url)}\n`);
    introduced.resolve();
    const address = `localhost:${served.broker.addr!.port}`;
    await Promise.all([
      start(logger, ["-s", address], named("logger", green)),
      start(app, ["-s", address, "--name", "app-1", "--every", "900ms"], named("app-1", blue)),
      start(app, ["-s", address, "--name", "app-2", "--every", "1300ms"], named("app-2", cyan)),
      aborted(until),
    ]);
    await stopServer(served, io);
    return 0;
  },
});

/** Runs a command until the signal is aborted, which is no error even while it is still connecting. */
async function start(command: Command, argv: string[], io: Io): Promise<void> {
  try {
    await command.run(parseCommand(command, argv), io);
  } catch (error) {
    if (!io.signal.aborted || error !== io.signal.reason) throw error;
  }
}

/** An Io that writes each line to the given stdout after a prefix, but nothing before `ready` resolves. */
function prefixed(io: Io, prefix: string, ready: Promise<void>): Io {
  const decoder = new TextDecoder();
  const sink: Sink = {
    async write(bytes) {
      await ready;
      const text = decoder.decode(bytes, { stream: true });
      for (const line of text.trimEnd().split("\n")) io.stdout.line(`${prefix} ${line}`);
      return bytes.length;
    },
  };
  const { isTerminal } = io.stdout;
  return { ...io, stdout: new Output(sink, { isTerminal }), stderr: new Output(sink, { isTerminal }) };
}
