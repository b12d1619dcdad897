import { assert, assertEquals } from "@std/assert";
import { setColorEnabled } from "@std/fmt/colors";
import stringWidth from "string-width";
import { drawWhy } from "../../cmd/why/drawing.ts";
import type { EventInfo, Why } from "../../mod.ts";
import { mq, startBroker, until } from "../helpers.ts";

setColorEnabled(false);

/** An answer of a broker in which so many connections hear an event, and so many do not. */
function answer(hearing: number, ignoring: number): Why {
  const named = <T>(kind: string, length: number, more: T) =>
    Array.from({ length }, (_, index) => ({ id: `${kind}-${index}`, name: `${kind}-${index}`, ...more }));
  return {
    name: "create",
    recognized: true,
    by: "create",
    receivers: hearing,
    hears: named("hears", hearing, { pattern: ">", queuedBytes: 0 }),
    hearsCount: hearing,
    ignores: named("ignores", ignoring, { patterns: ["order.*"], patternCount: 1 }),
    ignoresCount: ignoring,
  };
}

/** What a broker without a catalog says of what it recognizes. */
function infos(patterns: readonly string[]): EventInfo[] {
  return patterns.map((pattern) => ({ pattern }));
}

/** A drawing as it stands below, without the margin. */
function lines(drawing: string): string {
  return drawing.replace(/^\n/, "").replace(/^ {4}/gm, "").trimEnd();
}

Deno.test("drawWhy shows who receives an event, by which pattern, with queued bytes, and who does not", () => {
  const why: Why = {
    name: "order.created",
    recognized: true,
    by: "order.*",
    receivers: 2,
    hears: [
      { id: "1", name: "logger", pattern: ">", queuedBytes: 0 },
      { id: "2", name: "shop", pattern: "order.*", queuedBytes: 81_234 },
    ],
    hearsCount: 2,
    ignoresCount: 2,
    ignores: [
      { id: "3", name: "warehouse", patterns: ["a", "b", "c", "d", "e", "f", "g"], patternCount: 7 },
      { id: "4", name: "nc", patterns: [], patternCount: 0 },
    ],
  };
  const drawing = `
                     ┌─ broker ──────┐
    order.created ──▶│ recognized by │─┬──▶ logger     by >
                     │ order.*       │ ├──▶ shop       by order.*, 81.2 kB queued
                     └───────────────┘ ├──× warehouse  hears a b c d e and 2 more
                                       └──× nc         hears nothing
    2 of 4 connections would receive it now
  `;
  assertEquals(drawWhy(why, infos(["order.*"]), 20), lines(drawing));
});

Deno.test("drawWhy ends an unrecognized event at the broker, and names the flag that would recognize it", () => {
  const why: Why = { ...answer(3, 2), name: "archive", recognized: false, by: null, receivers: 0 };
  const drawing = `
               ┌─ broker ───────┐
    archive ──▶│ not recognized │
               └────────────────┘
    To admit it: mq server --events 'create,order.>,archive'
    0 of 5 connections would receive it now
  `;
  assertEquals(drawWhy(why, infos(["create", "order.>"]), 20), lines(drawing));
});

for (
  const [name, events, meant] of [["creat", ["create", "order.>"], "create"], [
    "a",
    [">", "*", "b.*"],
    undefined,
  ]] as const
) {
  Deno.test(`drawWhy suggests for ${name} ${meant ?? "nothing"} if ${events.join()} are recognized`, () => {
    const why: Why = { ...answer(0, 0), name, recognized: false, by: null };
    assertEquals(/Did you mean (.*)\?/.exec(drawWhy(why, infos(events), 20))?.[1], meant);
  });
}

Deno.test("drawWhy draws one connection, or none", () => {
  const one = `
              ┌─ broker ──────┐
    create ──▶│ recognized by │────▶ hears-0  by >
              │ create        │
              └───────────────┘
    1 of 1 connection would receive it now
  `;
  assertEquals(drawWhy(answer(1, 0), infos(["create"]), 20), lines(one));
  const none = `
              ┌─ broker ──────┐
    create ──▶│ recognized by │
              │ create        │
              └───────────────┘
    0 of 0 connections would receive it now
  `;
  assertEquals(drawWhy(answer(0, 0), infos(["create"]), 20), lines(none));
});

Deno.test("drawWhy shows the first of many connections and how many more there are", () => {
  const some = drawWhy(answer(1000, 600), infos(["create"]), 2).split("\n");
  assertEquals(some.slice(1, -1).map((line) => line.replace(/^.*(?=──[▶×])/, "")), [
    "──▶ hears-0    by >",
    "──▶ hears-1    by >",
    "──▶ and 998 more (--all shows them)",
    "──× ignores-0  hears order.*",
    "──× ignores-1  hears order.*",
    "──× and 598 more (--all shows them)",
  ]);
  assertEquals(some.at(-1), "1000 of 1600 connections would receive it now");
  assertEquals(drawWhy(answer(1000, 600), infos(["create"]), Infinity).split("\n").length, 1602);
});

Deno.test("drawWhy counts the connections that the broker does not list", () => {
  const why = { ...answer(100, 100), receivers: 1000, hearsCount: 1000, ignoresCount: 600 };
  const numbers = (most: number) => drawWhy(why, infos(["create"]), most).match(/and .*/g);
  assertEquals(numbers(20), ["and 980 more (--all shows 100)", "and 580 more (--all shows 100)"]);
  assertEquals(numbers(Infinity), ["and 900 more", "and 500 more"]);
  assertEquals(drawWhy(why, infos(["create"]), 20).split("\n").at(-1), "1000 of 1600 connections would receive it now");
});

Deno.test("drawWhy aligns columns with characters two columns wide or of no width", () => {
  const why: Why = {
    ...answer(0, 0),
    name: "注文",
    by: "注文",
    hears: ["記録係", "e\u0301cho", "ab"].map((name) => ({ id: name, name, pattern: ">", queuedBytes: 0 })),
    hearsCount: 3,
  };
  const drawing = `
            ┌─ broker ──────┐
    注文 ──▶│ recognized by │─┬──▶ 記録係  by >
            │ 注文          │ ├──▶ e\u0301cho    by >
            └───────────────┘ └──▶ ab      by >
    0 of 3 connections would receive it now
  `;
  assertEquals(drawWhy(why, infos(["注文"]), 20), lines(drawing));
});

/** Connections of which some have long names, wide ones, and many patterns. */
const CROWD: Why = {
  name: "order.created",
  recognized: true,
  by: "order.*",
  receivers: 2,
  hears: [
    { id: "1", name: "logger", pattern: ">", queuedBytes: 0 },
    { id: "2", name: "記録係の記録係", pattern: "order.>", queuedBytes: 81_234 },
  ],
  hearsCount: 2,
  ignoresCount: 2,
  ignores: [
    { id: "3", name: "w".repeat(64), patterns: ["a", "b", "c", "d", "e", "f", "g"], patternCount: 7 },
    { id: "4", name: "nc", patterns: [], patternCount: 0 },
  ],
};

Deno.test("drawWhy stacks what does not fit side by side, and cuts what is too long", () => {
  const drawing = `
    order.created
      ▼
    ┌─ broker ──────┐
    │ recognized by │
    │ order.*       │
    └─┬─────────────┘
      ├──▶ logger            by >
      ├──▶ 記録係の記録係    by order.>, 81…
      ├──× wwwwwwwwwwwwwww…  hears a b c d …
      └──× nc                hears nothing
    2 of 4 connections would receive it now
  `;
  assertEquals(drawWhy(CROWD, infos(["order.*"]), 20, 40), lines(drawing));
});

Deno.test("drawWhy is a list if there is no room for a drawing", () => {
  const why = { ...CROWD, ignores: CROWD.ignores.slice(1), ignoresCount: 1 };
  const list = `
    order.created:
      recognized by
      order.*
    ──▶ logger by >
    ──▶ 記録係の記録係
      by order.>, 81.2
      kB queued
    ──× nc hears nothing
    2 of 3 connections
      would receive it
      now
  `;
  assertEquals(drawWhy(why, infos(["order.*"]), 20, 20), lines(list));
});

Deno.test("drawWhy fits any terminal, and shows every connection in it", () => {
  const long = "a-name-of-a-hundred-characters.".repeat(4);
  const cases: Why[] = [
    CROWD,
    { ...CROWD, by: long },
    { ...CROWD, name: long },
    { ...CROWD, name: "注文.作成", by: "注文.*" },
    { ...CROWD, recognized: false, by: null },
    answer(1, 0),
    answer(0, 0),
    answer(30, 30),
  ];
  for (const why of cases) {
    for (let width = 10; width <= 200; width++) {
      const drawn = drawWhy(why, infos(["order.>", "create"]), 20, width).split("\n");
      for (const line of drawn) assert(stringWidth(line) <= width, `${width}: ${line}`);
      const shown = why.recognized ? Math.min(20, why.hears.length) + Math.min(20, why.ignores.length) : 0;
      assert(drawn.filter((line) => /──[▶×]/.test(line)).length >= shown, drawn.join("\n"));
    }
  }
});

Deno.test("drawWhy suggests adding to the catalog for a broker that has one", () => {
  const why: Why = { ...answer(0, 0), name: "nope", recognized: false, by: null };
  const drawn = drawWhy(why, [{ pattern: "create", description: "A record is there." }, { pattern: "read" }], 20);
  assert(drawn.includes("To admit it: add nope to its catalog\n"), drawn);
});

Deno.test("drawWhy shortens its suggestion for three thousand events", () => {
  const events = Array.from({ length: 3000 }, (_, index) => `event-${index}`);
  const why: Why = { ...answer(0, 0), name: "nope", recognized: false, by: null };
  const drawn = drawWhy(why, infos(events), 20);
  assert(drawn.includes("To admit it: mq server --events '…,nope' (… stands for its present 3,000)\n"), drawn);
  assert(drawn.length < 500);
});

Deno.test("drawWhy escapes control characters", () => {
  const bad = "\x1b[31m\x07\x9b1m\n\u202e";
  const why = { ...answer(2, 2), name: bad, by: bad };
  for (const connection of [...why.hears, ...why.ignores]) connection.name = bad;
  for (const hearing of why.hears) hearing.pattern = bad;
  for (const ignoring of why.ignores) ignoring.patterns = [bad];
  for (const recognized of [true, false]) {
    const drawing = drawWhy({ ...why, recognized }, infos([bad]), 20);
    assert(!/(?!\n)\p{Cc}|\u202e/u.test(drawing), JSON.stringify(drawing));
    assert(drawing.includes("\\x1b[31m"));
  }
});

Deno.test("mq why draws who receives an event, except itself", async () => {
  await using server = await startBroker();
  const [, shop] = await server.connect(2);
  await shop.ask('/hello {"name":"shop"}');
  await shop.ask("/sub order.*");
  const outcome = await mq(["why", "create", "-s", `127.0.0.1:${server.port}`]);
  const drawing = `
              ┌─ broker ──────┐
    create ──▶│ recognized by │─┬──▶ client-1  by >
              │ create        │ └──× shop      hears order.*
              └───────────────┘
    1 of 2 connections would receive it now
  `;
  assertEquals(outcome, { code: 0, stdout: lines(drawing) + "\n", stderr: "" });
});

Deno.test("mq why --json prints the broker's response on one line, without itself", async () => {
  await using server = await startBroker();
  const [, silent] = await server.connect(2);
  await silent.ask("/unsub >");
  for (const name of ["create", "mq.connect", "archive"]) {
    const { code, stdout, stderr } = await mq(["why", name, "--json", "-s", `127.0.0.1:${server.port}`]);
    await until(() => server.broker.stats().connections === 2, "mq why has left");
    assertEquals([code, stdout, stderr], [0, JSON.stringify(server.broker.explainRouting(name)) + "\n", ""]);
  }
});

Deno.test("mq why shows the first twenty connections, and with --all every one", async () => {
  await using server = await startBroker();
  await server.connect(23);
  const to = ["-s", `127.0.0.1:${server.port}`];
  const some = (await mq(["why", "create", ...to])).stdout;
  assertEquals(some.match(/client-\d+/g)?.length, 20);
  assert(some.includes("and 3 more (--all shows them)\n23 of 23 connections would receive it now\n"), some);
  const all = (await mq(["why", "create", "--all", ...to])).stdout;
  assertEquals(all.match(/client-\d+/g)?.length, 23);
});
