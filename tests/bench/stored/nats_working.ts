/**
 * Members of a work queue of JetStream: a pull consumer with explicit acknowledgements. Even with `sync_interval: always`,
 * nats-server 2.10 synchronizes no file for an acknowledgement before it confirms it, as strace shows: what it confirms is
 * less than what mq and beanstalkd do.
 *
 * @module
 */
import type { Address } from "../../../lib/protocol/address.ts";
import type { ByteWriter } from "./byte_writer.ts";
import { callJetStream, STREAM } from "./jetstream.ts";
import { lineStartsWith } from "./lines.ts";
import { unexpectedLine } from "./replies.ts";
import { exchange, NAME } from "./subject.ts";
import { AHEAD, type Member, type WorkWire } from "./working.ts";

const CONSUMER = "work";

/** How many members may have {@linkcode AHEAD} jobs at the same time. */
const MAX_MEMBERS = 16;

/** How long a job may be unacknowledged, in nanoseconds. */
const ACK_WAIT_NS = 120e9;

/** After so many jobs, a member asks for as many more, and so never for more than {@linkcode AHEAD}. */
const PULLED = AHEAD / 2;

const SPACE = 32;

const encoder = new TextEncoder();

/** With acknowledgements that are acknowledged, as those of mq are, and without. */
export const natsWorking: readonly WorkWire[] = [
  {
    label: "acknowledged +ACK",
    prepare: createConsumer,
    hello: (connection) => helloOf([jobInbox(connection), ackInbox(connection)]),
    member: (connection) => new AcknowledgedMember(connection),
  },
  {
    label: "plain +ACK",
    prepare: createConsumer,
    hello: (connection) => helloOf([jobInbox(connection)]),
    member: (connection) => new PlainMember(connection),
  },
];

async function createConsumer(address: Address): Promise<void> {
  await callJetStream(address, `$JS.API.CONSUMER.DURABLE.CREATE.${STREAM}.${CONSUMER}`, {
    stream_name: STREAM,
    config: {
      durable_name: CONSUMER,
      deliver_policy: "all",
      ack_policy: "explicit",
      ack_wait: ACK_WAIT_NS,
      max_ack_pending: AHEAD * MAX_MEMBERS,
    },
  });
}

function helloOf(inboxes: readonly string[]) {
  const subscriptions = inboxes.map((inbox, index) => `SUB ${inbox} ${index + 1}\r\n`).join("");
  return exchange(`CONNECT {"verbose":false}\r\n${subscriptions}PING\r\n`, "PONG\r\n");
}

const jobInbox = (connection: number) => `_INBOX.m${connection}`;
const ackInbox = (connection: number) => `_INBOX.a${connection}`;

/** Pulls a batch of jobs. */
function pull(connection: number, batch: number): Uint8Array {
  const json = JSON.stringify({ batch });
  const subject = `$JS.API.CONSUMER.MSG.NEXT.${STREAM}.${CONSUMER}`;
  return encoder.encode(`PUB ${subject} ${jobInbox(connection)} ${json.length}\r\n${json}\r\n`);
}

/** `MSG jobs 1 $JS.ACK... 64`: a job, and the subject to acknowledge it at. */
const JOB = encoder.encode(`MSG ${NAME} 1 `);
const [DATA, EMPTY, PING] = ["x", "\r", "PING"].map((text) => encoder.encode(text));
const PUB = encoder.encode("PUB ");

/** What both kinds of members do: they pull jobs and send an acknowledgement for each. */
class PullingMember {
  readonly start: Uint8Array;
  readonly #next: Uint8Array;
  readonly #acknowledgement: Uint8Array;
  #sincePull = 0;

  constructor(connection: number, acknowledgement: string) {
    this.start = pull(connection, AHEAD);
    this.#next = pull(connection, PULLED);
    this.#acknowledgement = encoder.encode(acknowledgement);
  }

  /** Takes a line; returns whether it was a job. */
  takeJob(bytes: Uint8Array, start: number, end: number, out: ByteWriter): boolean {
    if (!lineStartsWith(bytes, start, end, JOB)) {
      const isKnown = [DATA, EMPTY, PING].some((prefix) => lineStartsWith(bytes, start, end, prefix));
      if (!isKnown) throw unexpectedLine(bytes, start, end);
      return false;
    }
    const subject = start + JOB.length;
    out.add(PUB);
    out.add(bytes, subject, bytes.indexOf(SPACE, subject));
    out.add(this.#acknowledgement);
    this.#pullMore(out);
    return true;
  }

  #pullMore(out: ByteWriter): void {
    this.#sincePull++;
    if (this.#sincePull < PULLED) return;
    this.#sincePull = 0;
    out.add(this.#next);
  }
}

/** Counts an acknowledgement when the server has confirmed it. */
class AcknowledgedMember implements Member {
  readonly start: Uint8Array;
  readonly #pulling: PullingMember;
  readonly #confirmed: Uint8Array;

  constructor(connection: number) {
    this.#pulling = new PullingMember(connection, ` ${ackInbox(connection)} 4\r\n+ACK\r\n`);
    this.#confirmed = encoder.encode(`MSG ${ackInbox(connection)} `);
    this.start = this.#pulling.start;
  }

  take(bytes: Uint8Array, start: number, end: number, out: ByteWriter): number {
    if (lineStartsWith(bytes, start, end, this.#confirmed)) return 1;
    this.#pulling.takeJob(bytes, start, end, out);
    return 0;
  }
}

const [PING_COMMAND, PONG] = ["PING\r\n", "PONG"].map((text) => encoder.encode(text));

/** Counts acknowledgements when the server has read them: a PING follows those of each write. */
class PlainMember implements Member {
  readonly start: Uint8Array;
  readonly #pulling: PullingMember;
  /** How many acknowledgements were before each unanswered PING, the oldest first. */
  readonly #sent: number[] = [];
  #unconfirmed = 0;

  constructor(connection: number) {
    this.#pulling = new PullingMember(connection, " 4\r\n+ACK\r\n");
    this.start = this.#pulling.start;
  }

  take(bytes: Uint8Array, start: number, end: number, out: ByteWriter): number {
    if (lineStartsWith(bytes, start, end, PONG)) return this.#sent.shift() ?? 0;
    if (this.#pulling.takeJob(bytes, start, end, out)) this.#unconfirmed++;
    return 0;
  }

  endRead(out: ByteWriter): void {
    if (this.#unconfirmed === 0) return;
    out.add(PING_COMMAND);
    this.#sent.push(this.#unconfirmed);
    this.#unconfirmed = 0;
  }
}
