/** What every command does when its output cannot be written: told and exit 1; or nobody reads it, and that is no error. */
import { assertEquals, assertMatch } from "@std/assert";
import { COMMANDS } from "../../cmd/commands.ts";
import { SinkWriter } from "../../cmd/shared/sink.ts";
import { connect } from "../../mod.ts";
import { type Outcome, Program, programLine, RawClient, startBroker, type TestBroker, until } from "../helpers.ts";
import { startStored, tempFolder } from "../store/folder.ts";
import { fillStore } from "./shared/filled_store.ts";

const encoder = new TextEncoder();

/** What a command needs to write something. */
type Speaks = "broker" | "store" | "folder" | undefined;

/**
 * Each command, with arguments with which it writes something; `-s` is added where there is a broker to speak to, with a
 * store or without; FOLDER is a store that no broker has open, DEAD and DELAYED are ids.
 */
const LINES: readonly (readonly [line: string, speaksTo?: Speaks])[] = [
  ["help"],
  ["help bench"],
  ["--version"],
  ["pub --help"],
  ["completions bash"],
  ["complete 0 s"],
  ["events", "broker"],
  ["logger", "broker"],
  ["logger --json -n 1000", "broker"],
  ["app --every 1ms", "broker"],
  ["app --every 1ms --json", "broker"],
  ["app --every 1ms -n 3", "broker"],
  ["pub create --json", "broker"],
  ["pub create --in 1h", "store"],
  ["cancel DELAYED", "store"],
  ["logger --since all", "store"],
  ["log", "store"],
  ["log --json", "store"],
  ["groups", "store"],
  ["groups --json", "store"],
  ["groups forget mail --yes", "store"],
  ["dead list mail", "store"],
  ["dead list mail --json", "store"],
  ["dead show mail DEAD", "store"],
  ["dead kick mail DEAD", "store"],
  ["dead purge mail --yes", "store"],
  ["store check FOLDER", "folder"],
  ["store check FOLDER --json", "folder"],
  ["store export FOLDER", "folder"],
  ["why create", "broker"],
  ["why create --json", "broker"],
  ["top --once", "broker"],
  ["top --once --json", "broker"],
  ["on create -- echo handled", "broker"],
  ["on create --json -- true", "broker"],
  ["request create", "broker"],
  ["reply create --json -- true", "broker"],
  ["demo"],
  ["bench throughput --msgs 10"],
  ["bench latency --for 50ms --rate 100 --json"],
  ["bench connect --msgs 20"],
];

Deno.test("the table of failing outputs has every command except server", () => {
  const missing = COMMANDS.filter(({ name }) => !LINES.some(([line]) => `${line} `.startsWith(`${name} `)));
  assertEquals(missing.map(({ name }) => name), ["server"]);
});

for (const [line, speaksTo] of LINES) {
  Deno.test(`mq ${line} > /dev/full reports that there is no space, and fails`, async () => {
    const { code, stderr } = await run(line, speaksTo, (args) => redirected("> /dev/full", args));
    assertEquals(code, 1);
    assertMatch(stderr, /(^|\n)mq[ a-z]*: Cannot write the output: No space left on device\n$/);
    assertEquals(stderr.split("Cannot write").length, 2);
  });

  Deno.test(`mq ${line} exits when its reader has closed the pipe`, async () => {
    const { code, stderr } = await run(line, speaksTo, unread);
    assertEquals([code, stderr.includes("Cannot write")], [0, false]);
  });
}

Deno.test("mq with an unwritable stderr does the same, with the same exit code", async () => {
  for (const where of ["2> /dev/full", "2>&-"]) {
    assertEquals((await end(redirected(where, ["--version"]))).code, 0);
    assertEquals((await end(redirected(`> /dev/full ${where}`, ["--version"]))).code, 1);
    assertEquals((await end(redirected(where, ["nonsense"]))).code, 2);
  }
});

Deno.test("mq with a closed stdout writes to /dev/null, which the system opens instead", async () => {
  assertEquals(await end(redirected(">&-", ["--version"])), { code: 0, stdout: "", stderr: "" });
});

for (const [flags, what] of [[[], "for people"], [["--json"], "for programs"]] as const) {
  Deno.test(`mq server continues when its log ${what} cannot be written, and reports it once`, async () => {
    const port = freePort();
    await using program = redirected("> /dev/full", ["server", "--port", `${port}`, ...flags]);
    await survive(program, port, "No space left on device");
  });

  Deno.test(`mq server continues when its log ${what} has no reader any more, and reports it once`, async () => {
    const port = freePort();
    await using program = unread(["server", "--port", `${port}`, ...flags]);
    await survive(program, port, "its reader has closed it");
  });
}

/** The broker still serves, whatever happened that it could not log. */
async function survive(program: Program, port: number, why: string): Promise<void> {
  const sentence = `mq server: Cannot write the log: ${why}. The broker continues without it`;
  assertEquals(await program.stderr.next(), sentence);
  for (let times = 0; times < 3; times++) {
    const client = await RawClient.connect(port);
    assertEquals(await client.ask("/ping"), "/pong");
    client.close();
  }
  program.kill("SIGTERM");
  assertEquals(await program.outcome(), { code: 0, stdout: "", stderr: "" });
}

Deno.test("SinkWriter that survives failures reports what is missing once it can write again", async () => {
  const outcomes: (number | Error)[] = [
    3,
    new Deno.errors.BrokenPipe("gone"),
    new Error("No space left (os error 28)"),
  ];
  let written = "";
  const told: unknown[] = [];
  const writer = new SinkWriter({
    write(bytes) {
      const outcome = outcomes.shift() ?? bytes.length;
      if (typeof outcome !== "number") return Promise.reject(outcome);
      written += new TextDecoder().decode(bytes.subarray(0, outcome));
      return Promise.resolve(outcome);
    },
  }, () => {});
  writer.continueAfterFailure((error) => told.push((error as Error).message));
  for (const text of ["one\ntwo\n", "three\n", "four\n", "five\n"]) await writer.write(encoder.encode(text));
  assertEquals(written, "one\n(3 lines were lost: No space left)\nfour\nfive\n");
  assertEquals(told, ["gone"]);
});

Deno.test("SinkWriter waits for a nonblocking pipe, and writes in order", async () => {
  let written = "";
  const again = [new Deno.errors.WouldBlock(), new Deno.errors.WouldBlock()];
  const write = (bytes: Uint8Array) => {
    if (again.length > 0 && written !== "") return Promise.reject(again.pop());
    written += new TextDecoder().decode(bytes.subarray(0, 2));
    return Promise.resolve(Math.min(2, bytes.length));
  };
  const writer = new SinkWriter({ write }, (error) => assertEquals(error, undefined));
  await writer.write(encoder.encode("hello\n"));
  assertEquals([written, writer.failure], ["hello\n", undefined]);
});

/** Runs a command to its end. Where it listens, it hears events. */
async function run(line: string, speaksTo: Speaks, start: (args: string[]) => Program): Promise<Outcome> {
  if (speaksTo === "store" || speaksTo === "folder") return await runWithStore(line, speaksTo, start);
  await using server = await startBroker();
  const to = speaksTo ? ["-s", `127.0.0.1:${server.port}`] : [];
  const [command, ...rest] = line.split(" ");
  await using replier = await connect({ hostname: "127.0.0.1", port: server.port, name: "replier" });
  if (command === "request") await replier.subscribe("create", { handler: (event) => event.reply("done") }).ready;
  else await replier.close();
  const told = server.told("mq.disconnect").length;
  await using program = start([command, ...to, ...rest]);
  if (["logger", "on"].includes(command)) await feed(server, "create 1", told);
  if (command === "reply") await feed(server, '/pub 1 {"reply":"_INBOX.feed.1"} create 1', told);
  return await program.outcome();
}

/** Runs a command on a store that has something of everything. */
async function runWithStore(line: string, speaksTo: Speaks, start: (args: string[]) => Program): Promise<Outcome> {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const { dead, delayed } = await fillStore(server.port);
  if (speaksTo === "folder") await server.broker.close();
  const to = speaksTo === "folder" ? "" : ` -s 127.0.0.1:${server.port}`;
  const filled = (line + to).replace("FOLDER", folder.path).replace("DEAD", dead).replace("DELAYED", delayed);
  await using program = start(filled.split(" "));
  return await program.outcome();
}

async function end(program: Program): Promise<Outcome> {
  await using running = program;
  return await running.outcome();
}

/** Sends a line until somebody who listens has gone. */
async function feed(server: TestBroker, line: string, before: number): Promise<void> {
  const [publisher] = await server.connect(1);
  await until(() => server.told("mq.subscribe").length > 0, "the program listens");
  await until(async () => {
    await publisher.line(line);
    return server.told("mq.disconnect").length > before;
  }, "the program has gone");
}

/** The program, whose output a shell has go elsewhere. */
function redirected(where: string, args: string[]): Program {
  return new Program(args, {}, ["sh", "-c", `exec "$@" ${where}`, "sh", ...programLine()]);
}

/** The program, whose reader leaves before it has begun. */
function unread(args: string[]): Program {
  const program = new Program(args);
  program.breakStdout();
  return program;
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}
