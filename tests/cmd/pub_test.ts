import { assertEquals, assertMatch } from "@std/assert";
import { requoted } from "../../cmd/shared/typed.ts";
import { FakeBroker, RECEIPT } from "../fake_broker.ts";
import { mq, type Outcome, Program, programLine, startBroker } from "../helpers.ts";

Deno.test("mq pub publishes data byte for byte, and prints nothing if there is a receiver", async () => {
  await using server = await startBroker();
  const [listener] = await server.connect(1);
  const to = ["-s", `127.0.0.1:${server.port}`];
  for (const data of ['{ "id" : 1.0 }', "two  words", "at the end ", "12345678901234567890", "it's", "null", "é🦕"]) {
    assertEquals(await mq(["pub", "create", data, ...to]), { code: 0, stdout: "", stderr: "" });
    await listener.expect(`create ${data}`);
  }
  await mq(["pub", "create", ...to]);
  await listener.expect("create");
});

Deno.test("mq pub puts data of several lines on one line", async () => {
  await using server = await startBroker();
  const [listener] = await server.connect(1);
  const to = ["-s", `127.0.0.1:${server.port}`];
  await mq(["pub", "create", '{\n  "id": 1\n}\n', ...to]);
  await mq(["pub", "create", "two\nlines", ...to]);
  await listener.expect('create {"id": 1}', 'create "two\\nlines"');
});

Deno.test("mq pub - publishes one event for each line of stdin, in order", async () => {
  await using server = await startBroker();
  const [listener] = await server.connect(1);
  const lines = Array.from({ length: 3000 }, (_, index) => `{"id":${index}}`);
  const outcome = await mq(["pub", "create", "-", "-s", `127.0.0.1:${server.port}`], { stdin: lines.join("\n") });
  assertEquals(outcome, { code: 0, stdout: "", stderr: "" });
  await listener.expect(...lines.map((line) => `create ${line}`));
});

Deno.test("mq pub - ends on Ctrl-C or when the broker shuts down, even if stdin is still open", async () => {
  await using server = await startBroker();
  const [listener] = await server.connect(1);
  const start = () => new Program(["pub", "create", "-", "-s", `127.0.0.1:${server.port}`]);
  await using interrupted = start();
  await interrupted.write("1\n");
  await listener.expect("create 1");
  interrupted.kill("SIGINT");
  const summary = "mq pub: Interrupted: 1 event confirmed\n";
  assertEquals(await interrupted.outcome(), { code: 1, stdout: "", stderr: summary });

  await using abandoned = start();
  await abandoned.write("2\n");
  await listener.expect("create 2");
  listener.close();
  await server.broker.close();
  const { code, stderr } = await abandoned.outcome();
  assertEquals([code, stderr], [1, "mq pub: The broker is going down: 1 event confirmed\n"]);
});

Deno.test("mq pub - continues after a refused line, and fails in the end", async () => {
  await using server = await startBroker({ limits: { lineBytes: 100 } });
  const [listener] = await server.connect(1);
  const stdin = `1\n${"x".repeat(200)}\n3\n`;
  const { code, stderr } = await mq(["pub", "create", "-", "-s", `127.0.0.1:${server.port}`], { stdin });
  assertEquals(code, 1);
  assertEquals(stderr, "mq pub: line 2: line-too-long: Discarded a line longer than 100 bytes\n");
  await listener.expect("create 1", "create 3");
});

/** What bytes of stdin become: the lines that a listener gets. */
const INPUTS: [what: string, printf: string, heard: string[], said?: string][] = [
  ["keeps white space", String.raw`  a\n\tb \n`, ['create "  a"', 'create "\\tb "']],
  ["keeps what a line cannot carry", String.raw`a\r\r\r\nb\r\n`, ['create "a\\r\\r"', "create b"]],
  ["keeps a CR at the end, which ends no line", String.raw`a\nb\r`, ["create a", 'create "b\\r"']],
  ["publishes an event without data for an empty line", String.raw`\n\r\n`, ["create", "create"]],
  ["drops a byte order mark at the beginning", String.raw`\357\273\277{"id":1}\n\357\273\277x\n`, [
    'create {"id":1}',
    "create \ufeffx",
  ]],
  [
    "refuses a line that is not UTF-8, and goes on",
    String.raw`caf\303\251\ncaf\351\nlast`,
    ["create café", "create last"],
    "mq pub: line 2: invalid-utf8: The line is not UTF-8\n",
  ],
];

for (const [what, bytes, heard, said = ""] of INPUTS) {
  Deno.test(`mq pub - ${what}`, async () => {
    await using server = await startBroker();
    const [listener] = await server.connect(1);
    const args = ["pub", "create", "-", "-s", `127.0.0.1:${server.port}`];
    const outcome = await end(new Program(args, {}, ["sh", "-c", `printf '${bytes}' | "$@"`, "sh", ...programLine()]));
    assertEquals(outcome, { code: said === "" ? 0 : 1, stdout: "", stderr: said });
    await listener.expect(...heard);
  });
}

Deno.test("mq pub keeps the white space of its argument", async () => {
  await using server = await startBroker();
  const [listener] = await server.connect(1);
  await mq(["pub", "create", "  a  ", "-s", `127.0.0.1:${server.port}`]);
  await listener.expect('create "  a  "');
});

Deno.test("mq pub - reports that stdin cannot be read", async () => {
  await using server = await startBroker();
  const args = ["pub", "create", "-", "-s", `127.0.0.1:${server.port}`];
  const { code, stderr } = await end(
    new Program(args, {}, ["sh", "-c", 'exec "$@" < /', "sh", ...programLine()]),
  );
  assertEquals([code, stderr], [1, "mq pub: Cannot read stdin: Is a directory\n"]);
});

/** What a shell makes of `mq pub create` and unquoted JSON, and what mq says of it. */
const UNQUOTED: [typed: string, warning: string | undefined, words?: string][] = [
  ['{"id":1}', `mq pub create '{"id":1}'`],
  ['{"id":{"n":[true]}}', `mq pub create '{"id":{"n":[true]}}'`],
  ['["a b",null]', `mq pub create '["a b",null]'`],
  [`{"it's":1}`, `mq pub create '{"it'\\''s":1}'`, `"{it's:1}"`],
  ['{"at":"12:30"}', undefined],
];

for (const [typed, remedy, words = typed] of UNQUOTED) {
  Deno.test(`mq pub warns that unquoted ${typed} is published as text, and shows how to quote it`, async () => {
    await using server = await startBroker();
    const [listener] = await server.connect(1);
    const { code, stderr } = await inBash(`create ${words} -s 127.0.0.1:${server.port}`);
    assertEquals(code, 0);
    assertMatch(
      stderr,
      /^mq pub: the data is published as text, because it begins like JSON but is not valid: [^\n]+\n$/,
    );
    assertEquals(/\. As JSON: (.*)\n/.exec(stderr)?.[1], remedy);
    assertEquals((await listener.lines.next())?.startsWith("create "), true);
  });
}

const TOO_MANY: [typed: string, remedy: string][] = [
  ['{"id":1,"name":"Ada"}', `mq pub create '{"id":1,"name":"Ada"}'`], // Braces are expanded to id:1 name:Ada.
  ['{"id": 1, "name": "Ada"}', `mq pub create '{"id": 1, "name": "Ada"}'`],
  ['{"a":{"b":1,"c":2}}', `mq pub create '{"id":1}'`], // What is left of this is {a:b:1} {a:c:2}.
  ["disk full", "mq pub create 'disk full'"],
];

for (const [typed, remedy] of TOO_MANY) {
  Deno.test(`mq pub shows how to quote ${typed}, which a shell splits into several words`, async () => {
    const { code, stderr } = await inBash(`create ${typed}`);
    assertEquals([code, stderr.endsWith(`in single quotes: ${remedy}\n`)], [2, true], stderr);
  });
}

Deno.test("requoted returns undefined for text that it cannot make JSON", () => {
  for (const text of ["", "hello", "{", "{a:1,}", '{"a:1}', "{at:12:30}", "[a}"]) {
    assertEquals(requoted(text), undefined);
  }
});

Deno.test("mq pub --json-data refuses data that is not JSON", async () => {
  await using server = await startBroker();
  const [listener] = await server.connect(1);
  const to = ["-s", `127.0.0.1:${server.port}`, "--json-data"];
  for (const data of ["{id:1}", "hello"]) {
    const { code, stderr } = await mq(["pub", "create", data, ...to]);
    assertEquals([code, stderr.startsWith("mq pub: the data is not JSON: ")], [2, true]);
  }
  const { code, stderr } = await mq(["pub", "create", "-", ...to], { stdin: '{"id":1}\n{id:2}\n{id:3}\n\n[4]\n' });
  assertEquals([code, stderr], [
    1,
    "mq pub: line 2: Not JSON: Expected property name or '}' (2 times)\n",
  ]);
  assertEquals((await mq(["pub", "create", ...to])).code, 0);
  await listener.expect('create {"id":1}', "create", "create [4]", "create");
});

Deno.test("mq pub - reports how many lines that begin like JSON were published as text", async () => {
  await using server = await startBroker();
  const [listener] = await server.connect(1);
  const { code, stderr } = await mq(["pub", "create", "-", "-s", `127.0.0.1:${server.port}`], {
    stdin: "hello\n{id:1}\n{id:2}\n",
  });
  assertEquals([code, stderr], [
    0,
    "mq pub: published as text, because it begins like JSON but is not valid: " +
    "2 lines, the first is line 2: Expected property name or '}'\n",
  ]);
  await listener.expect("create hello", "create {id:1}", "create {id:2}");
});

Deno.test("mq pub refuses an argument that was not UTF-8", async () => {
  const { code, stdout } = await mq(["pub", "create", "caf\ufffd"]);
  assertEquals([code, stdout], [2, ""]);
});

Deno.test("mq pub - reports how many events are confirmed and how many uncertain when the broker dies", async () => {
  await using broker = new FakeBroker();
  await using program = new Program(["pub", "create", "-", "-s", `127.0.0.1:${broker.port}`]);
  const peer = await broker.welcome();
  await program.write("1\n2\n3\n4\n5\n");
  await peer.expect("/pub 1 create 1", "/pub 2 create 2", "/pub 3 create 3", "/pub 4 create 4", "/pub 5 create 5");
  await peer.say(`/ok 1 ${RECEIPT}`, "/err 2 unrecognized No", `/ok 3 ${RECEIPT}`);
  await peer.hangUp();
  const uncertain = "2 uncertain (sent, but without a receipt)";
  assertEquals(await program.outcome(), {
    code: 1,
    stdout: "",
    stderr: `mq pub: line 2: No\nmq pub: The connection was closed: 2 events confirmed, ${uncertain}, 1 refused\n`,
  });
});

Deno.test("mq pub - reports on Ctrl-C how many events are confirmed and how many uncertain", async () => {
  await using broker = new FakeBroker();
  await using program = new Program(["pub", "create", "-", "-s", `127.0.0.1:${broker.port}`]);
  const peer = await broker.welcome();
  await program.write("1\n2\n3");
  await peer.expect("/pub 1 create 1", "/pub 2 create 2");
  await peer.say(`/ok 1 ${RECEIPT}`);
  program.kill("SIGINT");
  await peer.expect("/quit");
  await peer.hangUp();
  const { code, stderr } = await program.outcome();
  const uncertain = "1 uncertain (sent, but without a receipt)";
  assertEquals([code, stderr], [1, `mq pub: Interrupted: 1 event confirmed, ${uncertain}\n`]);
});

Deno.test("mq pub - accounts for every event when its broker is killed under load", async () => {
  await using server = new Program(["server", "--port", "0", "--host", "127.0.0.1"]);
  const [, port] = /:(\d+)/.exec((await server.stdout.next())!)!;
  const script = 'yes x | "$@"';
  await using logger = new Program(["logger", "-s", `127.0.0.1:${port}`, "-n", "5000"]);
  await using pub = new Program(["pub", "create", "-", "-s", `127.0.0.1:${port}`], {}, [
    "sh",
    "-c",
    script,
    "sh",
    ...programLine(),
  ]);
  assertEquals((await logger.outcome()).code, 0);
  server.kill("SIGKILL");
  const { code, stderr } = await pub.outcome();
  assertEquals(code, 1);
  const others = String.raw`(?:, \d+ uncertain \(.*?\))?(?:, \d+ not sent)?`;
  const [, confirmed] = new RegExp(`^mq pub: The connection .*: (\\d+) events confirmed${others}$`, "m").exec(stderr) ??
    [];
  assertEquals(Number(confirmed) > 0, true, stderr);
});

async function end(program: Program): Promise<Outcome> {
  await using running = program;
  return await running.outcome();
}

/** Has bash read the arguments of `mq pub`. */
async function inBash(words: string): Promise<Outcome> {
  return await end(new Program([], {}, ["bash", "-c", `exec "$@" pub ${words}`, "bash", ...programLine()]));
}
