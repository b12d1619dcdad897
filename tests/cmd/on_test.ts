import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseCommand } from "../../cmd/command.ts";
import { batches, dataOf, EmittingRunner } from "../../cmd/on/runner.ts";
import { delayAfter, Handling } from "../../cmd/shared/handling.ts";
import { on, type OnFlags } from "../../cmd/on.ts";
import { Output } from "../../cmd/shared/stdio.ts";
import { Broker, connect, MqEvent, parseCatalog } from "../../mod.ts";
import { BufferedSubscription } from "../../lib/client/subscription.ts";
import { has, listenAgain, mq, Program, programLine, sinkTo, startBroker, until } from "../helpers.ts";
import { startOn, startOnBy } from "./start_on.ts";

const MAIN = programLine();

/** Whether a process is there, or more than its entry in the table. */
async function runs(pid: string): Promise<boolean> {
  await using ps = new Program(["-o", "stat=", "-p", pid], {}, ["ps"]);
  return /^[^Z\s]/.test((await ps.outcome()).stdout.trim());
}

/** A line of the log, but for the event's id and how long the run took. */
function withoutIds(line: string): string {
  return line.replace(/[0-9A-Z]{26}/, "ID").replace(/\([\d.]+ m?s\)/, "(TIME)").replace(/[\d.]+ m?s$/, "DELAY");
}

async function nextRun(program: Program): Promise<string> {
  return withoutIds((await program.stderr.next())!);
}

Deno.test("delayAfter doubles from 250 ms up to 30 s, give or take a quarter", () => {
  assertEquals([1, 2, 3, 7, 8, 60].map((attempt) => delayAfter(attempt, 0.5)), [
    250,
    500,
    1000,
    16_000,
    30_000,
    30_000,
  ]);
  assertEquals([delayAfter(3, 0), delayAfter(3, 1)], [750, 1250]);
});

Deno.test("dataOf returns the data of one event for an output, or of one per line", () => {
  for (
    const [output, one, many] of [
      ["", [], []],
      ["\n", [], []],
      ["hello", ["hello"], ["hello"]],
      ["hello\n", ["hello"], ["hello"]],
      ["hello\r\n", ["hello"], ["hello"]],
      ["a\n\n b \n", ['"a\\n\\n b "'], ["a", '" b "']],
      ['{\n  "id": 1\n}\n', ['{"id": 1}'], ["{", '"  \\"id\\": 1"', "}"]],
      ['{"id":12345678901234567890}\n', ['{"id":12345678901234567890}'], ['{"id":12345678901234567890}']],
    ] as const
  ) {
    assertEquals(dataOf(output, false), [...one]);
    assertEquals(dataOf(output, true), [...many]);
  }
});

Deno.test("batches limits a batch to a thousand texts and one mebibyte", () => {
  const lengths = (texts: string[]) => [...batches(texts)].map((batch) => batch.length);
  assertEquals(lengths([]), []);
  assertEquals(lengths(Array(2500).fill("x")), [1000, 1000, 500]);
  const [half, whole, more] = [2 ** 19, 2 ** 20, 2 ** 20 + 1].map((length) => "x".repeat(length));
  assertEquals(lengths([half, half, "x", whole, more, half]), [2, 1, 1, 1, 1]);
  assertEquals([...batches(["a", more, "b", "c"])], [["a"], [more], ["b", "c"]]);
});

Deno.test("mq on passes the event's data on stdin as a line, byte for byte, and its metadata in variables", async () => {
  await using server = await startBroker();
  const script = 'printf "%s\\n" "$(cat; echo .)" "$MQ_EVENT $MQ_FROM $MQ_ATTEMPT $MQ_URL" "$MQ_ID" "$MQ_AT"';
  await using program = await startOn(server, "-n 2", "sh", "-c", script);
  const [client] = await server.connect(1);
  await client.send('/hello {"name":"shop"}\ncreate {"id": 1}  é \ncreate\n');
  for (const lines of [['{"id": 1}  é ', "."], ["."]]) {
    for (const line of lines) assertEquals(await program.stdout.next(), line);
    assertEquals(await program.stdout.next(), `create shop 1 mq://127.0.0.1:${server.port}`);
    assertMatch((await program.stdout.next())!, /^[0-9A-Z]{26}$/);
    assertMatch((await program.stdout.next())!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assertEquals(await nextRun(program), "mq on: create ID: done (TIME)");
  }
  assertEquals(await program.outcome(), { code: 0, stdout: "", stderr: "" });
});

for (
  const [name, script] of [
    ["a loop of the shell", 'while read -r line; do echo "got $line"; done'],
    ["node", 'node -e \'console.log("got", JSON.stringify(JSON.parse(require("fs").readFileSync(0, "utf8"))))\''],
  ]
) {
  Deno.test({
    name: `${name} reads the data that mq on passes to it`,
    ignore: name === "node" && !has("node"),
    async fn() {
      await using server = await startBroker();
      await using program = await startOn(server, "-n 1", "sh", "-c", script);
      const [client] = await server.connect(1);
      await client.line('create {"id":1}');
      assertEquals((await program.outcome()).stdout, 'got {"id":1}\n');
    },
  });
}

Deno.test("mq on --emit with cat publishes the data that it received", async () => {
  await using server = await startBroker();
  const texts = ["hello", "blanks behind  ", '{"id": 12345678901234567890}', '"a\\nb"', "a\t"];
  await using program = await startOn(server, `-n ${texts.length} --emit update`, "cat");
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  const updates = client.subscribe("update");
  await updates.ready;
  for (const text of texts) client.publish("create", text, { raw: true });
  for (const text of texts) {
    assertEquals((await updates.next()).value.text, text);
  }
  assertEquals((await program.outcome()).code, 0);
});

Deno.test("mq pub in a handler of mq on publishes to the same broker", async () => {
  await using server = await startBroker();
  await using program = await startOn(server, "-n 1", ...MAIN, "pub", "update", "from the handler");
  const [listener] = await server.connect(1);
  await listener.line("create");
  await listener.expect("create", "update from the handler");
  assertEquals((await program.outcome()).code, 0);
});

Deno.test("mq on keeps the order of events while one of them is retried", async () => {
  await using server = await startBroker();
  const script = 'read -r id; echo "$id.$MQ_ATTEMPT"; [ "$id" != 2 ] || [ "$MQ_ATTEMPT" = 3 ]';
  await using program = await startOn(server, "-n 3 --retry 2", "sh", "-c", script);
  const [client] = await server.connect(1);
  await client.send("create 1\ncreate 2\ncreate 3\n");
  for (const line of ["1.1", "2.1", "2.2", "2.3", "3.1"]) assertEquals(await program.stdout.next(), line);
  assertEquals(await nextRun(program), "mq on: create ID: done (TIME)");
  assertEquals(await nextRun(program), "mq on: create ID: exit code 1 (TIME); again in DELAY");
  assertEquals(await nextRun(program), "mq on: create ID, attempt 2: exit code 1 (TIME); again in DELAY");
  assertEquals(await nextRun(program), "mq on: create ID, attempt 3: done (TIME)");
  assertEquals((await program.outcome()).code, 0);
});

Deno.test("mq on reports how each run ended, and continues", async () => {
  await using server = await startBroker();
  const script = 'read -r how; case $how in code) exit 7;; signal) kill -TERM $$;; hang) sleep 600;; esac; echo "$how"';
  await using program = await startOn(server, "-n 4 --timeout 1s", "sh", "-c", script);
  const [client] = await server.connect(1);
  await client.send("create code\ncreate signal\ncreate hang\ncreate well\n");
  assertEquals(await nextRun(program), "mq on: create ID: exit code 7 (TIME); given up");
  assertEquals(await nextRun(program), "mq on: create ID: killed by SIGTERM (TIME); given up");
  assertEquals(await nextRun(program), "mq on: create ID: took longer than 1s and was killed (TIME); given up");
  assertEquals(await nextRun(program), "mq on: create ID: done (TIME)");
  assertEquals(await program.outcome(), { code: 1, stdout: "well\n", stderr: "" });
});

for (
  const [commandLine, why] of [
    [["no-such-program"], 'there is no program "no-such-program"'],
    [["/"], '"/" may not be executed'],
  ] as const
) {
  Deno.test(`mq on reports that ${why}, as the result of the run`, async () => {
    await using server = await startBroker();
    await using program = await startOn(server, "-n 2", ...commandLine);
    const [client] = await server.connect(1);
    await client.send("create\ncreate\n");
    for (let run = 0; run < 2; run++) {
      assertEquals(await nextRun(program), `mq on: create ID: could not be started: ${why} (TIME); given up`);
    }
    assertEquals((await program.outcome()).code, 1);
  });
}

Deno.test("a handler of mq on may ignore its input", async () => {
  await using server = await startBroker();
  await using program = await startOn(server, "-n 1", "true");
  const [client] = await server.connect(1);
  await client.line(`create ${"x".repeat(500_000)}`);
  assertEquals(await nextRun(program), "mq on: create ID: done (TIME)");
});

Deno.test("background processes of a handler of mq on are killed when it ends or times out", async () => {
  await using server = await startBroker();
  const script = 'read -r how; sleep 600 & echo "$! $$"; [ "$how" = well ] || wait';
  await using program = await startOn(server, "-n 2 --timeout 1s", "sh", "-c", script);
  const [client] = await server.connect(1);
  await client.send("create well\ncreate hang\n");
  const pids = [(await program.stdout.next())!, (await program.stdout.next())!].flatMap((line) => line.split(" "));
  assertEquals([pids.length, (await program.outcome()).code], [4, 1]);
  for (const pid of pids) await until(async () => !await runs(pid), `process ${pid} is gone`);
});

Deno.test({
  name: "mq on neither kills nor awaits a process that left the handler's group, even if it holds its output open",
  ignore: !has("setsid"),
  async fn() {
    await using server = await startBroker();
    const leaver = 'setsid sh -c "echo \\$\\$ >&3; echo it has left; exec sleep 30 >&3"';
    await using program = await startOn(server, "-n 1", "sh", "-c", `exec 3>&1; { ${leaver} & } | read -r _`);
    const [client] = await server.connect(1);
    await client.line("create");
    const pid = (await program.stdout.next())!;
    assertEquals(await nextRun(program), "mq on: create ID: done (TIME)");
    assert(await runs(pid), "it did not leave the group");
    Deno.kill(Number(pid), "SIGKILL");
    assertEquals((await program.outcome()).code, 0);
  },
});

Deno.test("mq on --emit publishes what a handler prints, if it succeeds", async () => {
  await using server = await startBroker();
  const script = 'read -r how; printf "{\\n  \\"was\\": \\"%s\\"\\n}\\n" "$how"; [ "$how" = good ]';
  await using program = await startOn(server, "-n 3 --emit update", "sh", "-c", script);
  const [listener] = await server.connect(1);
  await listener.send("/sub update\ncreate good\ncreate bad\ncreate good\n");
  await listener.expect("/ok sub", 'update {"was": "good"}', 'update {"was": "good"}');
  assertEquals((await program.outcome()).stdout, "");
});

Deno.test("mq on --emit-lines publishes an event for each nonempty line", async () => {
  await using server = await startBroker();
  await using program = await startOn(server, "-n 2 --emit update --emit-lines", "sh", "-c", "cat; echo; echo; echo 2");
  const [listener] = await server.connect(1);
  await listener.send("/sub update\ncreate 1\ncreate\n");
  await listener.expect("/ok sub", "update 1", "update 2", "update 2");
  assertEquals((await program.outcome()).code, 0);
});

for (
  const [flags, script, ended] of [
    ["--emit update", "tr '\\0' x < /dev/zero", "more than fits a line of the broker (2000 bytes)"],
    [
      "--emit update --emit-lines",
      "seq 1000; tr '\\0' x < /dev/zero",
      "a line that is longer than the broker accepts (2000 bytes)",
    ],
    ["--emit update --emit-lines", "tr '\\0' '\\n' < /dev/zero", "more than 64MiB, the limit of --emit-lines"],
  ]
) {
  Deno.test(`mq on ${flags} kills a handler that printed ${ended}`, async () => {
    await using server = await startBroker({ limits: { lineBytes: 2000 } });
    await using program = await startOn(server, `-n 1 ${flags}`, "sh", "-c", script);
    const [client] = await server.connect(1);
    await client.line("create");
    assertEquals(await nextRun(program), `mq on: create ID: printed ${ended} (TIME); given up`);
    assertEquals((await program.outcome()).code, 1);
    assertEquals(server.broker.stats().published, 1);
  });
}

for (
  const [flags, script, byte] of [
    ["--emit update", "printf 'caf\\351'", 4],
    ["--emit update", "printf '\\357\\277\\275 \\357\\277'", 5],
    ["--emit update --emit-lines", "echo good; printf '\\303'; printf '\\251\\n'; printf '\\200\\n'", 9],
  ] as const
) {
  Deno.test(`mq on ${flags} publishes nothing of the output of ${script}, which is not UTF-8`, async () => {
    await using server = await startBroker({ events: ["create", "update", "failed"] });
    await using program = await startOn(server, `-n 1 ${flags} --dead failed`, "sh", "-c", script);
    const [listener] = await server.connect(1);
    await listener.send("/sub update failed\ncreate\n");
    await listener.expect("/ok sub");
    const reason = `its output is not UTF-8 (byte ${byte})`;
    assertEquals(await nextRun(program), `mq on: create ID: ${reason} (TIME); published as failed`);
    assertMatch(
      (await listener.lines.next())!,
      new RegExp(`^failed .*"reason":"its output is not UTF-8 .byte ${byte}."}$`),
    );
    assertEquals((await program.outcome()).code, 1);
  });
}

Deno.test("mq on --emit publishes text of any language, without its byte order mark", async () => {
  await using server = await startBroker();
  await using program = await startOn(server, "-n 1 --emit update", "printf", '\\357\\273\\277{"é":"日本"}');
  const [listener] = await server.connect(1);
  await listener.send("/sub update\ncreate\n");
  await listener.expect("/ok sub", 'update {"é":"日本"}');
  assertEquals((await program.outcome()).code, 0);
});

/** Runs `mq on` with a handler for one event; returns what a pipe gets of it, in hexadecimal. */
async function printedBy(flags: string, script: string): Promise<string> {
  await using server = await startBroker({ limits: { lineBytes: 2000 } });
  const dump = ["sh", "-c", '"$@" | od -An -v -tx1', "sh", ...MAIN];
  await using program = await startOnBy(dump, server, `-n 1 ${flags}`, "sh", "-c", script);
  const [client] = await server.connect(1);
  await client.line("create");
  return (await program.outcome()).stdout.replaceAll(/\s+/g, " ").trim();
}

for (const flags of ["", "--concurrency 2"]) {
  Deno.test(`mq on ${flags} copies a handler's output, even if it is not text`.replace("  ", " "), async () => {
    assertEquals(
      await printedBy(flags, "printf 'caf\\351\\0\\r\\n\\303'; printf '\\251\\n'"),
      "63 61 66 e9 00 0d 0a c3 a9 0a",
    );
  });
}

Deno.test("mq on completes an unfinished line only if another handler may write after it", async () => {
  assertEquals(await printedBy("", "printf abc"), "61 62 63");
  assertEquals(await printedBy("--concurrency 2", "printf abc"), "61 62 63 0a");
});

for (const flags of ["", "--concurrency 2"]) {
  Deno.test(`mq on ${flags} copies a line of any length as it is written`.replace("  ", " "), async () => {
    await using server = await startBroker({ limits: { lineBytes: 2000 } });
    const script = "head -c 3000000 /dev/zero | tr '\\0' x; exec sleep 600";
    await using program = await startOn(server, `-n 1 ${flags}`, "sh", "-c", script);
    const [client] = await server.connect(1);
    await client.line("create");
    let length = 0; // The handler is still running.
    while (length < 2_900_000) length += (await program.stdout.chunk())!.length;
  });
}

Deno.test("mq on --dead publishes what finally failed, with its metadata", async () => {
  await using server = await startBroker({ events: ["create", "failed"], limits: { lineBytes: 1000 } });
  await using client = await connect({ hostname: "127.0.0.1", port: server.port, name: "shop" });
  const dead = client.subscribe("failed");
  await using program = await startOn(server, "-n 3 --retry 1 --dead failed", "sh", "-c", "exit 4");
  const long = "x".repeat(900);
  for (const data of [{ id: 1 }, undefined, long]) client.publish("create", data);
  const events: MqEvent[] = [];
  for await (const event of dead) if (events.push(event) === 3) break;
  const told = events.map(({ data }) => data as Record<string, unknown>);
  for (const { id, at, from, event, attempts } of told) {
    assertMatch(`${id} ${at}`, /^[0-9A-Z]{26} \d{4}-\S+Z$/);
    assertEquals([from, event, attempts], ["shop", "create", 2]);
  }
  assertEquals(told.map(({ data }) => data), [{ id: 1 }, null, null]);
  assertEquals(told.map(({ reason }) => reason), ["exit code 4", "exit code 4", "exit code 4; its data is too long"]);
  assertMatch(await program.stderr.find("attempt 2"), /: exit code 4 \(.*\); published as failed$/);
  assertEquals((await program.outcome()).code, 1);
});

const LOOP =
  "not handled: 16 handlers have republished it; if they form a loop, change what one of them subscribes to or publishes";

for (
  const [flag, handler] of [["emit", "cat"], ["emit", "printf 1"], ["dead", "false"]] as const
) {
  Deno.test(`two mq on --${flag} that feed each other with ${handler} stop, and report it`, async () => {
    await using server = await startBroker();
    const at = ["-s", `127.0.0.1:${server.port}`];
    const start = (heard: string, published: string) =>
      new Program(["on", heard, `--${flag}`, published, ...at, "--name", heard, "--", ...handler.split(" ")]);
    await using program = start("create", "update");
    await using other = start("update", "create");
    const isThere = (pattern: string) =>
      server.broker.clients().some(({ name, patterns }) => name === pattern && patterns.includes(pattern));
    await until(() => isThere("create") && isThere("update"), "both are subscribed");
    const [client] = await server.connect(1);
    await client.send("/unsub >\ncreate 1\n");
    assertEquals(withoutIds(await program.stderr.find("not handled")), `mq on: create ID: ${LOOP}`);
    assertEquals(server.broker.stats().published, 17);
    other.kill("SIGINT");
    assertEquals((await other.outcome()).code, 0);
  });
}

Deno.test("a handler of mq on that publishes its own event by mq pub stops, with a record of it", async () => {
  await using server = await startBroker();
  await using program = await startOn(server, "-n 17 --json --dead update", ...MAIN, "pub", "create", "again");
  const [client] = await server.connect(1);
  await client.send("/sub update\ncreate\n");
  await client.expect("/ok sub");
  const { code, stdout } = await program.outcome();
  const runs = stdout.trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(runs.map(({ ok }) => ok), [...Array(16).fill(true), false]);
  const { attempt, ms, ended, next } = runs.at(-1);
  assertEquals([attempt, ms, ended, next, code], [0, 0, LOOP, "given up", 1]);
  assertEquals(server.broker.stats().published, 17); // And no dead letter.
});

Deno.test("mq on handles an event with 15 hops, and sets MQ_HOPS for its handler", async () => {
  await using server = await startBroker();
  await using program = await startOn(server, "-n 2", "sh", "-c", 'echo "$MQ_HOPS"');
  const at = ["-s", `127.0.0.1:${server.port}`];
  assertEquals((await mq(["pub", "create", ...at])).code, 0);
  assertEquals((await mq(["pub", "create", ...at], { env: { MQ_HOPS: "15" } })).code, 0);
  assertEquals(await program.outcome().then(({ code, stdout }) => [code, stdout]), [0, "1\n16\n"]);
});

Deno.test("mq on --json prints a record of each run, and its handlers' output goes to stderr", async () => {
  await using server = await startBroker();
  await using program = await startOn(server, "-n 1 --retry 1 --json", "sh", "-c", "cat; exit 3");
  const [client] = await server.connect(1);
  await client.line('create {"id":1.0}');
  const lines = [(await program.stdout.next())!, (await program.stdout.next())!];
  assert(lines[0].includes('"event":"create","data":{"id":1.0},"attempt":1,'), lines[0]);
  const [first, second] = lines.map((line) => JSON.parse(line));
  assertEquals(Object.keys(first).join(), "id,at,from,event,data,attempt,ms,ok,ended,next");
  assertEquals([first.ok, first.ended, second.attempt, second.next], [false, "exit code 3", 2, "given up"]);
  assertMatch(first.next, /^again in \d+ ms$/);
  assertEquals(await program.outcome(), { code: 1, stdout: "", stderr: '{"id":1.0}\n{"id":1.0}\n' });
});

Deno.test("mq on prints whole lines even if handlers write at the same time and in pieces", async () => {
  await using server = await startBroker();
  const script = "for i in 1 2 3 4 5; do printf a; printf b; printf 'c\\n'; done; printf end";
  await using program = await startOn(server, "-n 20 --concurrency 4", "sh", "-c", script);
  const [client] = await server.connect(1);
  await client.send("create\n".repeat(20));
  const { stdout } = await program.outcome();
  assertEquals(stdout.trim().split("\n").toSorted(), [...Array(100).fill("abc"), ...Array(20).fill("end")]);
});

Deno.test("mq on, interrupted, waits for the running handler and reports what it did not handle", async () => {
  await using server = await startBroker();
  const wait = [...MAIN, "logger", "-n", "1", "update", "-s", `127.0.0.1:${server.port}`];
  await using program = await startOn(server, "", ...wait);
  const [client] = await server.connect(1);
  await client.send("create 1\ncreate 2\ncreate 3\n");
  await until(
    () => server.broker.clients().some(({ name, patterns }) => name === "logger" && patterns.includes("update")),
    "the handler waits for an update",
  );
  program.kill("SIGINT");
  assertEquals(await program.stderr.next(), "mq on: waiting for 1 running command; Ctrl-C again kills it");
  await client.line("update go on");
  assertEquals(await nextRun(program), "mq on: create ID: done (TIME)");
  const outcome = await program.outcome();
  assertEquals(outcome, { code: 0, stdout: "update go on\n", stderr: "mq on: 2 events not handled\n" });
});

Deno.test("mq on, interrupted while it publishes many lines, waits; a second Ctrl-C ends it at once", async () => {
  await using server = await startBroker({ limits: { eventsPerSecond: 100 } });
  await using program = await startOn(server, "--emit update --emit-lines", "seq", "100000");
  const [client] = await server.connect(1);
  await client.line("create");
  await until(() => server.broker.stats().published > 10, "it publishes");
  program.kill("SIGINT");
  assertEquals(await program.stderr.next(), "mq on: waiting for 1 running command; Ctrl-C again kills it");
  await program.insist();
  assertEquals(await program.outcome(), { code: 130, stdout: "", stderr: "" });
});

Deno.test("mq on --emit-lines reports how many of the lines were published if some were refused", async () => {
  const catalog = await parseCatalog('{"create":{},"update":{"schema":{"type":"integer"}}}');
  await using server = await startBroker({ catalog });
  await using program = await startOn(server, "-n 1 --emit update --emit-lines", "printf", "1\\nx\\n3\\ny\\n5\\n");
  const [client] = await server.connect(1);
  await client.line("create");
  const ended = "done, but only 3 of 5 events published: Cannot take update: its data must be integer";
  assertEquals(await nextRun(program), `mq on: create ID: ${ended} (TIME); given up`);
  assertEquals((await program.outcome()).code, 1);
  assertEquals(server.broker.stats().published, 4);
});

Deno.test("mq on --emit-lines publishes more lines than its queue has room for", async () => {
  await using server = await startBroker({ limits: { outboxBytes: 100_000_000 } });
  const script = "seq 20000 | sed 's/$/ '$(head -c 1000 /dev/zero | tr '\\0' x)/"; // The client holds 16 MiB.
  await using program = await startOn(server, "-n 1 --emit update --emit-lines", "sh", "-c", script);
  const [client] = await server.connect(1);
  await client.send("/unsub >\ncreate\n");
  await client.expect("/ok unsub");
  assertEquals(await nextRun(program), "mq on: create ID: done (TIME)");
  assertEquals(server.broker.stats().published, 20_001);
});

Deno.test("mq on, interrupted, abandons pending retries", async () => {
  await using server = await startBroker();
  await using program = await startOn(server, "--retry 100", "false");
  const [client] = await server.connect(1);
  await client.line("create");
  await program.stderr.find("attempt 4"); // The next try is at least a second and a half away, a hundred are an hour.
  program.kill("SIGINT");
  const { code, stderr } = await program.outcome();
  assertEquals([code, stderr.trim().split("\n").at(-1)], [0, "mq on: 1 event not handled"]);
});

Deno.test("mq on without a terminal, as under nohup, continues when one is closed", async () => {
  await using server = await startBroker();
  await using program = await startOn(server, "", "cat");
  const [client] = await server.connect(1);
  for (const data of ["1", "2"]) {
    program.kill("SIGHUP");
    await client.line(`create ${data}`);
    assertEquals(await program.stdout.next(), data);
  }
});

Deno.test("mq on stops its handlers as a pipe would when its output is closed", async () => {
  await using server = await startBroker();
  await using program = await startOn(server, "--timeout 1h", "yes");
  const [client] = await server.connect(1);
  await client.send("/unsub >\ncreate\n");
  assertEquals(await program.stdout.next(), "y");
  await program.breakStdout();
  assertEquals(await program.stderr.next(), "mq on: waiting for 1 running command; Ctrl-C again kills it");
  assertEquals(await nextRun(program), "mq on: create ID: killed by SIGPIPE (TIME); given up");
  const { code, stderr } = await program.outcome();
  assertEquals([code, stderr], [0, ""]);
});

Deno.test("mq on runs the given number of handlers at a time, and a second Ctrl-C kills them at once", async () => {
  await using server = await startBroker();
  await using program = await startOn(server, "--concurrency 2 -n 3", "sh", "-c", 'sleep 600 & echo "$$ $!"; wait');
  const [client] = await server.connect(1);
  await client.send("create\ncreate\ncreate\n");
  const pids = [(await program.stdout.next())!, (await program.stdout.next())!].flatMap((line) => line.split(" "));
  assertEquals((await Promise.all(pids.map(runs))).join(), "true,true,true,true");
  program.kill("SIGINT");
  assertEquals(await program.stderr.next(), "mq on: waiting for 2 running commands; Ctrl-C again kills them");
  await program.insist();
  assertEquals(await program.outcome(), { code: 130, stdout: "", stderr: "" });
  for (const pid of pids) await until(async () => !await runs(pid), `process ${pid} is gone`);
});

Deno.test("mq on reports how many events were dropped because its queue was full", async () => {
  await using server = await startBroker();
  await using client = await connect({ hostname: "127.0.0.1", port: server.port });
  const nothing = () => {};
  const observer = {
    onEnd: nothing,
    onIdle: nothing,
    onRefused: nothing,
    onSlow: nothing,
    onMissed: nothing,
    onError: nothing,
    onDrain: async () => {},
  };
  const waiting = new BufferedSubscription(["create"], { maxWaiting: 2 }, observer);
  for (const id of "12345") waiting.onEvent(new MqEvent("create", "", { id: id.repeat(26), from: "shop" }));
  waiting.finish();
  const flags = parseCommand(on, ["create", "--", "true"]).flags as OnFlags;
  let log = "";
  const output = new Output(sinkTo((text) => log += text), { isTerminal: false });
  const io = {
    stdin: new ReadableStream(),
    stdout: output,
    stderr: output,
    signal: new AbortController().signal,
    env: {},
  };
  const handler = { commandLine: ["true"], env: {}, timeoutMs: flags.timeout };
  const emission = new EmittingRunner(client, handler, flags, io);
  assertEquals(await new Handling(client, emission, { command: "on", ...flags, retry: 0 }, io).run(waiting), 0);
  await output.flush();
  assertEquals(log.trim().split("\n").map(withoutIds), [
    ...Array(2).fill("mq on: create ID: done (TIME)"),
    "mq on: dropped 3 events: they arrive faster than they are handled",
  ]);
});

Deno.test("mq on queues at most 64 MiB behind a slow handler, and reports what it drops", async () => {
  await using server = await startBroker({ limits: { outboxBytes: 200_000_000 } });
  await using program = await startOn(server, "", "sleep", "600");
  const [client] = await server.connect(1);
  await client.send("/unsub >\n");
  for (let event = 0; event < 70; event++) await client.line(`create ${"x".repeat(1_000_000)}`);
  assertMatch((await program.stderr.next())!, /^mq on: dropped \d events?: they arrive faster than they are handled$/);
});

Deno.test("mq on exits 0 on Ctrl-C while it waits for a broker", async () => {
  await using program = new Program(["on", "create", "-s", "127.0.0.1:1", "--", "cat"]);
  assertMatch((await program.stderr.next())!, /^mq on: No broker answers at 127\.0\.0\.1:1; waiting for it/);
  program.kill("SIGINT");
  assertEquals(await program.outcome(), { code: 0, stdout: "", stderr: "" });
});

Deno.test("mq on and its handlers survive a restart of the broker", async () => {
  const events = ["create", "update", "delete"];
  await using server = await startBroker({ events });
  const { port } = server;
  const wait = [...MAIN, "logger", "-n", "1", "delete"];
  await using program = await startOn(server, "-n 1 --emit update", ...wait);
  const [client] = await server.connect(1);
  await client.line("create");
  const isWaiting = ({ name, patterns }: { name: string; patterns: string[] }) =>
    name === "logger" && patterns.includes("delete");
  await until(() => server.broker.clients().some(isWaiting), "the handler waits");
  client.close();
  await server.broker.close();
  await program.stderr.find("lost the connection");
  await using again = new Broker({ events });
  await listenAgain(again, port);
  await until(() => again.clients().some(isWaiting), "the handler is back");
  await using listener = await connect({ hostname: "127.0.0.1", port });
  const updates = listener.subscribe("update");
  await updates.ready;
  listener.publish("delete", "it");
  assertEquals((await updates.next()).value.data, "delete it");
  assertMatch(await program.stderr.find("create"), /done/);
  assertEquals((await program.outcome()).code, 0);
});
