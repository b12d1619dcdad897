/** mq with `--store`. */
import { V8_FLAGS } from "../../../cmd/bench/subject.ts";
import type { Address } from "../../../lib/protocol/address.ts";
import { VERSION } from "../../../lib/protocol/version.ts";
import { ask } from "./ask.ts";
import type { ByteWriter } from "./byte_writer.ts";
import { lineStartsWith } from "./lines.ts";
import type { PublishWire } from "./publishing.ts";
import { unexpectedLine } from "./replies.ts";
import { exchange, NAME, type Subject, versionOf } from "./subject.ts";
import { AHEAD, type Member, type WorkWire } from "./working.ts";

const MAIN = new URL("../../../cmd/main.ts", import.meta.url).pathname;

/** How many jobs one `/ack` names at most. */
const MAX_ACKS = 100;

const SPACE = 32;

const encoder = new TextEncoder();

/**
 * mq: from this source, or the executable in MQ_BIN.
 *
 * @param isStored Without it, mq keeps nothing, which is only good for trying this program.
 */
export async function findMq(isStored: boolean): Promise<Subject> {
  const binary = Deno.env.get("MQ_BIN");
  const line = binary ? [binary] : [Deno.execPath(), "run", "-A", "--quiet", "--cached-only", V8_FLAGS, MAIN];
  const version = binary ? await versionOf(binary, "--version") : `${VERSION} on Deno ${Deno.version.deno}`;
  if (version === undefined) throw new Error(`There is no ${binary}, which MQ_BIN names`);
  const server = ["server", "--host", "127.0.0.1", "--events", ">"];
  return {
    name: "mq",
    version,
    settings: isStored ? "`--store DIR`" : "without `--store`: nothing is durable, and the ratios mean nothing",
    command(port, folder) {
      const [program, ...args] = [...line, ...server, "--port", String(port), ...isStored ? ["--store", folder] : []];
      return { program, args };
    },
    prepare: isStored ? checkStored : undefined,
    publishing: mqPublishing,
    working: isStored ? [mqWorking] : [],
  };
}

const HELLO = exchange("/hello {}\n/unsub >\n/ping\n", "/pong\n");

/** mq must not be compared by events that it does not store. */
async function checkStored(address: Address): Promise<void> {
  const response = await ask(address, "/hello {}\n/unsub >\n/pub p probe\n", RECEIPT);
  const [receipt] = RECEIPT.exec(response)!;
  if (!receipt.includes('"stored":true')) throw new Error(`mq did not store an event: ${receipt}`);
}

const RECEIPT = /^\/(?:ok|err) p .*(?=\n)/m;

/** Publishes by `/pub`. */
export const mqPublishing: PublishWire = {
  hello: () => HELLO,
  publish: (data) => encoder.encode(`/pub p ${NAME} ${data}\n`),
  replies: { counted: "/ok p ", skipped: ["/ping"] },
};

/** Takes jobs by `/join`. */
export const mqWorking: WorkWire = {
  label: "",
  hello: () => HELLO,
  member: () => new MqMember(),
};

const [JOB, ACKNOWLEDGED, JOINED, PING] = ["/job ", "/ok ack", "/ok join", "/ping"].map((text) => encoder.encode(text));
const [ACK, SEPARATOR, LINE_END] = ["/ack", " ", "\n"].map((text) => encoder.encode(text));

class MqMember implements Member {
  readonly start = encoder.encode(`/join work {"from":"first","ahead":${AHEAD}} ${NAME}\n`);
  /** How many jobs each unanswered `/ack` names, the oldest first. */
  readonly #sent: number[] = [];
  /** How many jobs the unfinished `/ack` names. */
  #named = 0;

  take(bytes: Uint8Array, start: number, end: number, out: ByteWriter): number {
    if (lineStartsWith(bytes, start, end, JOB)) this.#acknowledge(bytes, start + JOB.length, out);
    else if (lineStartsWith(bytes, start, end, ACKNOWLEDGED)) return this.#sent.shift() ?? 0;
    else if (![JOINED, PING].some((prefix) => lineStartsWith(bytes, start, end, prefix))) {
      throw unexpectedLine(bytes, start, end);
    }
    return 0;
  }

  endRead(out: ByteWriter): void {
    if (this.#named === 0) return;
    out.add(LINE_END);
    this.#sent.push(this.#named);
    this.#named = 0;
  }

  #acknowledge(bytes: Uint8Array, number: number, out: ByteWriter): void {
    if (this.#named === 0) out.add(ACK);
    out.add(SEPARATOR);
    out.add(bytes, number, bytes.indexOf(SPACE, number));
    this.#named++;
    if (this.#named === MAX_ACKS) this.endRead(out);
  }
}
