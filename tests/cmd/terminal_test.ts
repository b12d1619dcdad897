/** The programs as a person sees them: in real terminals. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { setColorEnabled } from "@std/fmt/colors";
import { helpOf } from "../../cmd/shared/command_help.ts";
import { HELP_COLUMNS } from "../../cmd/shared/help_layout.ts";
import { helpOfAll } from "../../cmd/help.ts";
import { on } from "../../cmd/on.ts";
import { drawWhy } from "../../cmd/why/drawing.ts";
import { has, Program, programLine, RawClient, startBroker, until } from "../helpers.ts";
import { startStored, tempFolder } from "../store/folder.ts";
import { fillStore } from "./shared/filled_store.ts";

setColorEnabled(false);

/** Terminals of tmux, each with one command, on a tmux server of their own. */
class Terminals implements AsyncDisposable {
  readonly #socket = `mq-test-${crypto.randomUUID()}`;
  /** How wide those are that are opened from now on. */
  columns = 150;

  /** Opens a terminal with a command in it, in an empty environment. */
  async open(name: string, ...args: string[]): Promise<void> {
    const home = Deno.env.get("HOME") ?? "/";
    const env = ["env", "-i", `HOME=${home}`, "TERM=xterm-256color", "LANG=C.UTF-8", "DENO_TLS_CA_STORE=system"];
    const size = ["-x", String(this.columns), "-y", "50"];
    await this.#tmux(
      ...["-f", "/dev/null", "start-server"],
      ...[";", "set-option", "-wg", "remain-on-exit", "on"], // Before the command, which may end at once.
      ...[";", "new-session", "-d", ...size, "-s", name, "--", ...env, ...args],
    );
  }

  /** Opens a terminal with a broker in it; returns where that is. */
  async openServer(...args: string[]): Promise<string> {
    await this.open("server", ...args, "server", "--port", "0");
    const [address] = /localhost:\d+/.exec(await this.shows("server", /localhost:\d+/))!;
    return address;
  }

  /** What a terminal shows and has shown: when its command ends, tmux scrolls by a line. `-e` is with colours. */
  screen(name: string, ...flags: string[]): Promise<string> {
    return this.#tmux("capture-pane", "-p", "-S", "-", ...flags, "-t", name);
  }

  /** Waits until a terminal shows a text; returns all it shows. */
  async shows(name: string, text: string | RegExp, ...flags: string[]): Promise<string> {
    let screen = "";
    try {
      await until(async () => (screen = await this.screen(name, ...flags)).search(text) >= 0, `${name} shows ${text}`);
    } catch (error) {
      throw new Error(`${(error as Error).message}; it shows:\n${screen}`);
    }
    return screen;
  }

  async type(name: string, ...keys: string[]): Promise<void> {
    await this.#tmux("send-keys", "-t", name, "--", ...keys);
  }

  /** What tmux knows of a terminal, as its formats name it. */
  async state(name: string, format: string): Promise<string> {
    return (await this.#tmux("display-message", "-p", "-t", name, format)).trim();
  }

  async resize(name: string, columns: number, rows: number): Promise<void> {
    await this.#tmux("resize-window", "-t", name, "-x", String(columns), "-y", String(rows));
  }

  /** Closes a terminal, as who closes its window does. */
  async close(name: string): Promise<void> {
    await this.#tmux("kill-session", "-t", name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tmux("kill-server");
  }

  async #tmux(...args: string[]): Promise<string> {
    await using tmux = new Program(["-L", this.#socket, ...args], { LANG: "C.UTF-8" }, ["tmux"]);
    return (await tmux.outcome()).stdout;
  }
}

/** The lines of a screen that hold an event of mq app, without their times. */
function events(screen: string): string[] {
  return [...screen.matchAll(/^\d\d:\d\d:\d\d {2}(?:app {2})?(\w+ .*?)\s*$/gm)].map(([, event]) => event);
}

Deno.test({
  name: "in three terminals, the logger shows exactly what the app publishes and the server recognizes",
  ignore: !has("tmux"),
  async fn() {
    await using terminals = new Terminals();
    const mq = programLine();
    const address = await terminals.openServer(...mq);
    await terminals.open("logger", ...mq, "logger", "-s", address);
    await terminals.shows("server", "is logger");
    await terminals.open("app", ...mq, "app", "-s", address, "--seed", "3", "--every", "20ms", "--count", "15");
    const app = await terminals.shows("app", "15 events sent");
    const server = await terminals.shows("server", "- app disconnected");

    const published = events(app);
    const recognized = published.filter((event) => /^(create|read|update|delete|error) /.test(event));
    const unrecognized = published.filter((event) => /^(archive|login) /.test(event));
    assertEquals([published.length, recognized.length, unrecognized.length], [15, 9, 6], app);
    const logger = await terminals.shows("logger", recognized.at(-1)!.replace(/[[\]{}()*+?.\\^$|]/g, "\\$&"));
    assertEquals(events(logger), recognized);
    assertMatch(server, /! app: "archive" is not recognized/);
    assertMatch(server, /! app: "login" is not recognized/);
    assertMatch(app, /15 events sent, 6 of them not recognized/);
  },
});

for (const columns of [40, 60, 80, 120, 200]) {
  Deno.test({
    name: `on a terminal of ${columns} columns, help and the drawing of mq why fit`,
    ignore: !has("tmux"),
    async fn() {
      await using server = await startBroker();
      const [wide] = await server.connect(1);
      await wide.ask('/hello {"name":"記録係の記録係"}');
      const drawing = drawWhy(server.broker.explainRouting("create"), [], 20, columns);
      await using terminals = new Terminals();
      terminals.columns = columns;
      const mq = programLine();
      await terminals.open("all", ...mq, "help");
      await terminals.open("help", ...mq, "help", "on");
      await terminals.open("why", ...mq, "why", "create", "-s", `127.0.0.1:${server.port}`);
      const width = Math.min(columns, HELP_COLUMNS);
      const shows = async (name: string, text: string) =>
        assertStringIncludes(await terminals.shows(name, text.split("\n").at(-1)!.trim()), text);
      await shows("all", helpOfAll(width));
      await shows("help", helpOf(on, width));
      await shows("why", drawing);
    },
  });
}

for (const [variable, isColoured] of [["NO_COLOR=", true], ["NO_COLOR=1", false]] as const) {
  Deno.test({
    name: `on a terminal, mq logger ${isColoured ? "is coloured" : "obeys NO_COLOR"}`,
    ignore: !has("tmux"),
    async fn() {
      await using terminals = new Terminals();
      const mq = programLine();
      const address = await terminals.openServer(...mq);
      await terminals.open("logger", "env", variable, ...mq, "logger", "-s", address);
      await terminals.shows("server", "is logger");
      await using pub = new Program(["pub", "error", "disk full", "-s", address]);
      assertEquals((await pub.outcome()).code, 0);
      const screen = await terminals.shows("logger", "disk full", "-e");
      assertEquals(screen.includes("\x1b["), isColoured, JSON.stringify(screen));
    },
  });
}

for (const [variable, isColoured] of [["NO_COLOR=", true], ["NO_COLOR=1", false]] as const) {
  Deno.test({
    name: `on a terminal, mq why ${isColoured ? "is coloured" : "obeys NO_COLOR"}`,
    ignore: !has("tmux"),
    async fn() {
      await using terminals = new Terminals();
      const mq = programLine();
      const address = await terminals.openServer(...mq);
      await terminals.open("why", "env", variable, ...mq, "why", "create", "-s", address);
      const screen = await terminals.shows("why", /0 of 0 connections/, "-e");
      assertEquals(screen.includes("\x1b[32m"), isColoured, JSON.stringify(screen));
    },
  });
}

/** What a command writes to a terminal that is described by some variables: every byte of it, until it shows a text. */
async function written(env: Record<string, string>, args: string[], shown: string): Promise<string> {
  const line = [...programLine(), ...args].map((word) => `'${word}'`).join(" ");
  await using program = new Program(["-qec", line, "/dev/null"], env, ["script"]);
  const lines: string[] = [];
  for (let line = await program.stdout.next(); line !== null; line = await program.stdout.next()) {
    lines.push(line);
    if (line.includes(shown)) break;
  }
  assertStringIncludes(lines.join("\n"), shown);
  return lines.join("\n");
}

for (
  const [command, shown] of [
    ["server --port 0", "Ctrl-C"],
    ["logger --wait 300ms -s BROKER", "Ctrl-C"],
    ["app --count 1 -s BROKER", "1 event sent"],
    ["pub create -s BROKER", "nobody received"],
    ["events create -s BROKER", "create"],
    ["why create -s BROKER", "0 of 0 connections"],
    ["top --every 20ms -s BROKER", "name"],
    ["bench connect --msgs 10", "load generator"],
    ["demo --for 1s", "is logger"],
    ["help server", "Examples"],
  ]
) {
  Deno.test({
    name: `mq ${command} writes plain text to a dumb terminal, and no colours with NO_COLOR`,
    ignore: !has("script"),
    async fn() {
      await using server = await startBroker();
      const args = command.replace("BROKER", `127.0.0.1:${server.port}`).split(" ");
      const dumb = await written({ TERM: "dumb" }, args, shown);
      assertEquals(dumb.split("\x1b").length, 1, JSON.stringify(dumb));
      const plain = await written({ TERM: "xterm", NO_COLOR: "1" }, args, shown);
      // deno-lint-ignore no-control-regex -- It is what a terminal obeys.
      assertEquals(plain.match(/\x1b\[[\d;]*m/), null);
    },
  });
}

/** How each shell is started without what its user has it read, and has mq's completions. */
const SHELLS = [
  { name: "bash", args: ["--noprofile", "--norc"], install: "source <(mq completions bash)" },
  { name: "zsh", args: ["-f"], install: "autoload -U compinit; compinit -D; source <(mq completions zsh)" },
  { name: "fish", args: ["--no-config"], install: "mq completions fish | source" },
];

for (const { name, args, install } of SHELLS) {
  Deno.test({
    name: `on a terminal, TAB completes commands of mq and the broker's events in ${name}`,
    ignore: !has("tmux") || !has(name),
    async fn() {
      await using server = await startBroker({ events: ["order.*.paid"] });
      await using terminals = new Terminals();
      const call = programLine().map((word) => `'${word}'`).join(" ");
      const [all, rest] = name === "fish" ? ["$argv", "$argv[2..]"] : ['"$@"', '"${@:2}"'];
      const define = (body: string) => name === "fish" ? `function mq; ${body}; end` : `mq() { ${body}; }`;
      const patient = define(`${call} complete --limit 20s ${rest}`); // The machine may be busy.
      await terminals.open(name, name, ...args);
      await terminals.shows(name, /[$%>#]/); // Its prompt.
      const lines = [define(`${call} ${all}`), install, patient, "echo ready | tr a-z A-Z"];
      for (const line of lines) await terminals.type(name, line, "Enter");
      await terminals.shows(name, "READY");
      await terminals.type(name, "mq logg", "Tab");
      await terminals.shows(name, /mq logger$/m);
      await terminals.type(name, `-s 127.0.0.1:${server.port} or`, "Tab");
      await terminals.shows(name, /mq logger -s \S+ order\.\\\*\.paid$/m);
    },
  });
}

Deno.test({
  name: "on a terminal, mq dead purge asks, and mq groups shows what is left",
  ignore: !has("tmux"),
  async fn() {
    await using folder = tempFolder();
    await using server = await startStored(folder);
    await fillStore(server.port);
    await using terminals = new Terminals();
    terminals.columns = 60;
    const at = ["-s", `127.0.0.1:${server.port}`];
    const shell = ["sh", "-c", `trap : INT; "$@"; echo "exit $?"`, "sh", ...programLine()];
    const purge = async (name: string, key: string, then: RegExp) => {
      await terminals.open(name, ...shell, "dead", "purge", "mail", ...at);
      await terminals.shows(name, /Discard 1 dead job of mail\? \[y\/N\]/);
      await terminals.type(name, key, ...key === "C-c" ? [] : ["Enter"]);
      await terminals.shows(name, then);
    };
    const refused = /mq dead purge: Nothing was discarded\nexit 1/;
    await purge("no", "n", refused);
    await purge("interrupted", "C-c", refused);
    await terminals.open("before", ...shell, "groups", ...at);
    await terminals.shows("before", /^mail +0 +0 +0 +0 +0 +1/m);
    await purge("yes", "y", /1 dead job of mail discarded\nexit 0/);
    await terminals.open("after", ...shell, "groups", ...at);
    await terminals.shows("after", /^mail +0 +0 +0 +0 +0 +0/m);
  },
});

Deno.test({
  name: "on a terminal, Ctrl-C ends each program with exit code 0",
  ignore: !has("tmux"),
  async fn() {
    await using terminals = new Terminals();
    const mq = programLine();
    const shell = ["sh", "-c", `trap : INT; "$@"; echo "exit $?"`, "sh", ...mq];
    const address = await terminals.openServer(...shell);
    await terminals.open("logger", ...shell, "logger", "-s", address);
    await terminals.open("app", ...shell, "app", "-s", address);
    await terminals.shows("server", "is app");
    await terminals.shows("server", "is logger");
    for (const name of ["app", "logger", "server"]) {
      await terminals.type(name, "C-c");
      const screen = await terminals.shows(name, /exit \d/);
      assert(screen.includes("exit 0"), screen);
    }
  },
});

Deno.test({
  name: "on a terminal, Ctrl-C reaches mq on but not its handlers, and both end with their terminal",
  ignore: !has("tmux") || !has("pgrep"),
  async fn() {
    await using terminals = new Terminals();
    const mq = programLine();
    const address = await terminals.openServer(...mq);
    const marker = `600.${crypto.getRandomValues(new Uint32Array(1))[0]}`;
    const isRunning = async () => {
      await using pgrep = new Program(["-f", `^[^ ]*sleep ${marker}`], {}, ["pgrep"]);
      return (await pgrep.outcome()).stdout !== "";
    };
    const path = `PATH=${Deno.env.get("PATH")}`;
    await terminals.open("on", "env", path, ...mq, "on", "create", "-s", address, "--", "sleep", marker);
    await terminals.shows("on", `runs sleep ${marker} on create`);
    await using pub = new Program(["pub", "create", "-s", address]);
    assertEquals((await pub.outcome()).code, 0);
    await until(isRunning, "the handler runs");
    await terminals.type("on", "C-c");
    await terminals.shows("on", /waiting for 1 running command; Ctrl-C again kills it/);
    assertEquals(await isRunning(), true);
    await terminals.close("on");
    await until(async () => !await isRunning(), "the handler is gone");
  },
});

/** Which screen a terminal shows, whether its cursor is seen, and whether long lines go on in the next. */
const STATE = "#{alternate_on} #{cursor_flag} #{wrap_flag}";

Deno.test({
  name: "on a terminal, mq top reacts to keys, resizes, reconnects, and restores the terminal",
  ignore: !has("tmux"),
  async fn() {
    await using terminals = new Terminals();
    const mq = programLine();
    const address = await terminals.openServer(...mq);
    const port = address.split(":")[1];
    const shell = ["sh", "-c", `echo before; "$@"; echo "exit $?"; stty -a; cat`, "sh"];
    await terminals.open("watch", ...shell, ...mq, "top", "-s", address, "--every", "100ms");
    await terminals.shows("watch", /published\/s▼/);
    assertEquals(await terminals.state("watch", STATE), "1 0 0");
    assert(!(await terminals.screen("watch")).includes("before"));
    await terminals.type("watch", "n", "n");
    await terminals.shows("watch", /name▼/);
    await terminals.resize("watch", 30, 8);
    await terminals.shows("watch", /^q:quit ↑↓:scroll n:name p:pub…$/m);
    await terminals.resize("watch", 150, 50);

    await terminals.type("server", "C-c");
    await terminals.shows("watch", /connection lost; reconnecting/);
    await terminals.open("second", ...mq, "server", "--port", port);
    await terminals.shows("watch", /up \d+s[^]*name▼/);

    await terminals.type("watch", "q");
    assertMatch(await terminals.shows("watch", /icanon/), /^before\nexit 0\n[^]* icanon [^]* echo /);
    assertEquals(await terminals.state("watch", STATE), "0 1 1");
  },
});

for (const [variable, isColoured] of [["NO_COLOR=", true], ["NO_COLOR=1", false]] as const) {
  Deno.test({
    name: `on a terminal, mq top ${isColoured ? "is coloured" : "obeys NO_COLOR"}`,
    ignore: !has("tmux"),
    async fn() {
      await using server = await startBroker();
      await using terminals = new Terminals();
      const mq = programLine();
      await terminals.open(
        "watch",
        "env",
        variable,
        ...mq,
        "top",
        "-s",
        `127.0.0.1:${server.port}`,
        "--every",
        "100ms",
      );
      await terminals.shows("watch", "· top");
      const [client] = await server.connect(1);
      const flooding = setInterval(() => client.line("archive"), 10);
      try {
        const screen = await terminals.shows("watch", /unrecognized \d+ \(\+/, "-e");
        assertEquals(screen.includes("\x1b["), isColoured, JSON.stringify(screen));
        assertEquals(screen.includes("\x1b[33munrecognized"), isColoured);
      } finally {
        clearInterval(flooding);
      }
    },
  });
}

/** Quotes words for a shell. */
function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(" ");
}

const LONG_RUNNING: [command: string, shows: string][] = [
  ["server --port 0", "listens on"],
  ["logger -s ADDRESS", "subscribed to all events"],
  ["app -s ADDRESS --every 20ms", "create"],
  ["on update -s ADDRESS -- cat", "runs cat on update"],
  ["top -s ADDRESS --every 100ms", "published/s"],
  ["demo", "is app-2"],
];

for (const [command, text] of LONG_RUNNING) {
  Deno.test({
    name: `mq ${command.split(" ")[0]} exits 0 when its terminal is closed`,
    ignore: !has("tmux") || !has("bash"),
    async fn() {
      await using server = await startBroker({ events: [">"] });
      const [witness] = await server.connect(1);
      assertEquals(await witness.ask("/sub ended"), "/ok sub");
      await using terminals = new Terminals();
      const args = command.replace("ADDRESS", `127.0.0.1:${server.port}`).split(" ");
      const tell = `echo "ended $?" > /dev/tcp/127.0.0.1/${server.port}`;
      const script = `trap "" HUP; (trap - HUP; exec ${quoted([...programLine(), ...args])}); ${tell}`;
      const shell = ["bash", "-c", 'bash -c "$0"; exit', script]; // Who closes a window ends its shell, too.
      await terminals.open("closed", "env", `PATH=${Deno.env.get("PATH")}`, ...shell);
      await terminals.shows("closed", text);
      await terminals.close("closed");
      await witness.expect("ended 0");
    },
  });
}

/** Runs a command in a terminal that is not its own, so that no signal tells it of the end, and closes that. */
const IN_CLOSED_TERMINAL = `
import os, pty, subprocess, sys
main, terminal = pty.openpty()
program = subprocess.Popen(sys.argv[2:], stdin=terminal, stdout=terminal, start_new_session=True)
os.close(terminal)
shown = b""
while sys.argv[1].encode() not in shown: shown += os.read(main, 65536)
os.close(main)
sys.exit(program.wait())
`;

Deno.test({
  name: "mq top exits 0 when its terminal is closed and no signal comes",
  ignore: !has("python3"),
  async fn() {
    await using server = await startBroker();
    const args = [...programLine(), "top", "-s", `127.0.0.1:${server.port}`, "--every", "20ms"];
    const run = () =>
      new Deno.Command("python3", { args: ["-c", IN_CLOSED_TERMINAL, "published/s", ...args] }).output();
    const ended = await Promise.all([run(), run(), run(), run()]); // It may read, draw or ask for the size just then.
    assertEquals(ended.map(({ stderr }) => new TextDecoder().decode(stderr)), ["", "", "", ""]);
    assertEquals(ended.map(({ code }) => code), [0, 0, 0, 0]);
  },
});

Deno.test({
  name: "a broker drains when its terminal is closed, and continues under nohup",
  ignore: !has("tmux") || !has("bash") || !has("nohup"),
  async fn() {
    await using server = await startBroker();
    await using terminals = new Terminals();
    const address = `127.0.0.1:${server.port}`;
    const on = quoted([...programLine(), "on", "create", "-n", "1", "--emit", "update", "-s", address, "--", "cat"]);
    const broker = quoted([...programLine(), "server", "--port", "0", "--host", "127.0.0.1"]);
    const path = `PATH=${Deno.env.get("PATH")}`;
    await terminals.open("closed", "env", path, "bash", "-c", `nohup ${on} > /dev/null 2>&1 & exec ${broker}`);
    await until(() => server.told("mq.subscribe").length > 0, "what nohup has started is there");
    const [, port] = /127.0.0.1:(\d+)/.exec(await terminals.shows("closed", /listens on 127.0.0.1:\d+/))!;
    const client = await RawClient.connect(Number(port));
    assertEquals(await client.ask("/ping"), "/pong");
    await terminals.close("closed");
    await client.expect("/bye The broker is going down");
    await client.expectEnd();
    client.close();
    const [listener] = await server.connect(1);
    assertEquals(await listener.ask("/sub update"), "/ok sub");
    await listener.line("create still here");
    await listener.expect("update still here");
    await until(() => server.told("mq.disconnect").length > 0, "it has ended");
  },
});
