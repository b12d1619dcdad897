/**
 * The load of members that share a work queue: each takes jobs and acknowledges them, until all are acknowledged.
 *
 * @module
 */
import { type Exchange, untilDone } from "../../../cmd/bench/load.ts";
import type { Address } from "../../../lib/protocol/address.ts";
import { ByteWriter } from "./byte_writer.ts";
import { LineSplitter } from "./lines.ts";
import { type Read, type Reading, type Sample, sampleOf } from "./readings.ts";
import { Socket } from "./socket.ts";

/** How many members share the jobs. */
export const MEMBERS = 4;

/** How many jobs a member may have that are not acknowledged, and so how many it asks for at once. */
export const AHEAD = 256;

/** The part of a broker's protocol that members need. */
export interface WorkWire {
  /** What distinguishes it from other ways to acknowledge jobs of the same broker; empty if there is only one. */
  readonly label: string;
  /** Called when all jobs are published, before members connect. */
  prepare?(address: Address): Promise<void>;
  /** The beginning of one of several connections. */
  hello(connection: number): Exchange;
  member(connection: number): Member;
}

/** What one member does: it has the state of its connection, and neither reads nor writes by itself. */
export interface Member {
  /** The bytes that ask for the first jobs. */
  readonly start: Uint8Array;
  /**
   * Takes a line that the broker sent.
   *
   * @param out Where to write the response.
   * @returns How many acknowledgements of jobs it confirms.
   */
  take(bytes: Uint8Array, start: number, end: number, out: ByteWriter): number;
  /** Called after the lines of one read, to complete what is sent in one write. */
  endRead?(out: ByteWriter): void;
}

/** Measures acknowledged jobs, from the first acknowledgement to the last. */
export async function measureWorking(
  address: Address,
  wire: WorkWire,
  load: { readonly members: number; readonly jobs: number },
  read: Read,
  signal?: AbortSignal,
): Promise<Sample> {
  await wire.prepare?.(address);
  using members = new Members(load.jobs, read);
  await members.open(address, wire, load.members);
  return await members.work(signal);
}

class Members implements Disposable {
  readonly #jobs: number;
  readonly #read: Read;
  readonly #open: { socket: Socket; member: Member }[] = [];
  readonly #finished = Promise.withResolvers<Sample>();
  #acknowledged = 0;
  #first: Reading | undefined;

  constructor(jobs: number, read: Read) {
    this.#jobs = jobs;
    this.#read = read;
  }

  async open(address: Address, wire: WorkWire, count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      this.#open.push({ socket: await Socket.open(address, wire.hello(index)), member: wire.member(index) });
    }
  }

  async work(signal?: AbortSignal): Promise<Sample> {
    const { promise, reject } = this.#finished;
    for (const { socket, member } of this.#open) this.#work(socket, member).catch(reject);
    const missing = () => `${this.#acknowledged} of ${this.#jobs} jobs are acknowledged`;
    await untilDone(promise, () => this.#acknowledged, missing, { signal });
    return await promise;
  }

  [Symbol.dispose](): void {
    for (const { socket } of this.#open) socket[Symbol.dispose]();
  }

  /** Works until the connection is closed. */
  async #work(socket: Socket, member: Member): Promise<never> {
    const [lines, out] = [new LineSplitter(), new ByteWriter()];
    let acknowledged = 0;
    const onLine = (bytes: Uint8Array, start: number, end: number) => {
      acknowledged += member.take(bytes, start, end, out);
    };
    await socket.send(member.start);
    for (;;) {
      acknowledged = 0;
      lines.split(await socket.receive(), onLine);
      member.endRead?.(out);
      if (acknowledged > 0) this.#count(acknowledged);
      const answer = out.take();
      if (answer.length > 0) await socket.send(answer);
    }
  }

  #count(acknowledged: number): void {
    this.#acknowledged += acknowledged;
    this.#first ??= this.#read(this.#acknowledged);
    if (this.#acknowledged < this.#jobs) return;
    this.#finished.resolve(sampleOf(this.#first, this.#read(this.#acknowledged)));
  }
}
