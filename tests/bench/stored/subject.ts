/** A broker under comparison, and how it is found on this machine. */
import type { Exchange } from "../../../cmd/bench/load.ts";
import type { Address } from "../../../lib/protocol/address.ts";
import type { PublishWire } from "./publishing.ts";
import type { WorkWire } from "./working.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The name of all events and jobs. */
export const NAME = "jobs";

/** A broker that is on this machine. */
export interface Subject {
  readonly name: string;
  readonly version: string;
  /** What decides how durable it is, as the results show it. */
  readonly settings: string;
  /**
   * What starts it.
   *
   * @param port The port of 127.0.0.1 on which it listens.
   * @param folder An empty folder for its data, and for its configuration if it needs a file.
   */
  command(port: number, folder: string): { program: string; args: string[] };
  /** Called once it listens. */
  prepare?(address: Address): Promise<void>;
  readonly publishing: PublishWire;
  /** The ways to acknowledge jobs; none if its work queues are not compared. */
  readonly working: readonly WorkWire[];
}

/** Bytes to send, and the end of the response to wait for. */
export function exchange(send: string, reply: string): Exchange {
  return { send: encoder.encode(send), reply: encoder.encode(reply) };
}

/** The first number with dots that a program says of itself; undefined if there is no such program. */
export async function versionOf(program: string, ...args: string[]): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await new Deno.Command(program, { args }).output();
    return /\d+(?:\.\d+)+/.exec(decoder.decode(stdout) + decoder.decode(stderr))?.[0] ?? "of an unknown version";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
