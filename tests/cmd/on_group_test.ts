/** `mq on --group`: the broker keeps what it works on until that is done. */
import { assertEquals, assertMatch } from "@std/assert";
import { LastOutput } from "../../cmd/on/last_output.ts";
import type { Broker } from "../../mod.ts";
import { mq, Program, startBroker, type TestBroker, until } from "../helpers.ts";
import { startStored, tempFolder } from "../store/folder.ts";

const NO_STORE = "Cannot carry out /join: this broker keeps nothing; mq server --store DIR does";

const MISSING = 'mq on: the command could not be started: there is no program "nosuchcmd"; ' +
  "the jobs stay in the group work\n";
const THERE = "mq on: the group work goes on where it was: --since is for a new one\n";

/** Starts `mq on n --group work`, with a shell script as its handler. */
function startMember({ port }: TestBroker, flags: string, script: string): Program {
  const args = flags.split(" ").filter((flag) => flag !== "");
  return new Program(["on", "n", "-s", `127.0.0.1:${port}`, "--group", "work", ...args, "--", "sh", "-c", script]);
}

async function publish(broker: Broker, ...data: number[]): Promise<void> {
  for (const value of data) await broker.publishConfirmed("n", value);
}

/** A line of the log, but for the event's id and how long the run took. */
function withoutIds(line: string | null): string {
  return line!.replaceAll(/[0-9A-Z]{26}/g, "ID").replace(/\([\d.]+ m?s\)/, "(TIME)").replace(/[\d.]+ m?s$/, "DELAY");
}

/** What `/groups` says of the only group, once it has nothing in flight. */
async function settled(server: TestBroker): Promise<string> {
  const [client] = await server.connect(1);
  let counts = "";
  await until(async () => {
    await client.line("/groups");
    const [group] = JSON.parse((await client.lines.find("/ok groups")).slice("/ok groups ".length));
    const { lag, ready, inFlight, delayed, dead } = group;
    counts = `${ready} ready, ${delayed} delayed, ${dead} dead`;
    return lag === 0 && inFlight === 0;
  }, "nothing is in flight");
  client.close();
  return counts;
}

Deno.test("mq on --group retries what fails, and what gave up is kept with its reason and its last output", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  await publish(server.broker, 1, 2);
  const script = "read n; echo done $n; if [ $n = 2 ]; then echo out; echo err >&2; exit 3; fi";
  await using member = startMember(server, "--since first --retry 1 -n 2 --dead gone", script);
  const { code, stdout, stderr } = await member.outcome();
  assertEquals([code, stdout], [1, "done 1\ndone 2\nout\ndone 2\nout\n"]);
  assertEquals(stderr.trimEnd().split("\n").map(withoutIds), [
    "mq on: n ID: done (TIME)",
    "err",
    "mq on: n ID: exit code 3 (TIME); again in DELAY",
    "err",
    "mq on: n ID, attempt 2: exit code 3 (TIME); dead, published as gone: mq dead show work ID",
  ]);
  assertEquals(await settled(server), "0 ready, 0 delayed, 1 dead");
  const [{ why, tries, event }] = server.told("mq.dead");
  assertEquals([tries, event], [2, "n"]);
  assertMatch(String(why), /^exit code 3: /);
  for (const part of ["done 2", "out", "err"]) assertEquals(String(why).includes(part), true, String(why));
});

Deno.test("mq on --group says that --since is for a new group, if the group is there", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  await publish(server.broker, 1, 2);
  const run = async () => {
    await using member = startMember(server, "--since first -n 1", "cat");
    const { stdout, stderr } = await member.outcome();
    return [stdout, ...stderr.trimEnd().split("\n").map(withoutIds)];
  };
  assertEquals(await run(), ["1\n", "mq on: n ID: done (TIME)"]);
  const sentence = "mq on: the group work goes on where it was: --since is for a new one";
  assertEquals(await run(), ["2\n", sentence, "mq on: n ID: done (TIME)"]);
});

Deno.test("mq on --group without such a command says so once, tries no job, and leaves them to others", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  await publish(server.broker, 1, 2, 3);
  const args = ["on", "n", "-s", `127.0.0.1:${server.port}`, "--group", "work", "--since", "all"];
  for (const flags of [["--retry", "0"], ["--retry", "0", "--concurrency", "2"], ["--retry", "0", "--json"]]) {
    assertEquals(await mq([...args, ...flags, "--", "nosuchcmd", "1"]), {
      code: 1,
      stdout: "",
      stderr: flags.includes("--json") || flags.includes("2") ? THERE + MISSING : MISSING,
    });
  }
  const { stdout } = await mq([...args, "-n", "3", "--", "sh", "-c", "cat; echo $MQ_ATTEMPT"]);
  assertEquals(stdout, "1\n1\n2\n1\n3\n1\n");
});

Deno.test("two mq on --group share the work, and one that is killed leaves its job to the other", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const [first, second] = ["first", "second"].map((name) =>
    startMember(server, "", `read n; echo ${name} $n; [ $n = 0 ] && sleep 60; sleep 0.5`)
  );
  await using _first = first;
  await using _second = second;
  await until(() => server.broker.clients().filter(({ name }) => name === "on").length === 2, "both are connected");
  await until(async () => {
    const [client] = await server.connect(1);
    await client.line("/groups");
    const isThere = (await client.lines.find("/ok groups")).includes('"members":["on","on"]');
    client.close();
    return isThere;
  }, "both are members");
  await publish(server.broker, 1, 2);
  const done = [await first.stdout.next(), await second.stdout.next()]; // Each has one: none is done before both begin.
  assertEquals(done.map((line) => line!.split(" ")[1]).toSorted(), ["1", "2"]);
  await publish(server.broker, 0);
  const nexts = [first.stdout.next(), second.stdout.next()];
  const stuck = await Promise.race(nexts);
  const [killed, other] = stuck === "first 0" ? [first, nexts[1]] : [second, nexts[0]];
  Deno.kill(-killed.pid, "SIGKILL");
  assertEquals(await other, stuck === "first 0" ? "second 0" : "first 0");
});

Deno.test("mq on --group, interrupted, finishes what runs and leaves the rest to others", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  await publish(server.broker, 1, 2, 3);
  await using member = startMember(server, "--since first", "read n; echo begun $n; sleep 0.3; echo done $n");
  assertEquals(await member.stdout.next(), "begun 1");
  member.kill("SIGINT");
  const { code, stdout } = await member.outcome();
  assertEquals([code, stdout], [0, "done 1\n"]);
  await using other = startMember(server, "-n 2", "cat");
  const { stdout: rest } = await other.outcome();
  assertEquals(rest, "2\n3\n");
});

Deno.test("mq on --group --emit publishes the output, with --json each run is told", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const [listener] = await server.connect(1);
  await listener.line("/sub out");
  await listener.lines.find("/ok sub");
  await publish(server.broker, 7);
  await using member = startMember(server, "--since first --emit out --json -n 1", "read n; echo $((n * 6))");
  const { code, stdout } = await member.outcome();
  const { event, data, attempt, ok, ended, next } = JSON.parse(stdout);
  assertEquals([code, event, data, attempt, ok, ended, next], [0, "n", 7, 1, true, "done", null]);
  assertEquals(await listener.lines.next(), "out 42");
});

Deno.test("mq on --group says once why the broker refuses it, and exits with 1, also after a reconnect", async () => {
  await using folder = tempFolder();
  const first = await startStored(folder);
  const { port } = first;
  await using member = startMember(first, "", "cat");
  await until(async () => (await first.broker.describeStore())?.groups.length === 1, "it has joined");
  const other = await mq(["on", "other", "-s", `127.0.0.1:${port}`, "--group", "work", "--", "cat"]);
  assertEquals([other.code, other.stderr.split("Cannot join").length], [1, 2]);
  await first[Symbol.asyncDispose]();
  await using bare = await startBroker({ events: ["n"] });
  await bare.broker.listen({ hostname: "127.0.0.1", port });
  const { code, stderr } = await member.outcome();
  const [reason, ...more] = stderr.trimEnd().split("\n").filter((line) => line.includes("/join"));
  assertEquals([code, reason, more], [1, `mq on: ${NO_STORE}`, []]);
});

Deno.test("mq on --group warns of events that the broker does not store", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder, { keep: ["order.>"] });
  await using member = startMember(server, "", "cat");
  assertEquals(
    await member.stderr.find("stores"),
    'mq on: the broker stores no event that "n" matches; it stores order.>',
  );
});

Deno.test("mq on --group needs a broker with a store, and flags that go together", async () => {
  await using server = await startBroker({ events: ["n"] });
  const at = `127.0.0.1:${server.port}`;
  const refused = await mq(["on", "n", "-s", at, "--group", "work", "--", "cat"]);
  const start = `mq server --host 127.0.0.1 --port ${server.port} --store DIR`;
  assertEquals(refused, {
    code: 1,
    stdout: "",
    stderr: `mq on: The broker at ${at} keeps no events; to have it keep them, start it with: ${start}\n`,
  });
  for (const since of ["1h", "all"]) {
    assertEquals(await mq(["on", "n", "-s", at, "--since", since, "--", "cat"]), {
      code: 2,
      stdout: "",
      stderr: `mq on: --since needs --group\nTry: mq on create --group work --since ${since} -- cat\n`,
    });
  }
  const name = await mq(["on", "n", "-s", at, "--group", "a.b", "--", "cat"]);
  assertEquals([name.code, name.stderr.split("\n")[0]], [
    2,
    'mq on: --group takes 1 to 64 letters, digits, _ and -, not "a.b"',
  ]);
});

Deno.test("LastOutput keeps the end of what passes, and no half of a character", () => {
  const passed: number[] = [];
  const last = new LastOutput();
  const output = last.through({ take: ({ length }) => void passed.push(length), end: () => {}, isClosed: false });
  for (let round = 0; round < 700; round++) output.take(new TextEncoder().encode("ü€"));
  assertEquals(passed.length, 700);
  assertEquals(/^[ü€]+$/.test(last.text), true);
  assertEquals(last.text.length > 600, true);
});
