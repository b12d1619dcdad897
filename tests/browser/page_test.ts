/** The live page in Chromium, with the programs that a student has in three terminals. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import axe from "axe-core";
import type { Page } from "playwright-core";
import { Program, RawClient, until } from "../helpers.ts";
import { tempFolder } from "../store/folder.ts";
import { hasChromium, TestBrowser, type View, type WatchedPage } from "./browser.ts";

/** The folder for screenshots of the page. */
const PICTURES = new URL("../../dist/screenshots/", import.meta.url).pathname;

const MARKUP = "<img src=x onerror=alert(1)>";

const ignore = !hasChromium();

/** A broker with its page, started by `mq server`. */
class Server implements AsyncDisposable {
  private constructor(readonly program: Program, readonly port: number, readonly url: string) {}

  static async start(...flags: string[]): Promise<Server> {
    const at = ["--host", "127.0.0.1", ...flags.includes("--port") ? [] : ["--port", "0", "--web", "127.0.0.1:0"]];
    const program = new Program(["server", ...at, ...flags]);
    const [, port] = / listens on 127\.0\.0\.1:(\d+)/.exec(await program.stdout.find(" listens on "))!;
    const [, url] = /Web page: (\S+)/.exec(await program.stdout.find("Web page: "))!;
    return new Server(program, Number(port), url);
  }

  /** Starts a command of mq that connects to it. */
  run(...args: string[]): Program {
    return new Program(args, { MQ_URL: `mq://127.0.0.1:${this.port}` });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.program[Symbol.asyncDispose]();
  }
}

/** A broker, a logger, two apps and a browser. */
class Stage implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  server!: Server;
  logger!: Program;
  apps!: Program[];
  browser!: TestBrowser;

  static async set(): Promise<Stage> {
    const stage = new Stage();
    const use = stage.#stack.use.bind(stage.#stack);
    stage.server = use(await Server.start());
    stage.logger = use(stage.server.run("logger"));
    stage.apps = ["shop", "till"].map((name) => use(stage.server.run("app", "--name", name, "--every", "150ms")));
    stage.browser = use(await TestBrowser.launch());
    return stage;
  }

  open(view?: View): Promise<WatchedPage> {
    return this.browser.open(this.server.url, view);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

/** The card of a program in the picture. */
function cardOf(page: Page, name: string) {
  return page.locator("#programs").getByText(name, { exact: true });
}

/** Waits until the picture has a card for each of them. */
async function cardsShown(page: Page, ...names: string[]): Promise<void> {
  for (const name of names) await cardOf(page, name).waitFor();
}

async function flights(page: Page): Promise<number> {
  return Number(await page.locator("#lines").getAttribute("data-flights"));
}

Deno.test({ name: "the page shows the broker, a logger and two apps by name, and dots move", ignore }, async () => {
  await using stage = await Stage.set();
  await using opened = await stage.open();
  const { page } = opened;
  await cardsShown(page, "logger", "shop", "till");
  assertStringIncludes(await page.locator("#broker").innerText(), "recognizes create, read, update, delete");
  await until(async () => await flights(page) > 0, "dots move");
});

Deno.test({ name: "the list shows each event with its publisher, and the details of one", ignore }, async () => {
  await using stage = await Stage.set();
  await using opened = await stage.open();
  const { page } = opened;
  await cardsShown(page, "logger", "shop", "till");
  for (const name of ["shop", "till"]) await page.locator("#events > li").filter({ hasText: name }).first().waitFor();
  await page.locator("#filter").fill("delete");
  await using pub = stage.server.run("pub", "delete", '{"id":7,"title":"the seventh"}');
  await pub.outcome();
  const row = page.locator("#events > li").filter({ hasText: "the seventh" }).first();
  await row.getByRole("button").first().click();
  const details = await row.innerText();
  assertStringIncludes(details, '"title": "the seventh"'); // Laid out, and not on one line.
  assertStringIncludes(details, "logger");
});

Deno.test(
  { name: "the list can be paused and filtered, and explains a malformed pattern", ignore },
  async () => {
    await using stage = await Stage.set();
    await using opened = await stage.open();
    const { page } = opened;
    await page.locator("#events > li").nth(4).waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    const before = await page.locator("#events").innerText();
    await page.getByRole("button", { name: /^Resume \(\d+ new\)$/ }).waitFor();
    assertEquals(await page.locator("#events").innerText(), before);
    await page.getByRole("button", { name: /^Resume/ }).click();
    await page.locator("#filter").fill("update");
    await page.locator("#events > li").nth(2).waitFor();
    const names = await page.locator("#events > li b").allInnerTexts();
    assertEquals(new Set(names), new Set(["update"]));
    await page.locator("#filter").fill("order..paid");
    await page.locator("#filter-error").filter({ hasText: "order..paid" }).waitFor();
  },
);

Deno.test({ name: "the form publishes an event, which the logger prints", ignore }, async () => {
  await using stage = await Stage.set();
  await using opened = await stage.open();
  const { page } = opened;
  await cardsShown(page, "logger");
  const form = page.locator("#publish");
  await form.getByLabel("Name").fill("update");
  await form.getByLabel("Data").fill('{"by":"the form"}');
  await form.getByRole("button", { name: "Publish" }).click();
  await page.locator("#receipt").filter({ hasText: "update went to 1 connection" }).waitFor();
  await stage.logger.stdout.find('"by":"the form"');
  await form.getByLabel("Data").fill("  indented ");
  await form.getByRole("button", { name: "Publish" }).click();
  await stage.logger.stdout.find('"  indented "');
  await form.getByLabel("Data").fill("{by:the form}");
  await page.locator("#publish-hint").filter({ hasText: "Not JSON, so it is sent as text: Expected" }).waitFor();
  await form.getByLabel("Name").fill("archive");
  await form.getByRole("button", { name: "Publish" }).click();
  await page.locator("#receipt").filter({ hasText: 'Dropped "archive"' }).waitFor();
});

Deno.test({ name: "the form explains who would receive an event", ignore }, async () => {
  await using stage = await Stage.set();
  await using opened = await stage.open();
  const { page } = opened;
  await cardsShown(page, "logger");
  const box = page.locator("#why");
  await box.getByLabel("Name").fill("create");
  await box.getByRole("button").click();
  await box.getByText("create would go to 1 connection now").waitFor();
  assertStringIncludes(await box.innerText(), "logger gets everything");
  await box.getByLabel("Name").fill("archive");
  await box.getByRole("button").click();
  await box.getByText("Nobody would get archive").waitFor();
});

Deno.test({ name: "an event that is not recognized is shown as dropped", ignore }, async () => {
  await using stage = await Stage.set();
  await using opened = await stage.open();
  const { page } = opened;
  await cardsShown(page, "logger");
  await using pub = stage.server.run("pub", "archive", "1");
  await pub.outcome();
  await page.locator("#events > li.dropped").filter({ hasText: "archive" }).filter({ hasText: "not recognized" })
    .first()
    .waitFor();
});

Deno.test({ name: "the card of a killed app disappears, and that of a new one appears", ignore }, async () => {
  await using stage = await Stage.set();
  await using opened = await stage.open();
  const { page } = opened;
  await cardsShown(page, "shop", "till");
  stage.apps[0].kill("SIGKILL");
  await cardOf(page, "shop").waitFor({ state: "detached" });
  await cardsShown(page, "till");
  await using _ = stage.server.run("app", "--name", "stall");
  await cardsShown(page, "stall");
});

Deno.test({ name: "the page reconnects to a broker that was restarted, without a reload", ignore }, async () => {
  await using stage = await Stage.set();
  await using opened = await stage.open();
  const { page } = opened;
  await cardsShown(page, "logger", "shop", "till");
  await page.evaluate("globalThis.isTheSamePage = true");
  const { port, url } = stage.server;
  stage.server.program.kill("SIGKILL");
  await stage.server.program.outcome();
  await page.locator("#overlay").filter({ hasText: /reconnecting/ }).waitFor();
  await using _ = await Server.start("--port", String(port), "--web", new URL(url).host);
  await cardsShown(page, "logger", "shop", "till");
  await page.locator("#overlay").waitFor({ state: "hidden" });
  assertEquals(await page.evaluate("globalThis.isTheSamePage"), true);
});

Deno.test({ name: "a slow consumer is marked", ignore }, async () => {
  await using server = await Server.start("--slow", "drop", "--max-line", "512KiB", "--max-queue", "1MiB");
  await using browser = await TestBrowser.launch();
  await using opened = await browser.open(server.url);
  const { page } = opened;
  const sloth = await RawClient.connect(server.port);
  await sloth.ask('/hello {"name":"sloth"}');
  await sloth.ask("/sub update"); // From now on it does not read.
  const writer = await RawClient.connect(server.port);
  await writer.ask("/unsub >");
  const line = `update "${"x".repeat(60_000)}"\n`;
  for (let sent = 0; sent < 16 * 1024 * 1024; sent += line.length) await writer.send(line);
  const card = page.locator("#programs .slow").filter({ hasText: "sloth" });
  await card.filter({ hasText: /slow: .* queued, \d+ dropped/ }).waitFor();
  for (const client of [sloth, writer]) client.close();
  await cardOf(page, "sloth").waitFor({ state: "detached" });
});

Deno.test({ name: "POSTs come from a card for http, which turns grey when there are no more", ignore }, async () => {
  await using server = await Server.start();
  await using logger = server.run("logger");
  await using browser = await TestBrowser.launch();
  await using opened = await browser.open(server.url);
  const { page } = opened;
  await cardsShown(page, "logger");
  const post = async (name: string, body: string) => {
    const response = await fetch(`${server.url}pub/${name}`, { method: "POST", body });
    await response.body?.cancel();
    return response.status;
  };
  const statuses = [await post("create", "1"), await post("create", "2"), await post("archive", "3")];
  assertEquals(statuses, [202, 202, 404]);
  await logger.stdout.find("create");
  const card = page.locator("#programs > li").filter({ hasText: "http" });
  await card.filter({ hasText: "2 sent" }).waitFor();
  await page.locator("#lines[data-flown='3']").waitFor({ state: "attached" });
  await page.locator("#notice").filter({ hasText: /^http publishes from 127\.0\.0\.1:\d+\.$/ }).waitFor();
  assertEquals(await page.locator("header dl > div").first().innerText(), "program\n1");
  const rows = page.locator("#events > li").filter({ has: page.locator(".from").getByText("http", { exact: true }) });
  await rows.filter({ hasText: "archive" }).filter({ hasText: "not recognized" }).waitFor();
  await rows.filter({ hasText: "create" }).first().getByRole("button").click();
  assertMatch(await page.locator(".details").innerText(), /from\s+http \(127\.0\.0\.1:\d+\)\s+to\s+logger/);
  await page.locator("#programs > li.idle").filter({ hasText: "http" }).waitFor();
  await card.getByRole("button").click();
  await page.locator("#about").filter({ hasText: "It publishes without a connection, and has sent 2 events" })
    .waitFor();
  assertEquals(await violations(page), []);
});

Deno.test({ name: "replies to requests are shown under one name", ignore }, async () => {
  await using server = await Server.start();
  await using browser = await TestBrowser.launch();
  await using opened = await browser.open(server.url);
  const { page } = opened;
  const client = await RawClient.connect(server.port);
  await client.ask('/hello {"name":"asker"}');
  await client.ask("/sub _INBOX.asker.*");
  await cardsShown(page, "asker");
  for (const answer of ["1", "2"]) await client.line(`_INBOX.asker.${answer} ${answer}`);
  await page.locator("#events > li").nth(1).waitFor();
  assertEquals(await page.locator("#events > li b").allInnerTexts(), ["_INBOX", "_INBOX"]);
  const legend = page.locator("#legend > li").filter({ hasText: "_INBOX" });
  assertEquals(await legend.allInnerTexts(), ["_INBOX"]);
  await page.locator("#programs > li").filter({ hasText: "gets _INBOX" }).waitFor();
  await page.locator("#events > li").first().getByRole("button").click();
  assertStringIncludes(await page.locator(".details").innerText(), "_INBOX.asker.2");
  client.close();
});

Deno.test({ name: "markup in names, client names and data is shown as text", ignore }, async () => {
  await using stage = await Stage.set();
  await using opened = await stage.open();
  const { page } = opened;
  const client = await RawClient.connect(stage.server.port);
  for (const called of [MARKUP.replaceAll(" ", "/"), "<b>bold</b>"]) {
    await client.ask(`/hello ${JSON.stringify({ name: called })}`);
    await client.line(`create ${MARKUP}`);
    await client.line(`create ${JSON.stringify({ [MARKUP]: MARKUP })}`);
    await client.line(`${MARKUP} 1`); // No name: it is refused, and the refusal quotes it.
    await cardsShown(page, called);
  }
  const row = page.locator("#events > li").filter({ hasText: MARKUP }).first();
  await row.getByRole("button").first().click();
  await page.locator("#publish").getByLabel("Name").fill(MARKUP);
  await page.locator("#publish").getByRole("button").click();
  await page.locator("#receipt").filter({ hasText: "<img" }).waitFor();
  await page.locator("#why").getByLabel("Name").fill(MARKUP);
  await page.locator("#why").getByRole("button").click();
  await page.locator("#verdict").filter({ hasText: "<img" }).waitFor();
  await page.locator("#filter").fill(MARKUP);
  await page.locator("#filter-error").filter({ hasText: MARKUP }).waitFor();
  assertEquals(await page.locator("main img, main b b").count(), 0);
  client.close();
});

Deno.test({ name: "the page asks for a token where the broker requires one", ignore }, async () => {
  const token = new URL("../files/token.txt", import.meta.url).pathname;
  await using server = await Server.start("--token-file", token);
  await using browser = await TestBrowser.launch();
  await using opened = await browser.open(server.url);
  const { page } = opened;
  await page.getByLabel("Token").fill("wrong");
  await page.getByRole("button", { name: "Enter" }).click();
  await page.locator("#overlay").filter({ hasText: "not the right token" }).waitFor();
  await page.getByLabel("Token").fill("s3cret");
  await page.getByRole("button", { name: "Enter" }).click();
  await page.locator("#overlay").waitFor({ state: "hidden" });
});

Deno.test(
  { name: "the page says what the broker said when it refuses an answer, until it answers", ignore },
  async () => {
    await using stage = await Stage.set();
    await using opened = await stage.open();
    const { page } = opened;
    let isRefusing = true;
    await page.routeWebSocket("**/ws", (socket) => {
      const server = socket.connectToServer();
      server.onMessage((message) => {
        const isRefused = isRefusing && String(message).startsWith("/ok clients");
        socket.send(isRefused ? "/err clients answer-too-long Cannot answer: there is no room" : message);
      });
    });
    await page.reload();
    const problem = page.locator("#problem");
    await problem.filter({ hasText: "refused an answer: Cannot answer: there is no room (answer-too-long)." })
      .waitFor();
    await Deno.mkdir(PICTURES, { recursive: true });
    await page.screenshot({ path: `${PICTURES}refused.png` });
    assertEquals(await violations(page), []);
    isRefusing = false;
    await problem.waitFor({ state: "hidden" });
    await cardsShown(page, "logger", "shop", "till");
  },
);

Deno.test({ name: "a page of another origin cannot connect to the broker", ignore }, async () => {
  await using stage = await Stage.set();
  await using other = await Server.start();
  await using opened = await stage.browser.open(`${other.url}healthz`);
  const { page, faults } = opened;
  const tried = await page.evaluate(async (url) => {
    const socket = new Promise((resolve) => {
      const socket = new WebSocket(`${url.replace("http", "ws")}ws`);
      socket.onopen = () => resolve("open");
      socket.onerror = () => resolve("refused");
    });
    const sent = await fetch(`${url}pub/create`, { method: "POST", body: "not for you", mode: "no-cors" });
    const read = fetch(`${url}stats`).then(() => "read", () => "refused");
    return [await socket, sent.type, await read];
  }, stage.server.url);
  assertEquals(tried, ["refused", "opaque", "refused"]); // Opaque: whatever the answer was, the page cannot see it.
  await using pub = stage.server.run("pub", "create", "the end");
  await pub.outcome();
  for (let line: string | null = ""; !line.includes("the end");) {
    line = await stage.logger.stdout.next();
    assert(line !== null && !line.includes("not for you"), `the logger printed ${line}`);
  }
  faults.length = 0; // The browser tells of what it was refused.
});

const VIEWS: Record<string, View> = {
  light: {},
  dark: { theme: "dark" },
  phone: { width: 390, height: 844 },
  "phone-dark": { width: 390, height: 844, theme: "dark" },
  projector: { width: 1920, height: 1080 },
  still: { reducedMotion: true },
};

for (const [name, view] of Object.entries(VIEWS)) {
  Deno.test({ name: `axe finds no violations in the page: ${name}`, ignore }, async () => {
    await using stage = await Stage.set();
    await using opened = await stage.open(view);
    const { page } = opened;
    await cardsShown(page, "logger", "shop", "till");
    await page.locator("#events > li").nth(8).waitFor();
    await page.locator("#events > li").first().getByRole("button").first().click();
    await page.locator("#why").getByLabel("Name").fill("create");
    await page.locator("#why").getByRole("button").click();
    await page.locator("#reasons > li").first().waitFor();
    await page.locator("#chart canvas").waitFor();
    await Deno.mkdir(PICTURES, { recursive: true });
    await page.screenshot({ path: `${PICTURES}${name}.png`, fullPage: true });
    assertEquals(await violations(page), []);
  });
}

/** Has a client join a group. */
async function join(port: number, name: string, group: string): Promise<RawClient> {
  const member = await RawClient.connect(port);
  await member.line(`/hello {"name":"${name}"}`, "/unsub >", `/join ${group}`);
  await member.lines.find("/ok join");
  return member;
}

/** Has a member of a group bury the job that it is sent. */
async function bury(member: RawClient, why: string): Promise<void> {
  const [, number] = (await member.lines.find("/job")).split(" ");
  await member.line(`/bury ${number} ${why}`);
  await member.lines.find("/ok bury");
}

for (const name of ["light", "dark", "phone"]) {
  Deno.test(
    { name: `the page shows the groups of a broker with a store, without axe violations: ${name}`, ignore },
    async () => {
      await using folder = tempFolder();
      await using server = await Server.start("--store", folder.path);
      await using browser = await TestBrowser.launch();
      await using opened = await browser.open(server.url, VIEWS[name]);
      const { page } = opened;
      await page.locator("#no-groups").filter({ hasText: "No groups yet." }).waitFor();
      assertEquals(await violations(page), []);
      const members = [];
      for (const member of ["mail-1", "mail-2"]) {
        members.push(await join(server.port, member, 'mail {"ahead":1} update'));
      }
      const idle = await join(server.port, "idle", 'audit {"from":"first"} read');
      await idle.ask("/leave audit");
      await idle.line("/pub 1 update 1", "/pub 2 update 2", "/pub 3 update 3");
      await idle.lines.find("/ok 3");
      await bury(members[0], "no such address");
      await bury(members[1], MARKUP);
      await page.locator("#notice").filter({ hasText: `The group mail has a dead job: update (${MARKUP}).` }).waitFor();
      const groups = page.locator("#group-list > li");
      const shown = "mail 2 members: mail-1, mail-2 lag 0 ready 0 in flight 1 delayed 0 dead 2".replaceAll(" ", "\\s*");
      await groups.filter({ hasText: new RegExp(shown) }).waitFor();
      await groups.filter({ hasText: /audit\s*no members/ }).waitFor();
      await page.locator("#programs > li").filter({ hasText: /mail-1\s*works in mail/ }).waitFor();
      assertEquals(await page.locator("#group-list strong").allInnerTexts(), ["mail", "audit"]);
      await Deno.mkdir(PICTURES, { recursive: true });
      await page.screenshot({ path: `${PICTURES}groups-${name}.png`, fullPage: true });
      assertEquals(await violations(page), []);
      await idle.ask("/purge mail dead");
      await idle.ask("/forget audit");
      await until(async () => (await groups.allInnerTexts()).length === 1, "the forgotten group is gone");
      assertEquals(await page.locator("#group-list .dying").count(), 0);
      for (const client of [...members, idle]) client.close();
    },
  );
}

Deno.test({ name: "an event that only the store gets is not shown as dropped", ignore }, async () => {
  await using folder = tempFolder();
  await using server = await Server.start("--store", folder.path);
  await using browser = await TestBrowser.launch();
  await using opened = await browser.open(server.url);
  const { page } = opened;
  await page.locator("#publish").getByLabel("Name").fill("update");
  await page.locator("#publish").getByRole("button").click();
  await page.locator("#receipt").filter({ hasText: "update is stored, and went to nobody." }).waitFor();
  await page.locator("#events > li").getByRole("button").click();
  await page.locator(".details").filter({ hasText: /to\s*the store alone: it has no subscribers/ }).waitFor();
  assertEquals(await page.locator("#events > li.dropped").count(), 0);
});

Deno.test(
  { name: "the panel of groups is hidden without a store, also after a restart of the broker", ignore },
  async () => {
    await using folder = tempFolder();
    const stored = await Server.start("--store", folder.path);
    await using browser = await TestBrowser.launch();
    await using opened = await browser.open(stored.url);
    const panel = opened.page.locator("#groups");
    await panel.waitFor();
    await stored[Symbol.asyncDispose]();
    await using _ = await Server.start("--port", String(stored.port), "--web", new URL(stored.url).host);
    await panel.waitFor({ state: "hidden" });
  },
);

/** Runs axe-core in the page. Its script is injected by the browser's debugging protocol: the page's policy forbids scripts. */
async function violations(page: Page): Promise<string[]> {
  const devTools = await page.context().newCDPSession(page);
  await devTools.send("Runtime.evaluate", { expression: axe.source });
  const { result } = await devTools.send("Runtime.evaluate", {
    expression: "axe.run().then(({ violations }) => JSON.stringify(violations.map(({ id, nodes }) => " +
      "`${id}: ${nodes.map(({ html, failureSummary }) => html + failureSummary).join()}`)))",
    awaitPromise: true,
  });
  return JSON.parse(result.value);
}

Deno.test({
  name: "13.10 in a browser, a page of an allowed origin subscribes and publishes with EventSource polyfill headers",
  ignore,
  async fn() {
    const other = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      () => new Response("<title>other</title>", { headers: { "content-type": "text/html" } }),
    );
    const origin = `http://127.0.0.1:${other.addr.port}`;
    await using server = await Server.start("--port", "0", "--web", "127.0.0.1:0", "--web-origin", origin);
    await using browser = await TestBrowser.launch();
    {
      await using tab = await browser.open(origin);
      const seen = await tab.page.evaluate(async (url) => {
        const headers = { accept: "text/event-stream", "cache-control": "no-cache", "last-event-id": "1" };
        const events = await fetch(`${url}events?pattern=create`, { headers });
        const post = { method: "POST", headers: { "content-type": "application/json", "x-id": "1" }, body: "7" };
        const published = await fetch(`${url}pub/create`, post);
        const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader();
        const { value } = await reader.read();
        await reader.cancel();
        return [events.status, published.status, value];
      }, server.url);
      assertEquals(seen.slice(0, 2), [200, 202]);
      assertStringIncludes(String(seen[2]), "event: create\ndata: 7\n");
      const there = tab.faults.splice(0).filter((fault) => fault.startsWith(`a request to ${server.url}`));
      assertEquals(there.length, 2);
    }
    await other.shutdown();
  },
});
