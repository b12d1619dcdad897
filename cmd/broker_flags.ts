/**
 * What the commands that talk to a broker have in common: how they are told where it is, and how they wait for it.
 *
 * @module
 */
import {
  type Address,
  type Client,
  connect,
  ConnectionError,
  type ConnectOptions,
  DEFAULT_PORT,
  formatAddress,
  type MqError,
  parseAddress,
  ProtocolError,
} from "../mod.ts";
import { type Flag, option, toggle, UsageError } from "./command.ts";
import type { Io } from "./stdio.ts";

/** `-s HOST:PORT`. */
export const serverFlag: Flag<string | undefined> = option("HOST:PORT", "The broker.", (text) => text, {
  short: "s",
  fallback: ["$MQ_URL, or localhost:3001", undefined],
});

/** `--json`. */
export const jsonFlag: Flag<boolean> = toggle("Print one JSON object a line: {id, at, from, event, data}.");

/** `--name NAME`. */
export function nameFlag(fallback: string): Flag<string> {
  return option("NAME", "What it calls itself.", (text) => text, { fallback: [fallback, fallback] });
}

/**
 * Where the broker is.
 *
 * @throws {UsageError} If the flag or MQ_URL cannot be read.
 */
export function brokerAddress(flag: string | undefined, io: Io, command: string): Address {
  const [source, text] = flag !== undefined ? ["--server", flag] : ["MQ_URL", io.env.MQ_URL || "localhost"];
  try {
    return parseAddress(text);
  } catch (error) {
    throw new UsageError(`${source}: ${(error as MqError).message}`, `mq ${command} -s localhost:3001`);
  }
}

/** The command that starts a broker at an address. */
export function howToStart({ hostname, port }: Address): string {
  const host = hostname === "localhost" ? "" : ` --host ${hostname}`;
  return `mq server${host}${port === DEFAULT_PORT ? "" : ` --port ${port}`}`;
}

/** Connects, and if no broker is there yet, says so and waits for it. */
export async function connectPatiently(command: string, options: ConnectOptions & Address, io: Io): Promise<Client> {
  try {
    return await connect({ ...options, signal: io.signal });
  } catch (error) {
    if (!(error instanceof ConnectionError) || error.code !== "unreachable") throw error;
    io.stderr.line(`mq ${command}: ${error.message}; waiting for it (start one with: ${howToStart(options)})`);
    const client = await connect({ ...options, signal: io.signal, wait: true });
    io.stderr.line(`mq ${command}: connected to ${formatAddress(options)}`);
    return client;
  }
}

/** Says on stderr when the connection breaks and when it is back. */
export function tellConnection(command: string, client: Client, io: Io): void {
  let lastNotice = "";
  client.addEventListener("notice", ({ detail }) => {
    lastNotice = detail.message;
    io.stderr.line(`mq ${command}: ${lastNotice}`);
  });
  client.addEventListener("disconnect", ({ detail: { message } }) => {
    const why = message === lastNotice ? "" : ` (${message})`; // It has been told just now.
    io.stderr.line(`mq ${command}: lost the broker${why}; trying again`);
  });
  client.addEventListener("reconnect", () => io.stderr.line(`mq ${command}: connected to ${client.address} again`));
}

/** Has what the library says of a name or a pattern that was typed told as misuse. */
export function checkTyped(hint: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new UsageError(error.message, hint);
  }
}
