/** One rule for tokens (10.2), whatever way one is shown: it lets in, or it does not. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { connect, MqError } from "../../mod.ts";
import { mq, Program, until } from "../helpers.ts";
import { startWeb, type TestWeb } from "../http/fixtures.ts";

const TOKEN = "s3cret!~";

/** A way to show a token: whether it lets in. */
type Way = (test: TestWeb, token: string) => Promise<boolean>;

function hello(token: string): string {
  return `/hello ${JSON.stringify({ token })}`;
}

/** Runs a command that ends by itself once it is let in. */
function command(line: string): Way {
  return async (test, token) => {
    const args = [...line.split(" "), "-s", `127.0.0.1:${test.server.port}`];
    const end = args.indexOf("--");
    const argv = end < 0 ? args : [...args.slice(0, end), ...args.slice(-2), ...args.slice(end, -2)];
    const { code, stderr } = await mq(argv, { env: { MQ_TOKEN: token } });
    if (code === 0) return true;
    assertStringIncludes(stderr, code === 1 ? "Cannot let you in: it is not the right token" : "MQ_TOKEN: Cannot use");
    return false;
  };
}

const WAYS: Record<string, Way> = {
  "/hello over TCP": async (test, token) => {
    const [client] = await test.server.connect(1);
    return (await client.ask(hello(token)))!.startsWith("/ok hello ");
  },
  "/hello over WebSocket": async (test, token) => {
    const socket = await test.socket();
    return (await socket.ask(hello(token)))!.startsWith("/ok hello ");
  },
  "Authorization: Bearer": async (test, token) => {
    const headers = { authorization: encodeHeader(`Bearer ${token}`) };
    const { status } = await test.ask("/pub/create", { method: "POST", headers, body: "1" });
    return { 202: true, 401: false }[status]!;
  },
  "connect()": async (test, token) => {
    try {
      await using _ = await connect({ hostname: "127.0.0.1", port: test.server.port, token });
      return true;
    } catch (error) {
      assertEquals(error instanceof MqError && ["unauthorized", "bad-tokens"].includes(error.code), true);
      return false;
    }
  },
  "MQ_TOKEN of mq pub": command("pub create"),
};

/** A header carries bytes: those of UTF-8 here, as curl sends them. */
function encodeHeader(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

const TOKENS: [token: string, isRight: boolean][] = [
  [TOKEN, true],
  [`${TOKEN}\r`, true],
  [`${TOKEN}\r\n`, true],
  [` \t${TOKEN} `, true],
  ["s3cret", false],
  [`${TOKEN}?`, false],
  ["s3crét!~", false],
  ["s3cret !~", false],
  ["\u65e5\u672c", false],
];

for (const [way, show] of Object.entries(WAYS)) {
  Deno.test(`10.2 by ${way} the right token is accepted, also with white space around it, and no other`, async () => {
    await using test = await startWeb({ tokens: [{ token: TOKEN, scope: "all" }] });
    for (const [token, isRight] of TOKENS) assertEquals(await show(test, token), isRight, JSON.stringify(token));
  });
}

for (
  const line of [
    "logger --count 1",
    "app --count 1",
    "events",
    "why create",
    "top --once --every 1ms",
    "on create --count 1 -- cat",
    "bench connect --msgs 10",
  ]
) {
  Deno.test(`10.2 MQ_TOKEN of mq ${line} may end with a line end, and is refused if it is not a token`, async () => {
    await using test = await startWeb({ events: [">"], tokens: [{ token: TOKEN, scope: "all" }] });
    assertEquals(await command(line)(test, "s3crét"), false);
    const heard = /^(on|logger) /.test(line) ? publishWhenHeard(test) : undefined;
    assertEquals(await command(line)(test, `${TOKEN}\r`), true);
    await heard;
  });
}

/** Some commands end when they have heard an event. */
async function publishWhenHeard(test: TestWeb): Promise<void> {
  const hears = () => test.server.told("mq.subscribe").some(({ added }) => (added as string[]).length > 0);
  await until(hears, "somebody listens");
  await test.ask("/pub/create", { method: "POST", headers: { authorization: `Bearer ${TOKEN}` } });
}

Deno.test("10.2 mq server accepts the token of MQ_TOKEN without its line end", async () => {
  await using program = new Program(["server", "--port", "0", "--host", "127.0.0.1"], { MQ_TOKEN: `${TOKEN}\r\n` });
  const port = Number(/:(\d+)/.exec((await program.stdout.next())!)![1]);
  await using client = await connect({ hostname: "127.0.0.1", port, token: TOKEN });
  assertEquals(client.connected, true);
});

for (
  const [token, problem] of [
    ["s3crét", "its character 5 is U+00E9, and a token takes visible characters of ASCII alone"],
    ["\r", "it is empty"],
  ]
) {
  Deno.test(`10.2 MQ_TOKEN=${JSON.stringify(token)} is refused by every command before it does anything`, async () => {
    for (
      const name of ["server --port 0", "pub create", "logger", "app", "events", "why create", "top", "on a -- cat"]
    ) {
      const { code, stdout, stderr } = await mq(name.split(" "), { env: { MQ_TOKEN: token } });
      const expected = `mq ${name.split(" ")[0]}: MQ_TOKEN: Cannot use the token: ${problem}\n` +
        "Try: MQ_TOKEN=$(openssl rand -hex 16)\n";
      assertEquals([code, stdout, stderr], [2, "", expected]);
    }
  });
}
