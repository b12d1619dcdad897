/** What shells may offer: from the table of commands, from the broker, and through the scripts of the three shells. */
import { assert, assertEquals } from "@std/assert";
import {
  eventCandidates,
  groupCandidates,
  jobCandidates,
  type Offer,
  offerAt,
} from "../../cmd/completion/candidates.ts";
import { type Command, defineCommand, flagsOf, option, toggle } from "../../cmd/command.ts";
import { commandOf, loadAll, wordsOf } from "../../cmd/commands.ts";
import { printable } from "../../cmd/shared/format.ts";
import { has, mq, Program, programLine, startBroker } from "../helpers.ts";
import { startStored, tempFolder } from "../store/folder.ts";

const COMMANDS = await loadAll();

/** What may be offered at the end of a command line, or where a | stands in it. */
function offer(line: string, commands: readonly Command[] = COMMANDS): Offer {
  const [before, after = ""] = line.split("|");
  const words = before.split(" ");
  const index = words.length - 1;
  const called = commandOf(commands, words.slice(0, index));
  return offerAt([...words, ...after.split(" ").filter((word) => word !== "")], index, commands, called);
}

/** The words among them, if it is the table that knows them. */
function words(line: string, commands?: readonly Command[]): string[] {
  const found = offer(line, commands);
  assert(found.from === "table", JSON.stringify(found));
  return found.candidates.map(({ word }) => word);
}

/** A command as another table might have it. */
const ON = defineCommand({
  name: "on",
  summary: "runs a command for each event",
  description: "",
  operands: { form: "PATTERN...", min: 1, max: Infinity },
  flags: {
    emit: option("NAME", "Publish what it prints.", (text) => text),
    log: option("text|json", "How it logs.", (text) => text),
    quiet: toggle("Say nothing.", { short: "q" }),
  },
  examples: [],
  permissions: [],
  run: () => Promise.resolve(0),
});

Deno.test("offerAt offers every command, and the subcommands of those that have them", () => {
  const first = [...new Set(COMMANDS.map((command) => wordsOf(command)[0]))];
  assertEquals(words(""), [...first, "help"]);
  assertEquals(words("help "), first);
  assertEquals(words("-"), ["--help", "--version"]);
  const second = COMMANDS.map(wordsOf).filter(([word]) => word === "bench").map(([, word]) => word);
  assertEquals(words("bench "), second);
  assertEquals(words("help bench "), second);
  assertEquals(words("bench l"), ["latency"]);
  assertEquals(words("frobnicate "), []);
  assertEquals(words("complet"), ["completions"]);
});

Deno.test("offerAt gives a command's summary, and a group's members", () => {
  const { candidates } = offer("b") as Extract<Offer, { from: "table" }>;
  assertEquals(candidates, [{ word: "bench", help: "throughput, latency, connect" }]);
  const [{ summary }] = COMMANDS;
  assertEquals(offer("serv"), { from: "table", candidates: [{ word: "server", help: summary }] });
});

for (const command of COMMANDS) {
  Deno.test(`offerAt offers each flag of mq ${command.name} with its help until it is given`, () => {
    const flags = flagsOf(command);
    for (const [name, { help, short, placeholder }] of Object.entries(flags)) {
      const { candidates } = offer(`${command.name} --${name}`) as Extract<Offer, { from: "table" }>;
      assertEquals(candidates.filter(({ word }) => word === `--${name}`), [{ word: `--${name}`, help }]);
      const given = placeholder === undefined ? "" : " x";
      const others = Object.keys(flags).filter((other) => other !== name).map((other) => `--${other}`);
      for (const spelling of [`--${name}${given}`, ...short ? [`-${short}${given}`] : []]) {
        assertEquals(words(`${command.name} ${spelling} --`), others);
        assertEquals(words(`${command.name} --| ${spelling}`), others);
      }
      if (short) assertEquals(words(`${command.name} -${short}`), [`-${short}`]);
    }
  });
}

Deno.test("offerAt offers the values that a flag or an operand takes", () => {
  assertEquals(words("server --slow "), ["disconnect", "drop"]);
  assertEquals(words("server --slow=dr"), ["--slow=drop"]);
  assertEquals(words("top --sort d"), ["delivered", "dropped"]);
  assertEquals(words("completions "), ["bash", "zsh", "fish"]);
  assertEquals(words("on --log j", [ON]), ["json"]);
  assertEquals(words("server --port "), []);
  assertEquals(words("pub create "), []);
});

Deno.test("offerAt leaves files, and everything after --, to the shell", () => {
  const lines = ["logger --tls-ca ", "logger --tls-ca=cert", "server --token-file t", "server --store d"];
  for (const line of [...lines, "store check ", "store export d"]) {
    assertEquals(offer(line), { from: "shell", what: "files" }, line);
  }
  assertEquals(offer("on create -- ", [ON]), { from: "shell", what: "commands" });
  assertEquals(offer("on create -- se", [ON]), { from: "shell", what: "commands" });
  assertEquals(offer("on create -- ls -", [ON]), { from: "shell", what: "files" });
});

Deno.test("offerAt takes names and patterns from the broker on the command line", () => {
  const asked = (patterns: boolean, text: string, prefix = "", server?: string): Offer => {
    return { from: "broker", server, patterns, typed: { prefix, text } };
  };
  assertEquals(offer("pub cr"), asked(false, "cr"));
  assertEquals(offer("logger create "), asked(true, ""));
  assertEquals(offer("on a b ", [ON]), asked(true, ""));
  assertEquals(offer("on --emit x", [ON]), asked(false, "x"));
  assertEquals(offer("on --emit=x", [ON]), asked(false, "x", "--emit="));
  assertEquals(offer("app --events a,b"), asked(false, "b", "a,"));
  assertEquals(offer("pub -s :4000 "), asked(false, "", "", ":4000"));
  assertEquals(offer("pub -s:4000 "), asked(false, "", "", ":4000"));
  assertEquals(offer("pub --server=:4000 "), asked(false, "", "", ":4000"));
  assertEquals(offer("pub | -s :4000"), asked(false, "", "", ":4000"));
  assertEquals(offer("logger --name ").from, "table"); // The name of a client is not one of an event.
});

Deno.test("offerAt takes the names of groups from the broker on the command line", () => {
  const groups = (text: string, server?: string): Offer => ({ from: "groups", server, typed: { prefix: "", text } });
  assertEquals(offer("dead list "), groups(""));
  assertEquals(offer("dead show ma"), groups("ma"));
  assertEquals(offer("dead purge -s :4000 "), groups("", ":4000"));
  assertEquals(offer("groups forget m| -s :4000"), groups("m", ":4000"));
  assertEquals(offer("on create --group "), groups(""));
  const typed = { prefix: "--group=", text: "p" };
  assertEquals(offer("on create --group=p"), { from: "groups", server: undefined, typed });
});

Deno.test("offerAt offers the word that --since takes, and none for --until", () => {
  for (const command of ["log", "logger", "on create"]) assertEquals(words(`${command} --since `), ["all"]);
  assertEquals([words("log --since=a"), words("log --since 1"), words("log --until ")], [["--since=all"], [], []]);
});

Deno.test("offerAt takes the ids of a group's dead jobs from the broker on the command line", () => {
  const jobs = (text: string, server?: string): Offer => {
    return { from: "jobs", server, group: "mail", typed: { prefix: "", text } };
  };
  assertEquals(offer("dead show mail "), jobs(""));
  assertEquals(offer("dead kick mail 01JD3K5E8Q5V1M4S3R6T7W8X9Y 01"), jobs("01"));
  assertEquals(offer("dead kick -s :4000 mail 01"), jobs("01", ":4000"));
  assertEquals(words("cancel "), []);
  assertEquals(words("dead show mail 01JD3K5E8Q5V1M4S3R6T7W8X9Y ").includes("--json"), true);
});

Deno.test("jobCandidates are ids, each with its event and the first line of its reason", () => {
  const job = { id: "01JD3K5E8Q5V1M4S3R6T7W8X9Y", from: "shop", event: "order", data: "tea", tries: 3 };
  const jobs = [{ ...job, why: "no\ttea\u001b | at all" }, { ...job, id: "$(touch x)" }, { ...job, id: job.id + "1" }];
  const typed = { prefix: "", text: "01J" };
  const candidates = jobCandidates({ from: "jobs", server: undefined, group: "mail", typed }, jobs);
  assertEquals(candidates, [{ word: job.id, help: `order: ${printable("no\ttea\u001b")}` }]);
  assert(!/\p{Cc}/u.test(candidates[0].help));
});

Deno.test("offerAt offers a command's own flags, and the words with which its name goes on", () => {
  assertEquals(words("groups f"), ["forget"]);
  assertEquals(words("groups ").includes("forget"), true);
  assertEquals(words("groups --j"), ["--json"]);
  assertEquals(words("groups --json f"), []);
  assertEquals(offer("groups forget "), { from: "groups", server: undefined, typed: { prefix: "", text: "" } });
  assertEquals(words("help groups "), ["forget"]);
});

Deno.test("groupCandidates are names without characters special to a shell or to mq", () => {
  const groups = ["mail", "mail-2", "-n", "a b", "$(touch x)", "é", "pay"];
  const of = (text: string) =>
    groupCandidates({ from: "groups", server: undefined, typed: { prefix: "", text } }, groups).map(({ word }) => word);
  assertEquals([of(""), of("m")], [["mail", "mail-2", "pay"], ["mail", "mail-2"]]);
});

Deno.test("offerAt offers flags after the last operand, and operands after unknown flags", () => {
  assertEquals(words("demo "), ["--for", "--web", "--help"]);
  assertEquals(words("on --quiet --frobnicate -", [ON]), ["--emit", "--log", "--help", "-h"]);
  assertEquals(words("demo now"), []);
});

Deno.test("eventCandidates are names or patterns without characters special to a shell or to mq", () => {
  const events = [
    "create",
    "order.*",
    "order.paid",
    ">",
    "$(touch x)",
    "`x`",
    "a\nb",
    "--tls-ca",
    "-n",
    "",
    "a b",
    "é",
  ];
  const typed = { prefix: "", text: "" };
  const of = (patterns: boolean, more = typed) =>
    eventCandidates({ from: "broker", server: undefined, patterns, typed: more }, events).map(({ word }) => word);
  assertEquals(of(false), ["create", "order.paid", "é"]);
  assertEquals(of(true), ["create", "order.*", "order.paid", ">", "é"]);
  assertEquals(of(true, { prefix: "--events=create,", text: "o" }), [
    "--events=create,order.*",
    "--events=create,order.paid",
  ]);
});

/** A broker on a busy machine may need longer than somebody at a prompt would wait. */
const PATIENTLY = ["complete", "--limit", "20s"];

Deno.test("mq complete asks the broker for its recognized events", async () => {
  await using server = await startBroker({ events: ["create", "order.*"] });
  const at = `127.0.0.1:${server.port}`;
  const ask = async (args: string[], env = {}) => await mq([...PATIENTLY, "--", ...args], { env });
  const answer = { code: 0, stdout: "create\tevent\norder.*\tevents\n", stderr: "" };
  assertEquals(await ask(["1", "logger", ""], { MQ_URL: `mq://${at}` }), answer);
  assertEquals(await ask(["1", "logger", "", "-s", at]), answer);
  assertEquals(await ask(["3", "pub", "-s", at, ""]), { ...answer, stdout: "create\tevent\n" });
});

Deno.test("mq complete asks the broker for its groups, and for the dead jobs of one", async () => {
  await using folder = tempFolder();
  await using server = await startStored(folder);
  const [member] = await server.connect(1);
  await member.line("/unsub >", "/join mail create");
  await member.lines.find("/ok join");
  const { id } = await server.broker.publishConfirmed("create", 1);
  await member.lines.find("/job 1");
  await member.line("/bury 1 no address | at all");
  await member.lines.find("/ok bury");
  const ask = async (...words: string[]) => {
    return await mq([...PATIENTLY, "--", String(words.length - 1), ...words], { env: { MQ_URL: `:${server.port}` } });
  };
  assertEquals(await ask("dead", "list", ""), { code: 0, stdout: "mail\tgroup\n", stderr: "" });
  const answer = { code: 0, stdout: `${id}\tcreate: no address\n`, stderr: "" };
  assertEquals(await ask("dead", "show", "mail", ""), answer);
  assertEquals(await ask("dead", "kick", "mail", id.slice(0, 5)), answer);
  for (const group of ["other", "$(x)"]) assertEquals((await ask("dead", "kick", group, "")).stdout, "");
});

Deno.test("mq complete prints nothing if the broker cannot be reached or does not respond", async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 }); // It never says a word.
  for (const address of [`127.0.0.1:${silent.addr.port}`, "127.0.0.1:1", "http://here", "mqs://127.0.0.1:1", ""]) {
    const outcome = await mq(["complete", "--", "3", "logger", "-s", address, ""], { env: { MQ_URL: "127.0.0.1:1" } });
    assertEquals(outcome, { code: 0, stdout: "", stderr: "" }, address);
  }
});

/** What the shells' function `mq` does: the scripts call `mq complete`, which is given time here. */
const RUN_MQ = [...programLine(), ...PATIENTLY].map((word) => `'${word}'`).join(" ");

/** How a shell is given a command line, and what it makes of a candidate. */
interface Shell {
  readonly name: string;
  /** Has a function `mq` do what is given with its arguments but the first, which is always the same. */
  define(body: string): string;
  /** Prints the candidates for a command line in $1, or in $argv[1]; or `files` or `commands`. */
  readonly driver: string;
  /** A candidate as the shell gets it. */
  shown(word: string, help: string): string;
}

const SHELLS: Shell[] = [
  {
    name: "bash",
    define: (body) => `mq() { shift; ${body} "$@"; }`,
    driver: `
      compopt() { echo files; }
      compgen() { echo commands; }
      COMP_LINE=$1 COMP_POINT=\${#1}
      _mq
      printf '%s\\n' "\${COMPREPLY[@]}"`,
    shown: (word) => word.replace(/[^\p{L}\d_.=,-]/gu, "\\$&"),
  },
  {
    name: "zsh",
    define: (body) => `compdef() {}; mq() { shift; ${body} "$@"; }`,
    driver: `
      _describe() { print -rl -- "\${(@P)2}"; }
      _files() { print files; }
      _command_names() { print commands; }
      compset() {}
      words=("\${(@s: :)1}") CURRENT=$#words PREFIX=$words[-1]
      _mq`,
    shown: (word, help) => `${word}:${help}`,
  },
  {
    name: "fish",
    define: (body) => `function mq; ${body} $argv[2..]; end`,
    driver: `
      function __fish_complete_path; echo files; end
      function __fish_complete_command; echo commands; end
      complete -C $argv[1]`,
    shown: (word, help) => `${word}${help && "\t"}${help}`,
  },
];

/** What a shell offers for a command line. */
async function offered(
  { name, define, driver }: Shell,
  line: string,
  body: string = RUN_MQ,
  url = "",
): Promise<string[]> {
  const { stdout: script } = await mq(["completions", name]);
  const source = [define(body), script, driver].join("\n");
  const args = name === "fish" ? ["--no-config", "-c", source, line] : ["-c", source, name, line];
  await using shell = new Program(args, { MQ_URL: url, LC_ALL: "C.UTF-8" }, [name]);
  const { stdout, stderr } = await shell.outcome();
  assertEquals(stderr, "");
  return stdout.split("\n").filter((word) => word !== "");
}

for (const shell of SHELLS) {
  const test = (what: string, fn: () => Promise<void>) =>
    Deno.test({ name: `in ${shell.name}, ${what}`, ignore: !has(shell.name), fn });

  test("commands, flags and words are offered", async () => {
    const summary = (name: string) => COMMANDS.find((command) => command.name === name)!.summary;
    assertEquals(await offered(shell, "mq logg"), [shell.shown("logger", summary("logger"))]);
    assertEquals(await offered(shell, "mq bench t"), [shell.shown("throughput", summary("bench throughput"))]);
    assertEquals(
      await offered(shell, "mq server --slow d"),
      ["disconnect", "drop"].map((word) => shell.shown(word, "")),
    );
    assertEquals(await offered(shell, "mq demo --f"), [shell.shown("--for", "Exit after that time.")]);
  });

  test("the events of the broker are offered, in its own quoting", async () => {
    await using server = await startBroker({ events: ["create", "order.*", ">", "注文"] });
    const url = `mq://127.0.0.1:${server.port}`;
    const expected = [["create", "event"], ["order.*", "events"], [">", "events"], ["注文", "event"]];
    const found = await offered(shell, "mq logger ", RUN_MQ, url);
    assertEquals(found.sort(), expected.map(([word, help]) => shell.shown(word, help)).sort());
  });

  test("files and commands are left to the shell", async () => {
    assert((await offered(shell, "mq logger --tls-ca f")).includes("files"));
    assert((await offered(shell, "mq pub create -- c")).includes("commands"));
  });

  test("candidates are treated as data, whatever characters they have", async () => {
    const bad = [
      "$(echo run >&2)",
      "`echo run >&2`",
      "$HOME",
      "*",
      "'; echo run >&2; '",
      "a b",
      "~",
      "\\$(echo run >&2)",
    ];
    const body = `printf '%s\\tthe help\\n' ${bad.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ")}; true`;
    const found = await offered(shell, "mq logger ", body);
    assertEquals(found.sort(), bad.map((word) => shell.shown(word, "the help")).sort());
  });
}
