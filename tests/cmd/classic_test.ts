/** Old clients in Node, as a class writes them, beside modern ones. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { has, mq, Program, RawClient } from "../helpers.ts";

const FOLDER = new URL("../files/classic/", import.meta.url).pathname;
const ignore = !has("node");

/** A broker with a door for each kind of client. */
class Server implements AsyncDisposable {
  readonly program: Program;
  port = "";
  classicPort = "";

  constructor(form: string, ...flags: string[]) {
    const ports = ["--host", "127.0.0.1", "--port", "0", "--classic-port", "0"];
    this.program = new Program(["server", "--json", "--classic", form, ...ports, ...flags]);
  }

  async listening(): Promise<this> {
    const { data } = JSON.parse(await this.program.stdout.find("mq.listen"));
    this.port = portOf(data.addresses);
    this.classicPort = portOf(data.classicAddresses);
    return this;
  }

  /** A script of the class, connected. */
  async node(script: string, ...args: string[]): Promise<Program> {
    const program = this.start(script, ...args);
    assertEquals(await program.stdout.next(), "connected");
    return program;
  }

  /** A script that ends by itself. */
  async run(script: string, ...args: string[]): Promise<void> {
    await using program = this.start(script, ...args);
    assertEquals(await program.outcome(), { code: 0, stdout: "", stderr: "" });
  }

  start(script: string, ...args: string[]): Program {
    return new Program([`${FOLDER}${script}.cjs`, this.classicPort, ...args], {}, ["node"]);
  }

  /** A modern command, connected to the same broker. */
  async mq(name: string, ...args: string[]): Promise<Program> {
    const program = new Program([name, "-s", `127.0.0.1:${this.port}`, "--name", name, ...args]);
    await this.program.stdout.find(`"was":"client-`);
    return program;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
  }
}

function portOf(addresses: string[]): string {
  return addresses[0].split(":").at(-1)!;
}

async function expect(program: Program, ...lines: string[]): Promise<void> {
  for (const line of lines) assertEquals(await program.stdout.next(), line);
}

Deno.test(
  { name: "mq server --classic json: clients of every dialect receive all events in their own form", ignore },
  async () => {
    const events = "create,update,delete,read,in transit";
    await using server = await new Server("json", "--events", events).listening();
    await using logger = await server.node("logger_json");
    await using raw = await server.node("logger_raw");
    await using modern = await server.mq("logger");
    for (
      const [message, object, line] of [
        ["create a  record", '{"event":"create","payload":"a  record"}', "create a  record"],
        ["update", '{"event":"update","payload":""}', "update"],
        ['delete:{"id":1}', '{"event":"delete","payload":{"id":1}}', 'delete {"id":1}'],
        ['{"event":"read","payload":{"id":1},"at":7}', '{"event":"read","payload":{"id":1},"at":7}', 'read {"id":1}'],
        ['{"name":"create","data":[1]}', '{"name":"create","data":[1]}', "create [1]"],
        ['{"event":"delete","record":{"id":2}}', '{"event":"delete","record":{"id":2}}', 'delete {"id":2}'],
        ['{"event":"in transit"}', '{"event":"in transit"}', "in-transit"],
        ["in transit order 7", '{"name":"in transit","data":"order 7"}', "in-transit order 7"],
        ['{"eventType":"update","eventPayload":"x"}', '{"eventType":"update","eventPayload":"x"}', "update x"],
        ["update y", '{"eventType":"update","eventPayload":"y"}', "update y"],
      ]
    ) {
      await server.run("app_once", message);
      assertEquals(await modern.stdout.next(), line);
      assertEquals(await raw.stdout.next(), object);
      const { event, payload } = JSON.parse(object);
      const shown = typeof payload === "object" ? JSON.stringify(payload) : payload;
      assertEquals(await logger.stdout.next(), `${event}: ${shown}`);
    }
  },
);

Deno.test(
  { name: "mq server --classic text: loggers receive NAME DATA from classic and from modern clients", ignore },
  async () => {
    await using server = await new Server("text").listening();
    await using raw = await server.node("logger_raw");
    await using modern = await server.mq("logger");
    await server.run("app_once", '{"event":"create","payload":"a record"}');
    await server.run("app_once", "update:");
    await using pub = await server.mq("pub", "delete", '{"id":1}');
    await expect(raw, "create a record", "update:", 'delete {"id":1}');
    await expect(modern, "create a record", "update", 'delete {"id":1}');
    assertEquals((await pub.outcome()).code, 0);
  },
);

/** Whether a logger does; a machine that keeps it from reading for longer than the pace makes two messages of one chunk. */
async function survivesBurst(server: Server, modern: Program): Promise<boolean> {
  await using logger = await server.node("logger_json");
  await server.run("app_burst", "200");
  const ids = Array.from({ length: 200 }, (_, index) => index + 1);
  const data = ids.map((id) => `{"id":${id},"text":"a } record { was \\" created"}`);
  await expect(modern, ...data.map((text) => `create ${text}`));
  for (const text of data) {
    const line = await logger.stdout.next();
    if (line === null) return false;
    assertEquals(line, `create: ${text}`);
  }
  return true;
}

Deno.test(
  {
    name:
      "mq server --classic json: a burst of 200 objects leaves a per-chunk parser unharmed, in one of six attempts at least",
    ignore,
  },
  async () => {
    await using server = await new Server("json").listening();
    await using modern = await server.mq("logger");
    let tries = 0;
    while (!await survivesBurst(server, modern)) assert(++tries < 6, "six loggers broke");
  },
);

Deno.test({ name: "mq server --classic json: a vendor and a driver react to each other", ignore }, async () => {
  await using server = await new Server("json", "--events", "pickup,in transit,delivered,thanks").listening();
  await using modern = await server.mq("logger");
  await using driver = await server.node("driver");
  await using vendor = await server.node("vendor");
  await expect(vendor, "on its way: 7", "thank you for delivering 7");
  await expect(driver, "welcome, Ada");
  const order = '{"orderId":7,"customer":"Ada"}';
  await expect(modern, `pickup ${order}`, `in-transit ${order}`, `delivered ${order}`, `thanks ${order}`);
});

Deno.test(
  { name: "mq server --classic: a client that never reads loses events, and stays connected", ignore },
  async () => {
    await using server = await new Server("text", "--max-line", "32KiB", "--max-queue", "64KiB").listening();
    await using deaf = await server.node("never_reads");
    await using pub = await server.mq("pub", "create", "-");
    await pub.write(`${"x".repeat(10_000)}\n`.repeat(2000));
    await pub.closeStdin();
    const { data } = JSON.parse(await server.program.stdout.find('"event":"mq.slow"'));
    assertEquals([data.name, data.policy], ["client-1", "drop"]);
    assertMatch(await server.program.stdout.find('"event":"mq.dropped"'), /"name":"client-1","bytes":\d+,"events":\d+/);
    assertEquals((await pub.outcome()).code, 0);
    deaf.kill("SIGKILL");
    assertEquals(await deaf.stdout.rest(), "");
    assertStringIncludes(await server.program.stdout.find('"name":"client-1","reason":'), '"reason":"reset"');
  },
);

Deno.test({ name: "mq server --classic with a catalog: invalid data is delivered to nobody", ignore }, async () => {
  const catalog = new URL("../files/catalog.json", import.meta.url).pathname;
  await using server = await new Server("json", "--events", catalog).listening();
  await using raw = await server.node("logger_raw");
  const entries: [string, { example?: unknown }][] = Object.entries(JSON.parse(await Deno.readTextFile(catalog)));
  const [event, { example }] = entries.find(([, { example }]) => typeof example === "object")!;
  await server.run("app_once", JSON.stringify({ event, payload: 7 }));
  const { data } = JSON.parse(await server.program.stdout.find('"event":"mq.refused"'));
  assertEquals(data.code, "invalid-data");
  await server.run("app_once", JSON.stringify({ event, payload: example }));
  await expect(raw, JSON.stringify({ event, payload: example }));
});

/** An app and a logger of a class, with its server's flags; what the logger says of its app, and of `mq pub save hi`. */
const PAIRS: [pair: string, form: string, flags: string[], app: string[], modern: string][] = [
  ["type_message", "json", [], ["save: files/test.txt", "ERROR ENOENT: no such file"], "save: hi"],
  ["event_type", "json", [], ["[save] test.txt was saved"], "[save] hi"],
  ["act_data", "json", [], ["save hi"], "save hi"],
  ["null_ended", "json", [], ["one", "two", "three"], "hi"],
  ["text_to_json", "json", ["--classic-keys", "event,text"], [
    "Map(2) { 'event' => 'save', 'text' => 'test.txt' }",
  ], "Map(2) { 'event' => 'save', 'text' => 'hi' }"],
  ["words", "text", [], ["{ event: 'save', payload: '/home/error/notes.txt' }"], "{ event: 'save', payload: 'hi' }"],
  ["colon", "text", [], ["SAVE <test.txt>"], "SAVE HI <undefined>"],
  ["chat", "text", ["--classic-default", "chat"], ["[Ada]: hello, world", "[Ada]: save the whales"], "save hi"],
];

for (const [pair, form, flags, app, modern] of PAIRS) {
  Deno.test(
    { name: `mq server --classic ${form}: the logger of ${pair} receives events of its app and of mq pub`, ignore },
    async () => {
      await using server = await new Server(form, "--events", "save,error,chat", ...flags).listening();
      await using logger = await server.node(`pairs/${pair}`, "logger");
      await server.run(`pairs/${pair}`, "app");
      await expect(logger, ...app);
      await using pub = await server.mq("pub", "save", "hi");
      await expect(logger, modern);
      assertEquals((await pub.outcome()).code, 0);
    },
  );
}

for (
  const [pair, flags, lines] of [
    ["emit_array", [], ["saved test.txt (42 bytes)"]],
    ["orders", ["--classic-default", "save"], ["order 1: tea", "order 2: nothing"]],
  ] as const
) {
  Deno.test({ name: `mq server --classic json: the logger of ${pair} receives its app`, ignore }, async () => {
    await using server = await new Server("json", "--events", "save", ...flags).listening();
    await using logger = await server.node(`pairs/${pair}`, "logger");
    await server.run(`pairs/${pair}`, "app");
    await expect(logger, ...lines);
  });
}

/** What the log for people says of messages that come at a classic port, each from a client of its own. */
async function log(flags: string[], ...messages: string[]): Promise<string[]> {
  await using program = new Program(["server", "--host", "127.0.0.1", "--port", "0", "--classic", "json", ...flags]);
  const [, port] = /127\.0\.0\.1:(\d+)/.exec((await program.stdout.next())!)!;
  const said: string[] = [];
  for (const message of messages) {
    const client = await RawClient.connect(Number(port));
    await client.send(message);
    client.conn.closeWrite();
    const lines: string[] = [];
    for (
      let line = await program.stdout.next();
      !line!.includes(" disconnected ");
      line = await program.stdout.next()
    ) {
      lines.push(line!.replace(/^\d\d:\d\d:\d\d {2}/, ""));
    }
    said.push(...lines.filter((line) => /^[!=]/.test(line)));
    client.close();
  }
  return said;
}

const ADVICE: [flags: string[], message: string, said: string[]][] = [
  [["--events", ">"], "order.paid 1", []],
  [["--events", "order.*,in transit"], "order.paid 1", []],
  [["--events", "order.*,in transit"], '{"event":"in transit"}', []],
  [["--events", "order.*,in transit"], '{"event":"order"}', [
    `! client-1: "order" is not recognized and was dropped. To admit it: --events 'order.*,in-transit,order'`,
  ]],
  [["--events", "order.*"], '{"event":"on its way"}', [
    `! client-1: "on-its-way" is not recognized and was dropped. To admit it: --events 'order.*,on-its-way'`,
  ]],
  [["--events", "driver's call,>"], "bogus", []],
  [["--events", "driver's call"], '{"event":"bogus"}', [
    `! client-1: "bogus" is not recognized and was dropped. To admit it: --events 'driver-s-call,bogus'`,
  ]],
  [["--events", "save"], "hello world", [
    `! client-1: "hello" is not recognized and was dropped. To admit it: --events 'save,hello'; ` +
    "if it is not meant as a name: --classic-default NAME, with a recognized name",
  ]],
  [["--events", "save", "--classic-default", "save"], "hello world", []],
  [["--events", "save"], "[Ada]: hi", [
    `! client-1: Cannot find an event's name in "[Ada]: hi": a text begins with it; ` +
    "to make it an event: --classic-default NAME, with a recognized name",
  ]],
  [["--events", "save"], '{"orderID":1}', [
    `! client-1: Cannot find an event's name in {"orderID":1}: an object has it under "event", "type" or a key like ` +
    "these; to make it an event: --classic-default NAME, with a recognized name",
  ]],
  [["--events", "save"], '{"eventType":"save","eventMessage":"a"}', [
    '= Classic clients now get objects such as {"eventType":...,"eventMessage":...}, which client-1 sends; ' +
    "--classic-keys eventType,eventMessage makes that permanent",
  ]],
  [["--events", "save", "--classic-keys", "a,b"], '{"eventType":"save","eventMessage":"a"}', []],
];

for (const [flags, message, said] of ADVICE) {
  Deno.test(`mq server --classic json ${flags.join(" ")} logs for ${message}: ${said.length} lines`, async () => {
    assertEquals(await log(flags, message), said);
  });
}

const MISUSED: [args: string[], code: number, error: string][] = [
  [["--classic-keys", "a,b"], 2, "--classic-keys needs --classic"],
  [["--classic-default", "create"], 2, "--classic-default needs --classic"],
  [["--classic", "json", "--classic-keys", "a"], 2, "--classic-keys takes two keys separated by a comma"],
  [["--classic", "json", "--classic-keys", "a,a"], 2, "--classic-keys takes two keys separated by a comma"],
  [["--classic", "json", "--classic-default", "order.*"], 2, `--classic-default takes an event's name, not "order.*"`],
  [["--classic", "json", "--classic-default", ">"], 2, `--classic-default takes an event's name, not ">"`],
  [["--classic", "json", "--events", "order*"], 2, 'Cannot read "order*" as a pattern'],
  [["--classic", "json", "--events", "in *,a"], 2, 'Cannot read "in *" as a pattern'],
  [
    ["--classic", "json", "--classic-default", "chat", "--port", "0"],
    1,
    'Cannot take "chat" as the name of messages without one: it is not recognized; ' +
    "--classic-default must be one of --events",
  ],
];

for (const [args, code, error] of MISUSED) {
  Deno.test(`mq server ${args.join(" ")} is refused`, async () => {
    const outcome = await mq(["server", ...args]);
    assertEquals(outcome.code, code);
    assertStringIncludes(outcome.stderr, error);
  });
}
