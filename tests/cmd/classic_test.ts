/** Old clients in Node, as a class writes them, beside modern ones. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { has, Program } from "../helpers.ts";

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
  { name: "mq server --classic json: every dialect is heard by all, in the form of each", ignore },
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
  { name: "mq server --classic text: loggers hear NAME DATA, from old clients and from modern ones", ignore },
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
  { name: "mq server --classic json: a burst of 200 objects breaks no logger that parses each chunk", ignore },
  async () => {
    await using server = await new Server("json").listening();
    await using modern = await server.mq("logger");
    let tries = 0;
    while (!await survivesBurst(server, modern)) assert(++tries < 3, "three loggers broke");
  },
);

Deno.test({ name: "mq server --classic json: a vendor and a driver answer each other's events", ignore }, async () => {
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
  { name: "mq server --classic: a client that never reads misses events, and is not closed", ignore },
  async () => {
    await using server = await new Server("text", "--max-queue", "64KiB").listening();
    await using deaf = await server.node("never_reads");
    await using pub = await server.mq("pub", "create", "-");
    await pub.write(`${"x".repeat(10_000)}\n`.repeat(2000));
    await pub.closeStdin();
    const { data } = JSON.parse(await server.program.stdout.find('"event":"mq.slow"'));
    assertEquals([data.name, data.policy], ["client-1", "drop"]);
    assertMatch(await server.program.stdout.find('"event":"mq.dropped"'), /"name":"client-1","bytes":\d+,"events":\d+/);
    assertEquals((await pub.outcome()).code, 0);
    await using asks = await server.mq("pub", "update");
    assertEquals((await asks.outcome()).stderr, "");
    deaf.kill("SIGKILL");
    assertEquals(await deaf.stdout.rest(), "");
  },
);

Deno.test({ name: "mq server --classic with a catalog: data that does not fit goes to nobody", ignore }, async () => {
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
