/**
 * Measures events a second that are published by POST, one after another on one connection that is kept alive, of this
 * checkout or, in turns, of those that are named:
 *
 *     deno task bench:http [--posts 2000] [--rounds 5] [CHECKOUT...]
 *
 * Each round starts a broker (`mq server --web`) in a process of its own. A checkout must have its page (`deno task page`).
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { V8_FLAGS } from "../../cmd/bench/subject.ts";
import { formatFigure, median } from "./report.ts";

const OWN = new URL("../..", import.meta.url).pathname;
const BODY = '{"id":1,"customer":"Ada","total":19.9,"currency":"EUR"}';
const HEAD_END = "\r\n\r\n";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A broker with a gateway, in a process of its own. */
class Broker implements AsyncDisposable {
  readonly port: Promise<number>;
  readonly #process: Deno.ChildProcess;
  readonly #logged: Promise<void>;

  constructor(checkout: string) {
    const permissions = ["--allow-net", "--allow-read", "--allow-env=MQ_URL,MQ_TOKEN,MQ_TLS_CA,MQ_HOPS,TERM"];
    const server = ["server", "--host", "127.0.0.1", "--port", "0", "--web", "127.0.0.1:0"];
    const args = ["run", "--quiet", "--cached-only", V8_FLAGS, ...permissions, "cmd/main.ts", ...server];
    const command = new Deno.Command(Deno.execPath(), { args, cwd: checkout, stdin: "null", stdout: "piped" });
    this.#process = command.spawn();
    const { promise, resolve } = Promise.withResolvers<number>();
    this.port = promise;
    this.#logged = readLog(this.#process.stdout, resolve);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#logged;
    await this.#process.status;
  }
}

/** Reads a log to its end, so that the broker never waits for a reader; only what comes before the port is looked at. */
async function readLog(log: ReadableStream<Uint8Array>, onPort: (port: number) => void): Promise<void> {
  let text: string | undefined = "";
  for await (const chunk of log) {
    if (text === undefined) continue;
    text += decoder.decode(chunk);
    const port: string | undefined = /http:\/\/127\.0\.0\.1:(\d+)\//.exec(text)?.[1];
    if (port === undefined) continue;
    onPort(Number(port));
    text = undefined;
  }
}

/** Publishes so many events; returns how many that were in a second. */
async function publish(port: number, posts: number): Promise<number> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const head = ["POST /pub/create HTTP/1.1", `host: 127.0.0.1:${port}`, "content-type: application/json"];
  const request = encoder.encode([...head, `content-length: ${BODY.length}`].join("\r\n") + HEAD_END + BODY);
  const startedAt = performance.now();
  for (let sent = 0; sent < posts; sent++) {
    await conn.write(request);
    await readReceipt(conn);
  }
  return posts / (performance.now() - startedAt) * 1000;
}

const buffer = new Uint8Array(4096);

/** Reads one response, which has to be that the event was published. */
async function readReceipt(conn: Deno.Conn): Promise<void> {
  let text = "";
  while (!isWhole(text)) {
    const count = await conn.read(buffer);
    if (count === null) throw new Error("The gateway has closed the connection");
    text += decoder.decode(buffer.subarray(0, count));
  }
  if (!text.startsWith("HTTP/1.1 202 ")) throw new Error(`The event was not published: ${text}`);
}

function isWhole(text: string): boolean {
  const end = text.indexOf(HEAD_END);
  const length = Number(/^content-length: (\d+)\r$/im.exec(text)?.[1]);
  return end >= 0 && text.length >= end + HEAD_END.length + length;
}

const { posts = "2000", rounds = "5", _: named } = parseArgs(Deno.args, { string: ["posts", "rounds", "_"] });
const checkouts = named.length > 0 ? named : [OWN];
const rates = new Map(checkouts.map((checkout): [string, number[]] => [checkout, []]));
for (let round = 0; round < Number(rounds); round++) {
  for (const [checkout, figures] of rates) {
    await using broker = new Broker(checkout);
    figures.push(await publish(await broker.port, Number(posts)));
  }
}
for (const [checkout, figures] of rates) {
  const [middle, ...range] = [median(figures), Math.min(...figures), Math.max(...figures)].map(formatFigure);
  console.log(`${middle} (${range.join(" to ")}) events a second: ${checkout}`);
}
