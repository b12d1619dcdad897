/** `mq request` and `mq reply`: what is printed, what is told, and the exit codes. */
import { assertEquals, assertMatch } from "@std/assert";
import { type Client, connect, type MqError, type MqEvent } from "../../mod.ts";
import { mq, type Outcome, Program, programLine, soon, startBroker, type TestBroker, until } from "../helpers.ts";

/** Starts `mq reply create`; it is subscribed when this returns. */
async function startReply({ broker, port }: TestBroker, flags: string, ...commandLine: string[]): Promise<Program> {
  const args = flags.split(" ").filter((arg) => arg !== "");
  const program = new Program(["reply", "create", "-s", `127.0.0.1:${port}`, ...args, "--", ...commandLine]);
  const isSubscribed = () => broker.clients().some(({ patterns }) => patterns.includes("create"));
  await until(isSubscribed, "mq reply is subscribed");
  return program;
}

function request({ port }: TestBroker, args: string[], stdin = ""): Promise<Outcome> {
  return mq(["request", ...args, "-s", `127.0.0.1:${port}`], { stdin });
}

/** A line of the log, but for the request's id and how long the run took. */
function withoutIds(line: string): string {
  return line.replace(/[0-9A-Z]{26}/, "ID").replace(/\([\d.]+ m?s\)/, "(TIME)");
}

/** Replies to each create by what a function makes of it. */
async function replying(
  server: TestBroker,
  handler: (event: MqEvent) => unknown,
): Promise<AsyncDisposable> {
  const client = await connect({ hostname: "127.0.0.1", port: server.port, name: "shop" });
  await client.subscribe("create", { handler }).ready;
  return client;
}

Deno.test("mq request prints the data of the reply, and mq reply prints each run", async () => {
  await using server = await startBroker();
  await using program = await startReply(server, "-n 2", "sh", "-c", 'read -r data; echo "$MQ_EVENT: $data"');
  assertEquals(await request(server, ["create", "two words"]), { code: 0, stdout: "create: two words\n", stderr: "" });
  assertEquals(await request(server, ["create", '{"id": 1}']), { code: 0, stdout: 'create: {"id": 1}\n', stderr: "" });
  const { code, stdout, stderr } = await program.outcome();
  assertEquals([code, stdout, stderr.trim().split("\n").map(withoutIds)], [
    0,
    "",
    Array(2).fill("mq reply: create ID: done (TIME)"),
  ]);
});

Deno.test("mq request prints the reply's data unchanged, and an empty line for no data", async () => {
  await using server = await startBroker();
  await using _shop = await replying(server, (event) => event.reply(event.data));
  for (
    const [data, line] of [[["hello"], "hello"], [['"42"'], '"42"'], [['{"id": 1}'], '{"id":1}'], [[], ""]] as const
  ) {
    assertEquals(await request(server, ["create", ...data]), { code: 0, stdout: `${line}\n`, stderr: "" });
  }
});

Deno.test("mq request --json prints the reply with its id, time and sender", async () => {
  await using server = await startBroker();
  await using _shop = await replying(server, (event) => event.reply({ hops: event.hops }));
  const { stdout } = await request(server, ["create", "--json", "--hops", "3"]);
  const { id, at, event, ...rest } = JSON.parse(stdout);
  assertEquals([rest, id.length], [{ from: "shop", data: { hops: 3 } }, 26]);
  assertMatch(at, /^\d{4}-.*Z$/);
  assertMatch(event, /^_INBOX\.[0-9A-Z]{26}\.1$/);
});

Deno.test("mq request - publishes a request for each line, one after another, and reports the one that failed", async () => {
  await using server = await startBroker();
  const seen: string[] = [];
  await using _shop = await replying(server, (event) => {
    seen.push(event.text);
    if (event.text === "2") event.replyError("There is no 2");
    else event.reply(event.data);
  });
  const outcome = await request(server, ["create", "-"], "1\n2\n\n3\n");
  assertEquals(outcome, {
    code: 1,
    stdout: "1\n\n3\n",
    stderr: 'mq request: line 2: The request "create" failed: There is no 2\n',
  });
  assertEquals(seen, ["1", "2", "", "3"]);
  const json = await request(server, ["create", "-", "--json-data"], "1\n{id:1}\n");
  assertEquals([json.code, json.stdout], [1, "1\n"]);
  assertMatch(json.stderr, /^mq request: line 2: Not JSON: .+\n$/);
});

Deno.test("mq request fails at once without receivers, and suggests mq reply", async () => {
  await using server = await startBroker();
  assertEquals(await request(server, ["create"]), {
    code: 1,
    stdout: "",
    stderr:
      'mq request: Nobody receives "create", so nobody can reply; start a handler with: mq reply create -- COMMAND\n',
  });
});

Deno.test("mq request exits 124 if no reply comes in time", async () => {
  await using server = await startBroker();
  await using _mute = await replying(server, () => {});
  const outcome = await request(server, ["create", "--timeout", "50ms"]);
  assertEquals(outcome, { code: 124, stdout: "", stderr: 'mq request: No reply to "create" within 50 ms\n' });
  assertEquals((await request(server, ["create", "-", "--timeout", "50ms"], "1\n2\n")).code, 124);
});

Deno.test("mq request fails if its broker shuts down", async () => {
  await using server = await startBroker();
  await using _mute = await replying(server, () => {});
  await using program = new Program(["request", "create", "-s", `127.0.0.1:${server.port}`, "--timeout", "60s"]);
  await until(() => server.broker.stats().published === 1, "it has asked");
  await server.broker.close();
  const { code, stderr } = await program.outcome();
  assertEquals([code, stderr], [1, "mq request: The broker is going down\n"]);
});

for (
  const [what, script, failure] of [
    ["exits with another code than 0", "exit 3", "exit code 3"],
    ["prints what is not UTF-8", 'printf "\\377"', "its output is not UTF-8 (byte 1)"],
    ["takes too long", "sleep 60", "took longer than 200ms and was killed"],
  ]
) {
  Deno.test(`mq reply replies with an error if its command ${what}, and continues`, async () => {
    await using server = await startBroker();
    const command = `read -r data; [ "$data" = good ] || { ${script}; exit; }; echo fine`;
    await using program = await startReply(server, "-n 2 --timeout 200ms", "sh", "-c", command);
    assertEquals(await request(server, ["create", "bad"]), {
      code: 1,
      stdout: "",
      stderr: `mq request: The request "create" failed: ${failure}\n`,
    });
    assertEquals((await request(server, ["create", "good"])).stdout, "fine\n");
    const { code, stderr } = await program.outcome();
    assertEquals(code, 1);
    assertEquals(withoutIds(stderr.split("\n")[0]), `mq reply: create ID: ${failure} (TIME); replied with that error`);
  });
}

Deno.test("mq reply replies with an error if its command's output does not fit a line", async () => {
  await using server = await startBroker({ limits: { lineBytes: 256 } });
  await using _program = await startReply(server, "", "sh", "-c", 'printf "%0250d" 1');
  const { code, stderr } = await request(server, ["create"]);
  assertEquals(code, 1);
  assertMatch(stderr, /failed: done, but not replied: Cannot publish \d+ bytes: the broker takes lines of 256\n$/);
});

Deno.test("mq reply reports events that are not requests, and does not count them", async () => {
  await using server = await startBroker();
  await using program = await startReply(server, "-n 1", "cat");
  const [client] = await server.connect(1);
  await client.line("create plain");
  assertEquals(
    withoutIds((await program.stderr.next())!),
    "mq reply: create ID: ignored: it is no request",
  );
  assertEquals((await request(server, ["create", "asking"])).stdout, "asking\n");
  assertEquals((await program.outcome()).code, 0);
});

Deno.test("mq reply replies with an error to a request that 16 handlers have republished", async () => {
  await using server = await startBroker();
  await using program = await startReply(server, "-n 1", "cat");
  const { code, stderr } = await request(server, ["create", "--hops", "16"]);
  assertEquals(code, 1);
  assertMatch(stderr, /failed: not handled: 16 handlers have republished it; /);
  assertEquals((await program.outcome()).code, 1);
});

Deno.test("mq reply reports that nobody waits for a reply any more", async () => {
  await using server = await startBroker();
  await using program = await startReply(server, "-n 1", "cat");
  const [client] = await server.connect(1);
  await client.line("/unsub >");
  await client.line('/pub 1 {"reply":"_INBOX.gone.1"} create');
  const line = withoutIds((await program.stderr.next())!);
  assertEquals(line, "mq reply: create ID: done, but no client waited for the reply (TIME)");
  assertEquals((await program.outcome()).code, 0);
});

Deno.test("mq reply --json prints each run like mq on", async () => {
  await using server = await startBroker();
  await using program = await startReply(server, "-n 1 --json", "cat");
  await request(server, ["create", "7"]);
  const { code, stdout, stderr } = await program.outcome();
  const { id: _id, at: _at, ms: _ms, ...run } = JSON.parse(stdout);
  assertEquals([code, stderr, run], [0, "", {
    from: "request",
    event: "create",
    data: 7,
    attempt: 1,
    ok: true,
    ended: "done",
    next: null,
  }]);
});

/** A command that ends, with what it was asked, when the test says so: it makes a request itself, which the test answers. */
class Gate implements AsyncDisposable {
  static readonly events = ["create", "read"];
  static readonly commandLine = ["sh", "-c", 'read -r data; "$@" "$data"', "sh", ...programLine(), "request", "read"];
  readonly arrived: MqEvent[] = [];
  readonly #client: Client;

  private constructor(client: Client) {
    this.#client = client;
  }

  static async open({ port }: TestBroker): Promise<Gate> {
    const gate = new Gate(await connect({ hostname: "127.0.0.1", port, name: "gate" }));
    await gate.#client.subscribe("read", { handler: (event) => gate.arrived.push(event) }).ready;
    return gate;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#client.close();
  }
}

Deno.test("mq reply handles the given number of requests at a time", async () => {
  await using server = await startBroker({ events: Gate.events });
  await using gate = await Gate.open(server);
  await using _program = await startReply(server, "--concurrency 2", ...Gate.commandLine);
  const asked = ["a", "b"].map((data) => request(server, ["create", data, "--timeout", "60s"]));
  await until(() => gate.arrived.length === 2, "both run");
  for (const event of gate.arrived) event.reply(event.data);
  const outcomes = await soon(Promise.all(asked), "the replies");
  assertEquals(outcomes.map(({ stdout }) => stdout), ["a\n", "b\n"]);
});

Deno.test("mq reply, interrupted, replies with an error to queued requests after the running ones", async () => {
  await using server = await startBroker({ events: Gate.events });
  await using gate = await Gate.open(server);
  await using program = await startReply(server, "", ...Gate.commandLine);
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  const ask = (data: string) =>
    client.request("create", data, { timeoutMs: 60_000 }).then(
      (reply) => reply.data,
      (error: MqError) => error.message,
    );
  const first = ask("first");
  await until(() => gate.arrived.length === 1, "the first runs");
  const second = ask("second");
  const isDelivered = async () =>
    (await client.clients()).some(({ name, delivered }) => name === "reply" && delivered === 2);
  await until(isDelivered, "the second waits");
  program.kill("SIGINT");
  await program.stderr.find("waiting for 1 running command");
  gate.arrived[0].reply("first");
  assertEquals(await soon(Promise.all([first, second]), "the replies"), [
    "first",
    'The request "create" failed: not handled: the handler is shutting down',
  ]);
  assertEquals((await program.outcome()).code, 0);
});

Deno.test("mq reply reports once that there is no connection to reply over", async () => {
  await using elsewhere = await startBroker({ events: Gate.events });
  await using gate = await Gate.open(elsewhere);
  await using server = await startBroker();
  const commandLine = [...Gate.commandLine, "-s", `127.0.0.1:${elsewhere.port}`];
  await using program = await startReply(server, "", ...commandLine);
  const asked = request(server, ["create", "--timeout", "60s"]);
  await until(() => gate.arrived.length === 1, "the command runs");
  await server.broker.close();
  assertEquals((await asked).code, 1);
  program.kill("SIGINT");
  await program.stderr.find("waiting for 1 running command");
  gate.arrived[0].reply("too late");
  const line = withoutIds(await program.stderr.find("mq reply: create"));
  const ended = "done, but not replied: There is no connection to the broker";
  assertEquals(line, `mq reply: create ID: ${ended} (TIME); nor could that error be sent`);
  assertEquals((await program.outcome()).code, 0);
});

Deno.test("a handler of mq reply can make a request itself", async () => {
  await using server = await startBroker({ events: ["create", "read"] });
  await using shop = await connect({ hostname: "127.0.0.1", port: server.port });
  await shop.subscribe("read", { handler: (event) => event.reply(`${event.text} for ${event.hops}`) }).ready;
  await using _program = await startReply(server, "", ...programLine(), "request", "read", "tea");
  assertEquals((await request(server, ["create", "--timeout", "20s"])).stdout, "tea for 1\n");
});
