/** The conformance suite, played against this broker; and the suite itself, held to what it should find. */
import { assertEquals, assertMatch, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { parseCommand } from "../cmd/command.ts";
import { server, type ServerFlags, startServer } from "../cmd/server.ts";
import { type Io, Output } from "../cmd/shared/stdio.ts";
import type { Broker } from "../mod.ts";
import { sinkTo } from "./helpers.ts";
import { tempFolder } from "./store/folder.ts";
import { toBytes, Values } from "./conformance/notation.ts";
import { Failure, play } from "./conformance/play.ts";
import { run } from "./conformance/run.ts";
import { needsControl, parseScript, parseWords, readScripts } from "./conformance/script.ts";

const SCRIPTS = readScripts();

/** Where the files are that a script's flags name. */
const ROOT = new URL("../", import.meta.url).pathname;

/** Where the log of a broker goes that nobody reads. */
class Silence extends Output {
  constructor() {
    super(sinkTo(() => {}), { isTerminal: false });
  }

  override line(): void {}
}

const SILENT_IO: Io = {
  stdin: ReadableStream.from([]),
  stdout: new Silence(),
  stderr: new Silence(),
  signal: new AbortController().signal,
  env: {},
};

/** A broker on a free port that was started with some flags of `mq server`; its store is in a folder. */
async function start(flags = "", folder = ""): Promise<Broker> {
  const words = parseWords(flags.replace(/(?<=--classic-port )\d+/, "0"))
    .map((word) => word.startsWith("tests/") ? `${ROOT}${word}` : word === "data" ? folder : word);
  const argv = ["--host", "127.0.0.1", "--port", "0", ...words];
  return (await startServer(parseCommand(server, argv).flags as ServerFlags, SILENT_IO)).broker;
}

for (const script of SCRIPTS) {
  Deno.test(`${script.rule} ${script.title}`, async () => {
    await using folder = tempFolder();
    await using broker = await start(script.needs, folder.path);
    const [port, classicPort] = [broker.addr!.port, broker.addrs[1]?.port];
    await play(script, { hostname: "127.0.0.1", port, classicPort, goDown: () => broker.close() });
  });
}

/** What is not about lines over TCP, and so for no script: tests/http holds the gateway to it. */
const isOfWeb = (rule: string) => rule.startsWith("13.");

/** A disk that fails is for no script, either: tests/broker/store and tests/store hold the broker to it. */
const isOfFaults = (rule: string) => ["14.11", "14.12"].includes(rule);

async function readRules(): Promise<string[]> {
  const protocol = await Deno.readTextFile(`${ROOT}docs/protocol.md`);
  return [...protocol.matchAll(/^(?:### )?(\d+\.\d+) /gm)].map(([, rule]) => rule);
}

Deno.test("every numbered rule of docs/protocol.md about lines has a script, and every script a rule", async () => {
  const rules = (await readRules()).filter((rule) => !isOfWeb(rule) && !isOfFaults(rule));
  assertEquals([...new Set(SCRIPTS.map(({ rule }) => rule))], rules);
});

Deno.test("every rule of docs/protocol.md about WebSocket and HTTP has a test in tests/http, and vice versa", async () => {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(`${ROOT}tests/http`)) {
    const text = await Deno.readTextFile(`${ROOT}tests/http/${name}`);
    names.push(...[...text.matchAll(/(?:Deno\.test\(|name: )\s*"(13\.\d+) /g)].map(([, rule]) => rule));
  }
  const byNumber = (a: string, b: string) => Number(a.slice(3)) - Number(b.slice(3));
  assertEquals([...new Set(names)].toSorted(byNumber), (await readRules()).filter(isOfWeb));
});

// The scripts' notation

const MALFORMED: [text: string, message: string][] = [
  ["a> create", '1.1-x.txt:1: the first line is "# RULE SENTENCE", such as: # 4.4 An event comes once'],
  ["# 1.2 Two\na> create", '1.1-x.txt:1: the name of the file has to begin with "1.2-"'],
  ["# 1.1 One\n", "1.1-x.txt:2: there is no step in it"],
  ["# 1.1 One\na <- create", '1.1-x.txt:2: "a <- create" is no step; README.md lists those there are'],
  ["# 1.1 One\n\na>create", '1.1-x.txt:3: "a>create" is no step; README.md lists those there are'],
  ["# 1.1 One\na is close", '1.1-x.txt:2: "a is close" is no step; README.md lists those there are'],
  ["# 1.1 One\nA> create", '1.1-x.txt:2: "A> create" is no step; README.md lists those there are'],
  ["# 1.1 One\n0 times a> create", '1.1-x.txt:2: "0 times a> create" is no step; README.md lists those there are'],
  ["# 1.1 One\nbroker> create", '1.1-x.txt:2: "broker> create" is no step; README.md lists those there are'],
  ["# 1.1 One\na goes down", '1.1-x.txt:2: "a goes down" is no step; README.md lists those there are'],
  ["# 1.1 One\na> create ", "1.1-x.txt:2: a space at the end of a line is written <SP>"],
  ["# 1.1 One\na> <ULID>", "1.1-x.txt:2: <ULID> cannot be sent"],
  ["# 1.1 One\na< <0xFF>", "1.1-x.txt:2: <0xFF> cannot be expected"],
  ["# 1.1 One\na< <ULUD>", "1.1-x.txt:2: <ULUD> cannot be expected"],
  ["# 1.1 One\na> 1 < 2", '1.1-x.txt:2: "<" needs its ">"; itself it is <U+003C>'],
  ['# 1.1 One\na< /ok stats {"slow":}', "1.1-x.txt:2: its JSON cannot be read"],
  ["# 1.1 One\na> create\nneeds --json", "1.1-x.txt:3: needs stands once, before the first step"],
  ["# 1.1 One\nneeds --json\nneeds --verbose", "1.1-x.txt:3: needs stands once, before the first step"],
];

for (const [text, message] of MALFORMED) {
  Deno.test(`parseScript refuses ${JSON.stringify(text)}`, () => {
    assertEquals(assertThrows(() => parseScript("1.1-x.txt", text), SyntaxError).message, message);
  });
}

Deno.test("toBytes decodes notation in angle brackets", () => {
  const text = "<I><SP><TAB><U+00E9><0xFF><3 times ab><CR><LF>";
  const expected = [...encode("7 \té"), 0xff, ...encode("ababab\r\n")];
  assertEquals([...toBytes(text, 7)], expected);
});

const ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const NEWER = "01ARZ3NDEKTSV4RRFFQ69G5FAW";

const MATCHES: [expected: string, line: string, isMatch: boolean][] = [
  ["create 1", "create 1", true],
  ["create 1", "create 12", false],
  ["create .", "create 1", false],
  ["create <N>", "create 12", true],
  ["create <N>", "create 1x", false],
  ["create <WORD>", "create one", true],
  ["create <WORD>", "create one two", false],
  ["create <TEXT>", "create one two", true],
  ["create <TEXT>", "create ", false],
  ["create <ULID>", `create ${ULID}`, true],
  ["create <ULID>", `create ${ULID.toLowerCase()}`, false],
  ["create <ULID> <NEWER>", `create ${ULID} ${NEWER}`, true],
  ["create <ULID> <NEWER>", `create ${ULID} ${ULID}`, false],
  ["create <a> <b> <a>", "create 1 2 1", true],
  ["create <a> <b> <a>", "create 1 2 2", false],
  ['create {"a":1,"b":2}', 'create {"b":2,"a":1}', false],
  ['/ok 7 {"a":1,"b":2}', '/ok 7 {"b":2, "c":3, "a":1}', true],
  ['/ok 7 {"a":1}', '/ok 8 {"a":1}', false],
  ['/ok 7 {"a":1}', "/ok 7", false],
  ['/ok 7 {"a":1}', '/ok 7 {"a":1', false],
  ['/ok 7 {"a":1}', '/ok 7 {"a":2}', false],
  ['/ok 7 {"a":1}', '/ok 7 {"a":"1"}', false],
  ['/ok 7 {"a":null}', "/ok 7 {}", false],
  ['/ok 7 {"a":null}', '/ok 7 {"a":{}}', false],
  ['/ok 7 {"a":{}}', '/ok 7 {"a":null}', false],
  ['/ok 7 {"a":{}}', '/ok 7 {"a":[]}', false],
  ['/ok 7 {"a":[1]}', '/ok 7 {"a":[1,2]}', false],
  ['/ok 7 [{"a":1},{}]', '/ok 7 [{"a":1},{"b":2}]', true],
  ['/ok 7 {"a":<N>}', '/ok 7 {"a":7}', true],
  ['/ok 7 {"a":<N>}', '/ok 7 {"a":"7"}', false],
  ['/ok 7 {"a":<TEXT>}', '/ok 7 {"a":7}', false],
  ['/ok 7 {"a":"<WORD>:<N>"}', '/ok 7 {"a":"localhost:1"}', true],
  ['/ok 7 {"at":<TIME>}', '/ok 7 {"at":"2024-02-29T12:00:00.000Z"}', true],
  ['/ok 7 {"at":<TIME>}', '/ok 7 {"at":"yesterday"}', false],
  ['/ok 7 {"a":<p>,"b":<p+2>}', '/ok 7 {"a":9,"b":11}', true],
  ['/ok 7 {"a":<p>,"b":<p+2>}', '/ok 7 {"a":9,"b":12}', false],
  ['/ok 7 {"a":"7"}', '/ok 7 {"a":7}', false],
  ['mq.hello {"id":<a>,"was":<a>}', 'mq.hello {"was":"x","id":"x"}', true],
  ['mq.hello {"id":<a>,"was":<a>}', 'mq.hello {"was":"x","id":"y"}', false],
  ['/event <ULID> mq mq.hello {"id":<a>}', `/event ${ULID} mq mq.hello {"name":"x","id":"y"}`, true],
  ['/event <ULID> shop create {"a":1}', `/event ${ULID} shop create {"a":1,"b":2}`, false],
];

for (const [expected, line, isMatch] of MATCHES) {
  Deno.test(`${JSON.stringify(expected)} ${isMatch ? "matches" : "does not match"} ${JSON.stringify(line)}`, () => {
    assertEquals(new Values().match(expected, line), isMatch);
  });
}

// What play says of a server that sends something else

/** Sends the same to whatever comes on a connection; then it closes, unless it is to hang. */
class Puppet implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #conns: Deno.Conn[] = [];
  readonly #serving: Promise<void>;

  constructor(answer: string, { hangs = false } = {}) {
    this.#serving = this.#serve(encode(answer), hangs);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async #serve(answer: Uint8Array, hangs: boolean): Promise<void> {
    const tasks: Promise<void>[] = [];
    for await (const conn of this.#listener) {
      this.#conns.push(conn);
      tasks.push(this.#answer(conn, answer, hangs).catch(() => {}));
    }
    await Promise.all(tasks);
  }

  async #answer(conn: Deno.Conn, answer: Uint8Array, hangs: boolean): Promise<void> {
    const buffer = new Uint8Array(1024);
    for (let isFirst = true; await conn.read(buffer) !== null; isFirst = false) {
      if (isFirst) await conn.write(answer);
      if (isFirst && !hangs) await conn.closeWrite();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const conn of this.#conns) conn.close();
    await this.#serving;
  }
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function playSteps(steps: string, port: number, patienceMs?: number): Promise<void> {
  return play(parseScript("1.1-x.txt", `# 1.1 One\n${steps}`), { hostname: "127.0.0.1", port, patienceMs });
}

Deno.test("play passes a server that follows the script", async () => {
  await using puppet = new Puppet("/pong\nmore\nlast\n");
  await playSteps("a> /ping\na< /pong\na<< last\na is closed\nb> /ping\nb< /pong\n2 times b<< <TEXT>", puppet.port);
});

const COMPLAINTS: [answer: string, steps: string, complaint: string][] = [
  ["/pong\n", "a< /pong\na< last", "1.1-x.txt:4: a should get `last`, but the connection ended"],
  ["/pung\n", "a< /pong", "1.1-x.txt:3: a should get `/pong`, but got `/pung`"],
  ["/pong\r\n", "a< /pong", "1.1-x.txt:3: a should get `/pong`, but got `/pong<U+000D>`"],
  ["/pong", "a< /pong", "1.1-x.txt:3: a should get `/pong`, but got `/pong<no LF>`"],
  ["1\n2\n", "3 times a< <I>", "1.1-x.txt:3: a should get `3`, but the connection ended"],
  ["1\n2\n", "a<< 3", "1.1-x.txt:3: a should get `3`, but the connection ended"],
  ["1\n2\n", "a< 1\na is closed", "1.1-x.txt:4: a should get nothing more and be closed, but got `2`"],
  ["1\n2\n", "a< 1", "1.1-x.txt: at its end: a should get nothing more and be closed, but got `2`"],
  ["1\n", "a> <shop>", "1.1-x.txt:3: <shop> stands for nothing yet"],
  ["1\n", "a< 1\na hangs up\na< 1", "1.1-x.txt:5: a should get `1`, but it has hung up"],
];

for (const [answer, steps, complaint] of COMPLAINTS) {
  Deno.test(`play reports what is wrong with ${JSON.stringify(answer)} for ${JSON.stringify(steps)}`, async () => {
    await using puppet = new Puppet(answer);
    const error = await assertRejects(() => playSteps(`a> /ping\n${steps}`, puppet.port), Failure);
    assertEquals(error.message, complaint);
  });
}

for (const steps of ["a> /ping\na< /pong\na< last", "a> /ping\na< /pong\na is closed", "a> /ping\na< /pong"]) {
  Deno.test(`play times out if a response is missing in ${JSON.stringify(steps)}`, async () => {
    await using puppet = new Puppet("/pong\n", { hangs: true });
    const error = await assertRejects(() => playSteps(steps, puppet.port, 200), Failure);
    assertMatch(error.message, /^1\.1-x\.txt:.* a should .*, but nothing has come for 200 ms$/);
  });
}

// The program

/** What the program prints, and its exit code. */
async function ran(argv: string[]): Promise<{ code: number; lines: string[] }> {
  const lines: string[] = [];
  return { code: await run(argv, (line) => lines.push(line)), lines };
}

Deno.test("run.ts passes this broker", async () => {
  await using broker = await start();
  const script = `${ROOT}tests/conformance/run.ts`;
  const program = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-net", "--allow-read", script, `127.0.0.1:${broker.addr!.port}`],
    env: { DENO_TLS_CA_STORE: "system" },
  });
  const { code, stdout } = await program.output();
  const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
  const played = SCRIPTS.filter((script) => script.needs === "" && !needsControl(script)).length;
  assertEquals(lines.pop(), `${played} ok, 0 failed, ${SCRIPTS.length - played} ignored`);
  assertEquals(lines.length, SCRIPTS.length);
  assertEquals(code, 0);
});

Deno.test("run.ts plays scripts that need flags only if told that the broker has them", async () => {
  await using broker = await start("--events '>'");
  const { code, lines } = await ran([`127.0.0.1:${broker.addr!.port}`, "2.4", "4.4", "--needs", "--events >"]);
  assertEquals(lines, [
    "ok      2.4-wildcards.txt",
    "ignored 4.4-at-most-once.txt: needs a broker without flags",
    "1 ok, 0 failed, 1 ignored",
  ]);
  assertEquals(code, 0);
});

Deno.test("run.ts fails a server that does not follow the protocol", async () => {
  await using puppet = new Puppet("/pong\n");
  const { code, lines } = await ran([`127.0.0.1:${puppet.port}`, "5.9", "tests/conformance/6.3-drain.txt", "4.2"]);
  assertEquals(lines, [
    "ok      5.9-pong.txt",
    "ignored 6.3-drain.txt: needs a broker that can be told to go down",
    "FAILED  4.2-hears-everything.txt:3: a should get `create 1`, but got `/pong`",
    "1 ok, 1 failed, 1 ignored",
  ]);
  assertEquals(code, 1);
});

Deno.test("run.ts fails if it has played nothing", async () => {
  await using puppet = new Puppet("");
  assertEquals((await ran([`127.0.0.1:${puppet.port}`, "6.3"])).code, 1);
});

Deno.test("run.ts reports once that there is no broker", async () => {
  const { code, lines } = await ran(["127.0.0.1:1"]);
  assertEquals([code, lines.length], [1, 1]);
  assertStringIncludes(lines[0], "There is no broker: a should connect, but it cannot connect: Connection refused");
});

const MISUSES: [argv: string[], message: string][] = [
  [[], "It needs to know where the broker is: HOST:PORT"],
  [["localhost"], "It needs to know where the broker is: HOST:PORT"],
  [["--verbose", "localhost:3001"], "It needs to know where the broker is: HOST:PORT"],
  [["localhost:3001", "13.7"], "There is no script 13.7"],
  [["localhost:3001", "--needs", "--max-lines 7"], "No script needs --max-lines 7"],
];

for (const [argv, message] of MISUSES) {
  Deno.test(`run.ts reports what is wrong with ${JSON.stringify(argv)}`, async () => {
    const { code, lines } = await ran(argv);
    assertEquals([code, lines[0].split("\n")[0]], [2, message]);
  });
}
