/** beanstalkd with a binlog. Its doc/protocol.txt has the protocol. */
import type { ByteWriter } from "./byte_writer.ts";
import { lineStartsWith } from "./lines.ts";
import type { PublishWire } from "./publishing.ts";
import { unexpectedLine } from "./replies.ts";
import { exchange, type Subject, versionOf } from "./subject.ts";
import { AHEAD, type Member, type WorkWire } from "./working.ts";

const PROGRAM = "beanstalkd";

/** How long a job may be reserved, in seconds. */
const RESERVED_S = 120;

const SPACE = 32;

const encoder = new TextEncoder();

/** The default tube of beanstalkd. */
export async function findBeanstalkd(): Promise<Subject | undefined> {
  const version = await versionOf(PROGRAM, "-v");
  return version === undefined ? undefined : {
    name: "beanstalkd",
    version,
    settings: `\`-b DIR -f0\`; each member has ${AHEAD} \`reserve-with-timeout 0\` and \`delete\` outstanding`,
    command: (port, folder) => ({
      program: PROGRAM,
      args: ["-l", "127.0.0.1", "-p", String(port), "-b", folder, "-f0"],
    }),
    publishing,
    working: [working],
  };
}

const HELLO = exchange("use default\r\n", "USING default\r\n");

const publishing: PublishWire = {
  hello: () => HELLO,
  publish: (data) => encoder.encode(`put 0 0 ${RESERVED_S} ${data.length}\r\n${data}\r\n`),
  replies: { counted: "INSERTED ", skipped: [] },
};

const working: WorkWire = {
  label: "",
  hello: () => HELLO,
  member: () => new BeanstalkdMember(),
};

/** With a time limit of 0, since while `reserve` waits for a job, the commands behind it on the connection wait, too. */
const RESERVE = "reserve-with-timeout 0\r\n";

const [RESERVED, DELETED, EMPTY, DATA] = ["RESERVED ", "DELETED", "TIMED_OUT", "x"].map((text) => encoder.encode(text));
const [DELETE, NEXT] = ["delete ", `\r\n${RESERVE}`].map((text) => encoder.encode(text));

/** Pipelines: each job that arrives is deleted and another one reserved, in one write for all that one read brings. */
class BeanstalkdMember implements Member {
  readonly start = encoder.encode(RESERVE.repeat(AHEAD));

  take(bytes: Uint8Array, start: number, end: number, out: ByteWriter): number {
    if (lineStartsWith(bytes, start, end, DELETED)) return 1;
    if (lineStartsWith(bytes, start, end, RESERVED)) this.#delete(bytes, start + RESERVED.length, out);
    else if (![DATA, EMPTY].some((prefix) => lineStartsWith(bytes, start, end, prefix))) {
      throw unexpectedLine(bytes, start, end);
    }
    return 0;
  }

  #delete(bytes: Uint8Array, id: number, out: ByteWriter): void {
    out.add(DELETE);
    out.add(bytes, id, bytes.indexOf(SPACE, id));
    out.add(NEXT);
  }
}
