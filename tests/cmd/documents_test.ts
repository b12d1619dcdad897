/** Every command line of the README and of the other documents does what they say of it. The lessons have a test of their own. */
import { assertEquals } from "@std/assert";
import { CAN_HOLD_LESSONS, Classroom } from "../lessons/classroom.ts";
import { parseCommands } from "../lessons/lesson.ts";
import { has } from "../helpers.ts";
import { Tree } from "../tree.ts";

/**
 * A command: the terminal in which it is typed, the line, and what then is to be seen, each as a terminal and a line. What
 * begins with `+` is typed by the test alone. A new server begins where all that ran before has been ended.
 */
type Row = readonly [terminal: string, command: string, ...shown: (readonly [terminal: string, line: string])[]];

/** What is not typed here, and why. */
const LEFT_OUT = new Map([
  ["npx -y deno@2.9.6 task demo", ".ci/newcomer.mjs types it"],
  ["npx -y deno@2.9.6 task test", ".ci/newcomer.mjs types it"],
  ["deno task compile", ".ci/run types it, and runs the tests of the program with what it makes"],
  ["deno task compile:all", "it downloads an executable for each system from Deno's own site"],
  ["deno run --allow-net --allow-read tests/conformance/run.ts localhost:3001", "tests/conformance_test.ts plays all"],
]);

const DOCUMENTS: Record<string, Row[]> = {
  "README.md": [
    ["server", "deno task server", ["server", "Recognized events: create, read, update, delete, error"]],
    ["logger", "deno task logger", [
      "logger",
      "Connected to localhost:3001, subscribed to all events. Ctrl-C ends it.",
    ]],
    ["app", "deno task app", ["server", "… = client-… is app"]],
    ["hand", `printf 'create {"id":1}\\n' | nc -N localhost 3001`, ["logger", '… create { "id": 1 }']],
    ["nc", "nc localhost 3001", ["server", "… + client-… connected from …"]],
    ["watch", "mq logger 'mq.>'", ["watch", "Connected to localhost:3001, subscribed to mq.>. Ctrl-C ends it."]],
    ["hand", `mq pub update '{"id":1,"name":"Ada"}'`, ["hand", "update was delivered to … clients"]],

    ["server", "mq server --web 8080", ["server", "Web page: http://localhost:8080/"]],
    [
      "hand",
      `curl localhost:8080/pub/create -d '{"id":1}'`,
      ["hand", '{"id":"…","receivers":0}'],
      ["server", "… > http … published create to 0"],
    ],
    ["events", "curl -N 'localhost:8080/events?pattern=create'", ["server", "… = client-… is …"]],
    ["hand", "+mq pub create 7", ["events", "data: …7…"]],
    ["hand", "curl localhost:8080/stats", ["hand", '{…"published":2,…}']],
    ["hand", "curl localhost:8080/metrics", ["hand", "mq_…_total 2"]],
    ["hand", "curl localhost:8080/healthz", ["hand", "ok"]],

    ["server", "mq server --events catalog.json", ["server", "Recognized events: order.created, order.*"]],
    ["hand", "mq events", ["hand", "order.created  A customer has ordered something."]],
    ["hand", "mq events order.created", ["hand", '  "required": [']],
    ["app", "mq app --events catalog.json", ["app", '… order.created { "id": …, "customer": "…@…" }']],
    [
      "hand",
      `mq pub order.created '{"id":"one"}'`,
      ["hand", "mq pub: Cannot take order.created: its data must have required property 'customer'"],
    ],

    ["server", "mq server --events create,paid,failed", ["server", "Recognized events: create, paid, failed"]],
    ["logger", "mq logger paid failed", [
      "logger",
      "Connected to localhost:3001, subscribed to paid failed. Ctrl-C ends it.",
    ]],
    [
      "on",
      "mq on create --emit paid --retry 2 --dead failed -- node handler.js",
      ["on", "Connected to localhost:3001, runs node handler.js on create. Ctrl-C ends it."],
    ],
    ["hand", `mq pub create '{"id":1}'`, ["logger", '…  on  paid { "id": 1, "paid": true }']],
    ["hand", "mq pub create '{}'", ["logger", '…  on  failed { "id": "…", … "attempts": 3, "reason": "…" }']],

    ["server", "mq server --events price", ["server", "Recognized events: price"]],
    [
      "reply",
      `mq reply price -- sh -c 'read -r what; echo "$what costs 250"'`,
      ["reply", "Connected to localhost:3001, runs sh -c … on price. Ctrl-C ends it."],
    ],
    ["hand", "mq request price tea", ["hand", "tea costs 250"]],

    [
      "server",
      "mq server --store data",
      ["server", "Store: data, with 0 events (0 B), 0 groups. It keeps all events for 7 days, up to 1 GiB."],
    ],
    ["hand", `mq pub create '{"id":1}'`, ["hand", "mq pub: create is stored; no subscriber received it"]],
    ["logger", "mq logger --since 1h", ["logger", '… pub  create { "id": 1 }']],
    ["log", "mq log 'create' --since all", ["log", '… pub  create { "id": 1 }']],
    [
      "hand",
      `mq pub create '{"id":2}' --in 10m`,
      ["hand", "create will be published at …; to take it back: mq cancel …"],
    ],
    ["on", "mq on create --group pay --retry 3 -- node handler.js", ["on", "Connected to …"]],
    ["hand", "mq groups", ["hand", "pay … create"]],
    ["hand", "mq pub create '{}'", ["server", "… ! pay gave up create after 4 tries: …"]],
    ["hand", "mq dead list pay", ["hand", "… create … 4 …"]],
    ["hand", "mq dead kick pay --all", ["hand", "1 job of pay to be delivered again"]],

    [
      "server",
      "mq server --classic json --classic-port 3002",
      ["server", "mq server … and on 127.0.0.1:3002 … for classic clients (json)"],
    ],

    ["hand", "deno task mq bench throughput --subs 10", ["hand", "  published … events/s…"]],
    ["hand", "deno task mq bench latency --rate 5000", ["hand", "…p99…"]],
    ["hand", "deno task mq bench connect", ["hand", "  one connection  … events/s"]],

    ["hand", "openssl rand -hex 16 > token.txt"],
    [
      "hand",
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=mq " +
      "-addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:localhost,DNS:teacher.local " +
      "-keyout key.pem -out cert.pem",
    ],
    ["hand", "+ls cert.pem", ["hand", "cert.pem"]],
    [
      "server",
      "mq server --host 0.0.0.0 --token-file token.txt --tls-cert cert.pem --tls-key key.pem",
      ["server", "mq server … listens on …"],
    ],
    ["hand", "export MQ_URL=mqs://teacher.local MQ_TOKEN=$(cat token.txt) MQ_TLS_CA=cert.pem"],
    ["hand", "mq logger", ["hand", "Connected to … subscribed to all events. Ctrl-C ends it."]],
  ],

  "docs/catalog.md": [
    ["server", "mq server --events shop.yml", ["server", "Recognized events: order.created, order.*"]],
    ["app", "mq app --events shop.yml", ["app", '… order.created { "id": …, "customer": "…@…" }']],
    ["hand", "mq events", ["hand", "order.created  A customer has ordered something."]],
  ],

  "tests/conformance/README.md": [
    ["server", "+mq server", ["server", "Recognized events: create, read, update, delete, error"]],
    [
      "hand",
      "deno run --allow-net --allow-read tests/conformance/run.ts localhost:3001 4.3 4.4",
      ["hand", "… ok, 0 failed, 0 ignored"],
    ],
    ["server", "+mq server --max-line 1000", ["server", "Recognized events: …"]],
    [
      "hand",
      "deno run --allow-net --allow-read tests/conformance/run.ts localhost:3001 --needs '--max-line 1000'",
      ["hand", "… ok, 0 failed, …"],
    ],
  ],
};

for (const [document, rows] of Object.entries(DOCUMENTS)) {
  Deno.test(`every command in ${document} is run, or excluded with a reason`, async () => {
    const { commands } = parseCommands(await Deno.readTextFile(new URL(`../../${document}`, import.meta.url)));
    const typed = rows.map(([, command]) => command).filter((command) => !command.startsWith("+"));
    assertEquals(typed, commands.filter((command) => !LEFT_OUT.has(command)));
  });

  Deno.test({
    name: `the commands in ${document} do what it says, in a copy of the repository`,
    ignore: !CAN_HOLD_LESSONS || !["nc", "curl", "node", "openssl"].every(has),
    async fn() {
      await using tree = await Tree.copy();
      await using room = await Classroom.open(tree.folder);
      for (const [name, text] of parseCommands(await tree.read(document)).files) await tree.write(name, text);
      for (const row of rows) await type(row, room);
      await room.end();
    },
  });
}

/** Types a command, and looks for what it shows. The teacher's machine is this one, which nobody else need reach. */
async function type([terminal, command, ...shown]: Row, room: Classroom): Promise<void> {
  const line = command.replace(/^\+/, "").replace("mqs://teacher.local", "mqs://localhost:3001").replace(
    "0.0.0.0",
    "127.0.0.1",
  );
  const step = { line: 0, needs: undefined };
  try {
    if (terminal === "server") await room.end();
    await room.perform({ ...step, kind: "type", name: terminal, lines: [line] });
    for (const [name, text] of shown) await room.perform({ ...step, kind: "expect", name, lines: [text] });
  } catch (error) {
    throw new Error(`${command}: ${(error as Error).message}`);
  }
}

Deno.test("every document with commands is tested", async () => {
  const folder = new URL("../../docs/", import.meta.url);
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.endsWith(".md"));
  for (const name of names) {
    const { commands } = parseCommands(await Deno.readTextFile(new URL(name, folder)));
    assertEquals(commands.length > 0, Object.hasOwn(DOCUMENTS, `docs/${name}`), name);
  }
});
