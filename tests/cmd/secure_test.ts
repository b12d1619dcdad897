/** Tokens and TLS as a user meets them: what the programs say, and that the broker goes on. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { mq, Program, programLine, RawClient } from "../helpers.ts";

function file(name: string): string {
  return new URL(`../files/${name}`, import.meta.url).pathname;
}

const TLS = ["--tls-cert", file("cert.pem"), "--tls-key", file("key.pem")];
const WRONG = "wr0ng-t0ken";

/** A broker that asks for a token or speaks TLS. */
class Server implements AsyncDisposable {
  readonly program: Program;
  readonly port: number;

  private constructor(program: Program, port: number) {
    this.program = program;
    this.port = port;
  }

  static async start(args: string[], env: Record<string, string> = {}): Promise<Server> {
    const program = new Program(["server", "--port", "0", "--host", "127.0.0.1", ...args], env);
    const [, port] = /:(\d+)/.exec((await program.stdout.next())!)!;
    return new Server(program, Number(port));
  }

  /** Ends it; returns all that it said. */
  async log(): Promise<string> {
    this.program.kill("SIGTERM");
    const { code, stdout, stderr } = await this.program.outcome();
    assertEquals([code, stderr], [0, ""]);
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
  }
}

const COMMANDS = ["pub create", "logger", "app --count 1", "bench connect --msgs 10", "logger --json create"];

for (const command of COMMANDS) {
  Deno.test(`mq ${command} without a token, or with a wrong one, reports it and exits 1`, async () => {
    await using server = await Server.start(["--token-file", file("token.txt")]);
    const name = command.startsWith("bench") ? "bench connect" : command.split(" ")[0];
    const args = [...command.split(" "), "-s", `127.0.0.1:${server.port}`];
    assertEquals(await mq(args), {
      code: 1,
      stdout: "",
      stderr: `mq ${name}: Cannot let you in: this broker asks for a token; set MQ_TOKEN\n`,
    });
    assertEquals(await mq(args, { env: { MQ_TOKEN: WRONG } }), {
      code: 1,
      stdout: "",
      stderr: `mq ${name}: Cannot let you in: it is not the right token; check MQ_TOKEN\n`,
    });
    const env = { MQ_TOKEN: "s3cret" };
    const { code } = await mq(["pub", "error", "-s", `127.0.0.1:${server.port}`], { env });
    assertEquals(code, 0); // The broker goes on.
    const log = await server.log();
    assertMatch(log, /^\d\d:\d\d:\d\d {2}! client-2: Cannot let you in: it is not the right token$/m);
    assert(!log.includes(WRONG) && !log.includes("s3cret"));
  });
}

Deno.test("mq server accepts the token of MQ_TOKEN, and rejects one that comes too late", async () => {
  await using server = await Server.start(["--hello-time", "2s"], { MQ_TOKEN: "s3cret" });
  const late = await RawClient.connect(server.port);
  const sentence = "/err hello unauthorized Cannot let you in: no token came within 2000 ms";
  assertEquals(await late.lines.next(), sentence);
  await late.line('/hello {"token":"s3cret"}').catch(() => {});
  await late.expectEnd();
  late.close();
  const args = ["pub", "create", "-s", `127.0.0.1:${server.port}`];
  assertEquals((await mq(args, { env: { MQ_TOKEN: "s3cret" } })).code, 0);
});

Deno.test("mq server logs the first unrecognized event and the first refused line, the tenth, and no others up to it", async () => {
  await using server = await Server.start([]);
  const { stdout } = server.program;
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await conn.write(new TextEncoder().encode("bogus\n/none\n".repeat(12)));
  const told: string[] = [];
  for (const what of ["bogus", "/none", "bogus", "/none"]) told.push(await stdout.find(`"${what}"`));
  assertEquals(told.map((line) => / \((\d+ times)\)$/.exec(line)?.[1]), [undefined, undefined, "10 times", "10 times"]);
});

Deno.test("mq logger and mq pub work with tokens for listening and for publishing only", async () => {
  await using server = await Server.start(["--token-file", file("token.txt")]);
  const at = ["-s", `127.0.0.1:${server.port}`];
  await using logger = new Program(["logger", ...at, "-n", "1"], { MQ_TOKEN: "hear" });
  await server.program.stdout.find("is logger");
  const pub = ["pub", "create", "1", ...at];
  assertEquals(await mq(pub, { env: { MQ_TOKEN: "hear" } }), {
    code: 1,
    stdout: "",
    stderr: "mq pub: Cannot publish: this token is for listening only\n",
  });
  assertEquals(await mq(["logger", ...at], { env: { MQ_TOKEN: "speak" } }), {
    code: 1,
    stdout: "",
    stderr: "mq logger: Cannot subscribe: this connection's token is for publishing only\n",
  });
  assertEquals((await mq(pub, { env: { MQ_TOKEN: "speak" } })).code, 0);
  assertEquals((await logger.outcome()).stdout, "create 1\n");
});

Deno.test("mq logger exits 1 when the restarted broker rejects its token", async () => {
  await using first = await Server.start(["--token-file", file("token.txt")]);
  const { port } = first;
  await using logger = new Program(["logger", "-s", `127.0.0.1:${port}`], { MQ_TOKEN: "s3cret" });
  await first.program.stdout.find("is logger");
  const pub = ["pub", "create", "1", "-s", `127.0.0.1:${port}`];
  assertEquals((await mq(pub, { env: { MQ_TOKEN: "s3cret" } })).code, 0);
  assertEquals(await logger.stdout.next(), "create 1");
  first.program.kill("SIGKILL");
  await logger.stderr.find("lost the connection");
  await using _ = new Program(["server", "--port", String(port), "--host", "127.0.0.1"], { MQ_TOKEN: "another" });
  const { code, stderr } = await logger.outcome();
  assertEquals([code, stderr], [
    1,
    "mq logger: The client no longer tries to reconnect: Cannot let you in: it is not the right token\n",
  ]);
});

Deno.test("mq over TLS: logger and pub exchange an event, mq bench runs, and each mistake is one sentence", async () => {
  await using server = await Server.start(TLS);
  const [plain, secure] = [`127.0.0.1:${server.port}`, `mqs://127.0.0.1:${server.port}`];
  const ca = ["--tls-ca", file("cert.pem")];
  await using logger = new Program(["logger", "-s", secure, ...ca, "-n", "1"]);
  await server.program.stdout.find("is logger");
  assertEquals(await mq(["pub", "create", "7", "-s", secure, ...ca]), { code: 0, stdout: "", stderr: "" });
  assertEquals((await logger.outcome()).stdout, "create 7\n");

  for (const command of [["pub", "create"], ["logger"], ["app"]]) {
    assertEquals(await mq([...command, "-s", plain]), {
      code: 1,
      stdout: "",
      stderr: `mq ${command[0]}: The program at ${plain} speaks TLS: try ${secure}\n`,
    });
    assertEquals(await mq([...command, "-s", secure]), {
      code: 1,
      stdout: "",
      stderr:
        `mq ${command[0]}: Cannot agree on TLS with ${plain}: the certificate is not signed by an authority that ` +
        "the client trusts; to trust it, pass its certificate or its CA's with --tls-ca FILE\n",
    });
  }
  const log = await server.log();
  const failures = log.match(/(?<=! No TLS with 127\.0\.0\.1:\d+: ).*$/gm);
  assertEquals(failures, ["the peer does not speak TLS"]); // The log names the first of each host.
});

Deno.test("mq over TLS to a plain broker gets a one-sentence error, and the broker continues", async () => {
  await using server = await Server.start([]);
  const address = `127.0.0.1:${server.port}`;
  for (const command of [["pub", "create"], ["logger"], ["app"], ["bench", "latency"]]) {
    assertEquals(await mq([...command, "-s", `mqs://${address}`]), {
      code: 1,
      stdout: "",
      stderr: `mq ${command.join(" ").replace(" create", "")}: Cannot agree on TLS with ${address}: ` +
        "the peer does not speak TLS; to connect without TLS, use mq:// instead of mqs://\n",
    });
  }
  assertEquals((await mq(["pub", "create", "-s", address])).code, 0);
  assertMatch(await server.log(), /! client-1: What came is TLS, not lines of text$/m);
});

Deno.test("mq bench runs over TLS and with a token", async () => {
  await using server = await Server.start([...TLS, "--token-file", file("token.txt"), "--events", "bench.*"]);
  const where = ["-s", `mqs://localhost:${server.port}`, "--tls-ca", file("cert.pem"), "--json"];
  for (const args of [["throughput", "--msgs", "1000"], ["latency", "--for", "100ms"], ["connect", "--msgs", "10"]]) {
    const { code, stderr, stdout } = await mq(["bench", ...args, ...where], { env: { MQ_TOKEN: "s3cret" } });
    assertEquals([code, stderr, JSON.parse(stdout).bench], [0, "", args[0]]);
  }
});

const CONNECTING = [
  "pub create",
  "app --count 1",
  "events",
  "why create",
  "top --once --every 10ms",
  "bench connect --msgs 10",
  "complete --limit 10s -- 1 pub cre",
];

for (const command of CONNECTING) {
  Deno.test(`mq ${command} trusts the certificates that MQ_TLS_CA names`, async () => {
    await using server = await Server.start([...TLS, "--events", "create,bench.*"]);
    const env = { MQ_URL: `mqs://localhost:${server.port}`, MQ_TLS_CA: file("cert.pem") };
    const bench = command.startsWith("bench") ? ["-s", env.MQ_URL] : [];
    const { code, stdout } = await mq([...command.split(" "), ...bench], { env });
    assertEquals(code, 0);
    if (command.startsWith("complete")) assertMatch(stdout, /^create\t/);
  });
}

Deno.test("--tls-ca takes precedence over MQ_TLS_CA, whose value must be a certificate", async () => {
  await using server = await Server.start(TLS);
  const args = ["pub", "create", "-s", `mqs://localhost:${server.port}`];
  const env = { MQ_TLS_CA: file("token.txt") };
  assertEquals((await mq([...args, "--tls-ca", file("cert.pem")], { env })).code, 0);
  assertEquals(await mq(args, { env }), {
    code: 2,
    stdout: "",
    stderr: `mq pub: MQ_TLS_CA takes a PEM file with a certificate in it, not "${env.MQ_TLS_CA}"\nTry: mq pub --help\n`,
  });
});

Deno.test("mq pub in a handler of mq on reaches its broker, over TLS and with the token, in any directory", async () => {
  await using server = await Server.start([...TLS, "--token-file", file("token.txt")]);
  const at = ["-s", `mqs://localhost:${server.port}`, "--tls-ca"];
  const env = { MQ_TOKEN: "s3cret" };
  const fromRoot = file("cert.pem").slice(1); // Programs of the tests begin in the root folder.
  const handler = ["sh", "-c", 'cd /tmp && exec "$@"', "sh", ...programLine(), "pub", "update", "done"];
  await using on = new Program(["on", "create", "-n", "1", ...at, fromRoot, "--", ...handler], env);
  await server.program.stdout.find("is on");
  await using logger = new Program(["logger", "update", "-n", "1", ...at, file("cert.pem")], env);
  await server.program.stdout.find("is logger");
  assertEquals((await mq(["pub", "create", ...at, file("cert.pem")], { env })).code, 0);
  assertEquals((await logger.outcome()).stdout, "update done\n");
  assertEquals((await on.outcome()).code, 0);
});

for (
  const [args, sentence] of [
    [["--tls-cert", file("cert.pem")], "--tls-cert needs --tls-key"],
    [["--tls-key", file("key.pem")], "--tls-key needs --tls-cert"],
    [["--tls-cert", file("key.pem")], `--tls-cert takes a PEM file with a certificate in it, not "${file("key.pem")}"`],
    [
      ["--token-file", "/none"],
      "--token-file: no such file: /none",
    ],
    [
      ["--token-file", "/dev/null"],
      "--token-file: /dev/null: Cannot find a token: it takes one a line, such as: publish s3cret",
    ],
    [["--slow", "never"], '--slow takes disconnect or drop, not "never"'],
    [
      ["--max-line", "1MB"],
      '--max-line takes a size in bytes such as 1000, 64KiB or 1MiB, not "1MB"; did you mean 1MiB?',
    ],
    [["--max-queue", "0"], '--max-queue takes a size of 1 to 9007199254740991 bytes, not "0"'],
    [["--max-memory", "99999999GiB"], '--max-memory takes a size of 1 to 9007199254740991 bytes, not "99999999GiB"'],
    [["--max-queue", "64KiB"], "--max-queue 64KiB is too small for an event of --max-line 1MiB"],
    [
      ["--max-memory", "64MiB"],
      "--max-memory 64MiB is too small: 128MiB are for the program, and half of the rest must have room for an event of " +
      "--max-line 1MiB",
    ],
    [["--max-line", "16MiB"], "--max-queue 16MiB is too small for an event of --max-line 16MiB"],
    [["--max-rate", "fast"], '--max-rate takes a whole number, 1 or more, not "fast"'],
    [["--ping-after", "5"], '--ping-after takes a duration such as 500ms, 2s or 1m, not "5"; did you mean 5s?'],
  ] as const
) {
  Deno.test(`mq server ${args.join(" ")} reports what is wrong`, async () => {
    const { code, stdout, stderr } = await mq(["server", "--port", "0", ...args]);
    assertEquals([code, stdout], [2, ""]);
    assertEquals(stderr.split("\n")[0], `mq server: ${sentence}`);
    assertMatch(stderr.split("\n")[1], /^Try: mq server /);
  });
}

Deno.test("mq server reports that a key does not match its certificate", async () => {
  const { code, stderr } = await mq([
    "server",
    "--port",
    "0",
    "--tls-cert",
    file("cert.pem"),
    "--tls-key",
    file("cert.pem"),
  ]);
  assertEquals(code, 1);
  assertEquals(
    stderr,
    "mq server: Cannot use the certificate: No keys found in key data; " +
      "--tls-cert takes a certificate and --tls-key its private key, both in PEM format\n",
  );
});

Deno.test("mq server on the network warns that its token is not encrypted, and with TLS does not warn", async () => {
  const network = ["server", "--port", "0", "--host", "0.0.0.0", "--token-file", file("token.txt")];
  await using open = new Program(network);
  await open.stdout.find("In other terminals");
  assertEquals(await open.stdout.next(), "The token is sent without encryption. To secure it:");
  assertEquals(await open.stdout.next(), "  mq server --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem");
  await using secured = new Program([...network, ...TLS]);
  assertMatch((await secured.stdout.next())!, / with TLS, for clients with a token$/);
  await secured.stdout.find("In other terminals");
  secured.kill("SIGTERM");
  assertMatch((await secured.stdout.next())!, /Draining/);
});
