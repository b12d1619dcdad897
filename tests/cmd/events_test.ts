/** A catalog as its user meets it: mq server, mq events, mq pub and mq app. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { catalogSamples } from "../../cmd/app/schema_samples.ts";
import { parseCatalog } from "../../mod.ts";
import { mq, Program, startBroker, type TestBroker } from "../helpers.ts";

const file = (name: string) => new URL(`../files/${name}`, import.meta.url).pathname;

const CATALOG = file("catalog.json");

async function startWithCatalog(path = CATALOG): Promise<TestBroker> {
  return await startBroker({ catalog: await parseCatalog(await Deno.readTextFile(path)) });
}

Deno.test("mq server --events FILE recognizes the events of a catalog, and refuses invalid data", async () => {
  await using program = new Program(["server", "--host", "127.0.0.1", "--port", "0", "--events", CATALOG]);
  const [, port] = /listens on 127\.0\.0\.1:(\d+)/.exec((await program.stdout.next())!)!;
  assertMatch(
    (await program.stdout.next())!,
    /^Recognized events: order\.created, order\.state, .*, order\.\* and 1 more$/,
  );
  assert((await program.stdout.next())!.includes(`, mq app -s localhost:${port} --events ${CATALOG}, or nc`));

  const to = ["-s", `127.0.0.1:${port}`];
  assertEquals(await mq(["pub", "order.state", "lost", ...to]), {
    code: 1,
    stdout: "",
    stderr: "mq pub: Cannot take order.state: its data must be equal to one of the allowed values: " +
      '"packed", "sent", "delivered", null, 404\n',
  });
  await program.stdout.find("! pub: Cannot take order.state: its data must be equal to one of the allowed values: ");
  assertEquals((await mq(["pub", "order.state", "sent", ...to])).code, 0);
  await mq(["pub", "archive", ...to]);
  await program.stdout.find(`"archive" is not recognized and was dropped. To admit it: add it to ${CATALOG}`);
});

Deno.test("mq server logs invalid data once for each client and event", async () => {
  await using program = new Program(["server", "--host", "127.0.0.1", "--port", "0", "--events", CATALOG]);
  const [, port] = /listens on 127\.0\.0\.1:(\d+)/.exec((await program.stdout.next())!)!;
  const stdin = "1\n2\n3\n";
  assertEquals((await mq(["pub", "order.paid", "-", "-s", `127.0.0.1:${port}`], { stdin })).code, 1);
  await program.stdout.find("! pub: Cannot take order.paid: its data must be object");
  program.kill("SIGTERM");
  const { stdout } = await program.outcome();
  assertEquals(stdout.includes("Cannot take"), false);
});

for (const command of ["server", "app"]) {
  Deno.test(`mq ${command} --events FILE reports the line of an error in the catalog`, async () => {
    const path = file("broken.yml");
    assertEquals(await mq([command, "--events", path]), {
      code: 2,
      stdout: "",
      stderr: `mq ${command}: ${path}, line 4: the schema at /type must be equal to one of the allowed values: ` +
        '"array", "boolean", "integer", "null", "number", "object", "string"\n' +
        "Try: mq server --help, which describes the format\n",
    });
  });

  Deno.test(`mq ${command} --events treats a value with a slash or a catalog's extension as a file`, async () => {
    for (const path of ["./nosuch", "no/such", "nosuch.json", "nosuch.yml", "NOSUCH.YAML"]) {
      assertEquals(await mq([command, "--events", path]), {
        code: 2,
        stdout: "",
        stderr: `mq ${command}: --events: no such file: ${path}\nTry: mq ${command} --help\n`,
      });
    }
    const { stderr } = await mq([command, "--events", "a b.yml,c"]);
    assert(stderr.includes('Cannot read "a b.yml" as '), stderr);
  });
}

Deno.test("mq server --events FILE reads AsyncAPI in YAML, and reports once what it does not support", async () => {
  const path = file("asyncapi/other_formats.yml");
  await using program = new Program(["server", "--host", "127.0.0.1", "--port", "0", "--events", path]);
  const [, port] = /listens on 127\.0\.0\.1:(\d+)/.exec((await program.stdout.next())!)!;
  const to = ["-s", `127.0.0.1:${port}`];
  assertMatch((await mq(["pub", "user.greeted", "h", ...to])).stderr, /must NOT have fewer than 2 characters$/m);
  assertEquals((await mq(["pub", "user.signedup", "anything", ...to])).code, 0);
  program.kill("SIGTERM");
  const { stderr } = await program.outcome();
  const warnings = stderr.trimEnd().split("\n");
  assertEquals(warnings.length, 6, stderr);
  for (const warning of warnings) assert(warning.startsWith(`mq server: warning: ${path}, line `), warning);
});

Deno.test("mq app --events FILE warns of at most twenty schema mistakes, and continues", async () => {
  const path = file("slips.yml");
  await using server = await startBroker({ events: ["a"] });
  const { code, stderr } = await mq(["app", "--events", path, "-n", "1", "-s", `127.0.0.1:${server.port}`]);
  const lines = stderr.trimEnd().split("\n");
  assertEquals([code, lines.length], [0, 22], stderr);
  assertEquals(lines[0], `mq app: warning: ${path}, line 4: "slip0" is not a keyword of JSON Schema and has no effect`);
  assertEquals(lines[20], `mq app: warning: ${path} has 5 more warnings`);
  assertMatch(lines[21], /^mq app: 1 event sent, /);
});

Deno.test("mq events prints the broker's catalog, with examples that can be pasted", async () => {
  await using server = await startWithCatalog();
  const { code, stdout, stderr } = await mq(["events", "-s", `127.0.0.1:${server.port}`]);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(
    stdout,
    `order.created  A customer has ordered something.
  id*: integer, customer*: email, orderedAt*: date-time, note: string
  mq pub order.created '{ "id": 1, "customer": "ada@example.com", "orderedAt": "2026-01-31T09:30:00Z" }'
order.state  How far an order has come.
  "packed"|"sent"|"delivered"|null|404
  mq pub order.state 'sent'
shop.opened
  { "open": true }
basket  A list: first whose it is, then what is in it, of which at least one is fresh.
  [string, ...("fresh"|"frozen"|"tinned")[]]
  mq pub basket '["ada", "fresh", "tinned"]'
tags
  string[]
category.changed  A category, with those below it.
  name*: name, below: category[]
payment  Cash, or a card with its number; only of a card there may be an address.
  kind*: "cash"|"card", number: string, address: string, city: string
settings
  object
  mq pub settings '{ "x-rows": 20 }'
price  An amount in steps of a quarter, or a currency by its code.
  number|integer|string
order.*  Anything else that befalls an order.
  by: string, id*: integer
log.>  What a program has to say.
`,
  );
});

Deno.test("mq events NAME prints the pattern that recognizes it, with its whole schema", async () => {
  await using server = await startWithCatalog(file("small.json"));
  const to = ["-s", `127.0.0.1:${server.port}`];
  assertEquals(
    (await mq(["events", "order.paid", ...to])).stdout,
    'order.paid  recognized by order.*\n\n{\n  "type": "object"\n}\n',
  );
  assertEquals(
    (await mq(["events", "order.state", ...to])).stdout,
    'order.state\nHow far it is.\n\n{\n  "enum": [\n    "packed",\n    "sent"\n  ]\n}\n\nmq pub order.state \'sent\'\n',
  );
});

Deno.test("mq events --json prints the broker's response, one object per line", async () => {
  await using server = await startWithCatalog(file("asyncapi.json"));
  const { stdout } = await mq(["events", "--json", "-s", `127.0.0.1:${server.port}`]);
  const printed = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(printed, JSON.parse(JSON.stringify(server.broker.describeEvents())));
});

Deno.test("mq events escapes control characters, and quotes what is special to a shell", async () => {
  const steering = "\x1b[2J\u202eit's";
  const catalog = await parseCatalog(JSON.stringify({
    a: { description: steering, schema: { enum: [steering] }, example: steering },
    "b.*": { schema: { properties: { [steering]: { const: steering } } }, example: "it's" },
  }));
  await using server = await startBroker({ catalog });
  for (const args of [[], ["a"], ["b.c"]]) {
    const { stdout } = await mq(["events", ...args, "-s", `127.0.0.1:${server.port}`]);
    assertEquals(stdout.match(/[^\P{C}\n]/u), null, stdout);
  }
  const { stdout } = await mq(["events", "-s", `127.0.0.1:${server.port}`]);
  assert(stdout.endsWith("\n  mq pub b.NAME 'it'\\''s'\n"), stdout);
});

Deno.test("mq app --events FILE publishes events valid by the catalog, the same for the same seed", async () => {
  await using server = await startWithCatalog();
  const run = () =>
    mq(["app", "-s", `127.0.0.1:${server.port}`, "--every", "1ms", "-n", "40", "--seed", "3", "--events", CATALOG]);
  const first = await run();
  assertMatch(first.stderr, /^mq app: 40 events sent, 0 of them not recognized; /);
  assertEquals(first.stdout, (await run()).stdout);
  assertMatch(first.stdout, /^settings \{"x-rows":20\}$/m); // Its generator does not grasp that schema.
  const names = new Set(first.stdout.trimEnd().split("\n").map((line) => line.split(" ")[0]));
  const known = Object.keys(JSON.parse(await Deno.readTextFile(CATALOG)));
  assertEquals([...names].filter((name) => !known.includes(name)), []); // The names that it has, and none made up.
  const { published, refused } = server.broker.stats();
  assertEquals([published, refused], [80, 0]);
});

Deno.test("mq app replaces wildcards in patterns only if a catalog has nothing but patterns", async () => {
  const events = await catalogSamples(1, await parseCatalog('{"order.*":{"schema":{"const":1}}}'));
  for (const { name, data } of events.take(9)) {
    assertMatch(name, /^order\.(alpha|beta|gamma|delta)$/);
    assertEquals(data, 1);
  }
});

Deno.test("mq app --events FILE names the event for which no valid data can be generated", async () => {
  assertEquals(await mq(["app", "--events", file("unmade.json")]), {
    code: 2,
    stdout: "",
    stderr:
      `mq app: warning: ${file("unmade.json")}, line 3: "minimum" is greater than "maximum": no value is valid\n` +
      "mq app: cannot generate data for order.paid that conforms to its schema\n" +
      'Try: add an "example" to its entry in the catalog, which is then published unchanged\n',
  });
});

Deno.test("mq app continues if the broker has another catalog, and reports what it refuses", async () => {
  await using server = await startBroker({ catalog: await parseCatalog('{">":{"schema":{"type":"null"}}}') });
  const { code, stderr } = await mq(
    [
      "app",
      "-s",
      `127.0.0.1:${server.port}`,
      "--every",
      "1ms",
      "-n",
      "2",
      "--events",
      file("small.json"),
      "--seed",
      "1",
    ],
  );
  assertEquals(code, 1);
  assertMatch(stderr, /^(mq app: [\w.]+: Cannot take [\w.]+: its data must be null\n){2}mq app: 0 events sent, /);
});
