/** Every task of deno.json does what it is there for, with the permissions that it has. */
import { assert, assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "@std/assert";
import config from "../deno.json" with { type: "json" };
import { type Outcome, type Program, RawClient, startBroker, type TestBroker, until } from "./helpers.ts";
import { Tree } from "./tree.ts";

const root = new URL("../", import.meta.url);

/** What shows that a task does what it is there for. Each is typed in a copy of the repository, as a reader does. */
const CASES: Record<string, (tree: Tree) => Promise<void>> = {
  async page(tree) {
    await succeeds(tree.task("page"));
    const made = [...Deno.readDirSync(`${tree.folder}/dist/page`)].map(({ name }) => name).sort();
    assertEquals(made, ["favicon.svg", "index.html", "page.css", "page.js"]);
  },

  async demo(tree) {
    await using demo = tree.task("demo");
    await showsThePage(demo);
    await demo.stdout.find("server   ");
    await demo.stdout.find("logger   ");
    await demo.stdout.find("app-1    ");
    await endsOnCtrlC(demo);
  },

  async server(tree) {
    await tree.write("token.txt", "sesame\n");
    await using server = tree.task(`server --port 0 --web 0 --token-file ${tree.folder}/token.txt`);
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(await server.stdout.find("listens on"))![1]);
    await showsThePage(server);
    const client = await RawClient.connect(port);
    assertMatch((await client.ask(`/hello {"token":"sesame","echo":true}`))!, /^\/ok hello /);
    assertEquals(await client.ask("create 1"), "create 1");
    client.close();
    await endsOnCtrlC(server);
  },

  async logger(tree) {
    await using server = await startBroker();
    await using logger = tree.task(`logger create -s 127.0.0.1:${server.port}`);
    await isHeard("create", server);
    const [client] = await server.connect(1);
    await client.line("create hello");
    assertStringIncludes(await logger.stdout.find("create"), "hello");
    await endsOnCtrlC(logger);
  },

  async app(tree) {
    await using server = await startBroker({ events: [">"] });
    await tree.write("catalog.json", `{"order.paid":{"schema":{"type":"integer"}}}`);
    const line = `app -s 127.0.0.1:${server.port} --events ${tree.folder}/catalog.json --count 1`;
    assertMatch(await succeeds(tree.task(line)), /^order\.paid -?\d+\n$/);
  },

  /** The network, files, programs and variables: whatever one command or another needs. */
  async mq(tree) {
    await using server = await startBroker();
    const address = `127.0.0.1:${server.port}`;
    await using on = tree.task(`mq on create --emit update -s ${address} -- printenv MQ_EVENT`);
    await using logger = tree.task(`mq logger update -s ${address}`);
    await isHeard("create", server);
    await isHeard("update", server);
    await succeeds(tree.task(`mq pub create -s ${address}`));
    await logger.stdout.find("update create");
    await endsOnCtrlC(on);
    assertMatch(await succeeds(tree.task("mq bench connect --msgs 10")), /one connection +\d/);
    await using web = tree.task("mq server --port 0 --web 0");
    await showsThePage(web);
  },

  async "bench:http"(tree) {
    assertMatch(await succeeds(tree.task("bench:http --posts 10 --rounds 1")), / events a second: /);
  },

  /** Not whether all is as it should be: how late the honest hear is no matter of this test. */
  async "soak:attack"(tree) {
    const { stdout } = await ended(tree.task("soak:attack none --for 500ms --rest 1ms --connections 1"));
    assertMatch(stdout, /^none +all /m);
  },

  async conformance(tree) {
    await using server = await startBroker();
    assertMatch(await succeeds(tree.task(`conformance 127.0.0.1:${server.port} 3.1`)), /^1 ok, 0 failed/m);
  },

  /** It changes nothing: whoever changes deno.dev.lock runs it. */
  async lock(tree) {
    const lock = await tree.read("deno.lock");
    await succeeds(tree.task("lock"));
    assertEquals(await tree.read("deno.lock"), lock, "deno.lock is not what deno task lock makes of deno.dev.lock");
    for (const name of ["axe-core", "fast-check", "playwright-core", "uplot", "@types/node"]) {
      assert(!lock.includes(name), name);
    }
  },
};

/** Tasks that neither run here nor in .ci/run, and why. */
const BY_HAND = new Map([
  ["ok", "nothing but gate, test and test:browser, one after another"],
  ["bench:peers", "it measures for half an hour"],
  ["bench:stored", "it measures for ten minutes"],
  ["soak:kill", "it kills for a minute; tests/store/kill_test.ts does so ten times"],
  ["soak:hostile", "it attacks for minutes"],
  ["soak:slow", "it publishes at full rate for minutes"],
  ["soak:page", "it publishes at full rate for minutes, beside Chromium"],
  ["compile:all", "it downloads an executable for each system from Deno's own site"],
]);

Deno.test("every task of deno.json is tested: here, by .ci/run, or by hand for a reason", async () => {
  const ci = await Deno.readTextFile(new URL(".ci/run", root));
  for (const task of Object.keys(config.tasks)) {
    const isOfCi = new RegExp(`deno task ${task}(?![\\w:])`).test(ci);
    const places = [Object.hasOwn(CASES, task), isOfCi, BY_HAND.has(task)].filter((isThere) => isThere);
    assert(places.length > 0, `nothing tries deno task ${task}: give it a case here, or say why it has none`);
    assert(!BY_HAND.has(task) || places.length === 1, `${task} is tried, whatever is said here`);
  }
  for (const task of [...Object.keys(CASES), ...BY_HAND.keys()]) assert(Object.hasOwn(config.tasks, task), task);
});

Deno.test("every task that runs cmd/main.ts has its own test here, and uses only what is in the cache", () => {
  for (const [task, { command }] of Object.entries(config.tasks)) {
    if (command.includes("deno run") && command.includes("cmd/main.ts")) assert(Object.hasOwn(CASES, task), task);
    for (const [, flag] of command.matchAll(/deno (?:run|test|bench) (\S+)/g)) {
      assertEquals(flag, "--cached-only", task);
    }
  }
});

for (const [task, tries] of Object.entries(CASES)) {
  Deno.test(`deno task ${task} works with the permissions that it has`, async () => {
    await using tree = await Tree.copy();
    await tries(tree);
  });
}

Deno.test("deno task page leaves the page unchanged if it cannot build a new one", async () => {
  await using tree = await Tree.copy();
  await tree.write("dist/page/page.js", "old");
  await tree.write("web/page.ts", "this is no program");
  assertNotEquals((await ended(tree.task("page"))).code, 0);
  assertEquals(await tree.read("dist/page/page.js"), "old");
});

Deno.test("deno task compile leaves dist/mq unchanged if it cannot build a new one", async () => {
  await using tree = await Tree.copy();
  const old = "\x7fELF, which deno compile takes for an executable, and so for one that it may replace".padEnd(100);
  await tree.write("dist/mq", old);
  assertNotEquals((await ended(tree.task("compile"))).code, 0);
  assertEquals(await tree.read("dist/mq"), old);
});

Deno.test("deno task compile:all leaves dist unchanged if it cannot build everything", async () => {
  await using tree = await Tree.copy();
  const system = `${Deno.build.os.replace("darwin", "macos")}-${Deno.build.arch.replace("aarch64", "arm64")}`;
  const files = [`dist/mq-${config.version}-${system}`, "dist/SHA256SUMS"];
  for (const file of files) await tree.write(file, "old");
  const { code, stderr } = await ended(tree.task(`compile:all ${system}`));
  assertStringIncludes(stderr, `Could not compile for ${system}: `);
  assertEquals(code, 1);
  for (const file of files) assertEquals(await tree.read(file), "old");
});

/** Waits for the end of a task. */
async function ended(program: Program): Promise<Outcome> {
  await using task = program;
  await task.closeStdin();
  return await task.outcome();
}

/** Waits for the end of a task that must do what it should; returns what it has printed. */
async function succeeds(program: Program): Promise<string> {
  const { code, stdout, stderr } = await ended(program);
  assertEquals(code, 0, stderr);
  return stdout;
}

/** Waits until somebody has subscribed to an event. */
async function isHeard(name: string, { broker }: TestBroker): Promise<void> {
  await until(() => broker.clients().some(({ patterns }) => patterns.includes(name)), `somebody hears ${name}`);
}

/** Presses Ctrl-C; a program that is there until then ends well. */
async function endsOnCtrlC(program: Program): Promise<void> {
  program.kill("SIGINT");
  const { code, stderr } = await program.outcome();
  assertEquals(code, 0, stderr);
}

/** Opens the page where a program says that it is. */
async function showsThePage(program: Program): Promise<void> {
  const [url] = /http:\/\/localhost:\d+\//.exec(await program.stdout.find("http://localhost:"))!;
  const response = await fetch(url);
  assertStringIncludes(await response.text(), "<title>mq</title>");
  assertEquals(response.status, 200);
}
