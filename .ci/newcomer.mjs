/**
 * Does what somebody does who has just found mq, on a machine with nothing but Node: types the commands under "Try it" in
 * the README, as they stand, in a fresh clone of this commit and with an empty home. The demo runs a second time without a
 * network, and must then print nothing but what mq says.
 *
 *     node .ci/newcomer.mjs
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";

const SELF = fileURLToPath(import.meta.url);
const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** How long the demo may take until it shows something, the downloads of a first start included, in milliseconds. */
const TIMEOUT_MS = 120_000;

/** What a machine may need to reach the npm registry: its certificates and its proxy. */
const NETWORK = /^(SSL_CERT_(FILE|DIR)|NODE_EXTRA_CA_CERTS|DENO_TLS_CA_STORE|(https?|no)_proxy|npm_config_registry)$/i;

/** What the demo must show: something of each of its programs. */
const SHOWN = [/^server .* listens on /m, /^server .* is logger$/m, /^logger +\w+ /m, /^app-1 +\w+ /m, /^app-2 +\w+ /m];

/** The demo's part runs by itself, too: without a network it has to be inside. */
const [part, ...words] = process.argv.slice(2);
if (part === "demo") await demo(words[0], words[1] === "again");
else newcomer();

function newcomer() {
  const folder = mkdtempSync(`${tmpdir()}/newcomer-`);
  try {
    const [clone, home] = [`${folder}/mq`, `${folder}/home`];
    mkdirSync(home);
    run(["git", "clone", "--quiet", ROOT, clone]);
    const there = { cwd: clone, env: newcomersEnv(home) };
    const [demo, test] = commands(readFileSync(`${clone}/README.md`, "utf8"));
    run([process.execPath, SELF, "demo", demo], there);
    run([...withoutNetwork(), process.execPath, SELF, "demo", demo, "again"], there);
    console.log(`\n$ ${test}`);
    run(["sh", "-c", test], there);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The two commands under "Try it" in the README. */
function commands(readme) {
  const [, block] = /^## Try it\n[^]*?^```sh\n([^]*?)^```$/m.exec(readme);
  const lines = block.trim().split("\n");
  if (lines.length !== 2) throw new Error(`The README has two commands under "Try it", not ${lines.length}`);
  return lines;
}

/** The environment of somebody whose home is empty. */
function newcomersEnv(home) {
  const kept = Object.entries(process.env).filter(([name]) => NETWORK.test(name));
  return { HOME: home, PATH: process.env.PATH, NO_COLOR: "1", ...Object.fromEntries(kept) };
}

/** Runs a command, whose output is shown; a failure ends this program. */
function run([command, ...args], options = {}) {
  const { status, signal, error } = spawnSync(command, args, { stdio: ["ignore", "inherit", "inherit"], ...options });
  if (error) throw error;
  if (status !== 0) process.exit(fail(`${command} ${args.join(" ")}: ended with ${signal ?? `exit code ${status}`}`));
}

function fail(message) {
  console.log(`newcomer: ${message}`);
  return 1;
}

/** What runs a command in a network of its own, in which there is nothing but this machine. */
function withoutNetwork() {
  for (const flags of ["-n", "-rn"]) {
    const line = ["unshare", flags, "sh", "-c", 'ip link set lo up && exec "$@"', "sh"];
    if (spawnSync(line[0], [...line.slice(1), "true"]).status === 0) return line;
  }
  console.log("newcomer: this machine cannot take a program's network away, so the second start keeps it");
  return [];
}

/** Starts the demo, waits until it is at work, opens its page, and presses Ctrl-C. */
async function demo(command, again) {
  console.log(`\n$ ${command}${again ? "    # again, without a network" : ""}`);
  const [program, ...args] = command.split(" ");
  const child = spawn(program, args, { detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let end;
  const ended = new Promise((resolve) => child.once("close", (code, signal) => resolve(end = signal ?? code)));
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      output += text;
      process.stdout.write(text);
    });
  }
  try {
    const deadline = Date.now() + TIMEOUT_MS;
    while (!SHOWN.every((part) => part.test(output)) && Date.now() < deadline && end === undefined) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const missing = SHOWN.find((part) => !part.test(output));
    if (missing) throw new Error(`the demo does not show ${missing}`);
    const page = await fetch(/http:\/\/localhost:\d+\//.exec(output)[0]);
    if (!page.ok || !(await page.text()).includes("<title>mq</title>")) throw new Error("the demo's page is not there");
    process.kill(-child.pid, "SIGINT"); // Ctrl-C goes to all that run in a terminal.
    await ended; // npx says SIGINT of itself, however well the demo has ended; that, the apps' last words show.
    const missingEnd = ["app-1", "app-2"].find((app) =>
      !new RegExp(`^${app} +mq app: \\d+ events? sent`, "m").test(output)
    );
    if (missingEnd) throw new Error(`after Ctrl-C (${end}) ${missingEnd} does not sum up`);
    const alien = again ? output.split("\n").find((line) => !isOfMq(line, output)) : undefined;
    if (alien !== undefined) throw new Error(`the second start prints what is not mq's: ${alien}`);
    console.log("newcomer: the demo shows its programs and its page, and ends well");
  } catch (error) {
    if (end === undefined) process.kill(-child.pid, "SIGKILL");
    process.exitCode = fail(error.message);
  }
}

/** Whether a line is mq's: the introduction, or one of its programs; `deno task` says before that what it runs. */
function isOfMq(line, output) {
  const [head] = output.split("\n\n");
  const introduction = head.slice(head.indexOf("Four programs connected over TCP")).split("\n");
  return introduction.includes(line) || /^(Task .*|(server|logger|app-\d) .*|)$/.test(line);
}
