/**
 * What the commands that talk to a broker have in common: how they are told where it is, and how they wait for it.
 *
 * @module
 */
import { resolve } from "node:path";
import { type Client, connect } from "../../lib/client.ts";
import type { ConnectOptions } from "../../lib/client/options.ts";
import type { Subscription } from "../../lib/client/subscription.ts";
import { type Address, formatAddress, parseAddress } from "../../lib/protocol/address.ts";
import { MqError, ProtocolError, quote } from "../../lib/protocol/errors.ts";
import { formatPatterns, Pattern } from "../../lib/protocol/pattern.ts";
import { DEFAULT_PORT, MAX_HOPS } from "../../lib/protocol/limits.ts";
import { parseToken } from "../../lib/protocol/tokens.ts";
import { type Flag, type Flags, integer, option, textFile, toggle, UsageError, type Values } from "../command.ts";
import { count } from "./format.ts";
import { FormError } from "./readers.ts";
import type { Io } from "./stdio.ts";

/** How many patterns are told that no event matches. */
const MAX_DEAD_PATTERNS = 5;

/** A file with certificates to trust. */
export interface Authority {
  /** Where it is, wherever one is oneself. */
  readonly path: string;
  /** What is in it. */
  readonly pem: string;
}

/** The flags that say where the broker is, and whom to trust. */
export const brokerFlags = {
  server: option("HOST:PORT", "The broker; mqs://HOST:PORT if it speaks TLS.", (text) => text, {
    short: "s",
    aliases: ["broker", "url", "uri", "address", "addr", "host", "hostname", "port", "connect", "to", "p", "u", "H"],
    looks: /^(?:mqs?:\/\/\S+|(?:\[[\da-fA-F:.]+\]|[A-Za-z\d][\w.-]*):\d{1,5})$/,
    fallback: ["$MQ_URL, or localhost:3001", undefined],
  }),
  "tls-ca": option(
    "FILE",
    "A certificate to trust, where the broker is at mqs://.",
    (path): Authority => ({ path: resolve(path), pem: certificateFile(path) }),
    { fallback: ["$MQ_TLS_CA", undefined], variable: "MQ_TLS_CA" },
  ),
} satisfies Flags;

/** Where the broker is, whom to trust, and what lets one in. */
export type BrokerAccess = Address & Pick<ConnectOptions, "caCerts" | "token">;

/** `--json`. */
export const jsonFlag: Flag<boolean> = toggle("Print one JSON object a line: {id, at, from, event, data}.");

/** `--hops N`, which a handler of `mq on` or `mq reply` finds in its environment. */
export const hopsFlag: Flag<number> = option(
  "N",
  "How many hops are behind it: mq on stops what comes from a loop.",
  integer(0, MAX_HOPS),
  { fallback: ["$MQ_HOPS, or 0", 0], variable: "MQ_HOPS" },
);

/** `--name WORD`: not the name of an event. */
export function nameFlag(fallback: string): Flag<string> {
  return option("WORD", "What it calls itself.", (text) => text, { fallback: [fallback, fallback] });
}

/** A reader of certificates for {@linkcode option}: returns the text of a PEM file. */
export function certificateFile(path: string): string {
  const pem = textFile(path);
  if (pem.includes("-----BEGIN CERTIFICATE-----")) return pem;
  throw new FormError("a PEM file with a certificate in it");
}

/**
 * How to reach the broker.
 *
 * @throws {UsageError} If the flag or MQ_URL cannot be read.
 */
export function brokerAccess(flags: Values<typeof brokerFlags>, io: Io, command: string): BrokerAccess {
  const { server } = flags;
  const [source, text] = server !== undefined ? ["--server", server] : ["MQ_URL", io.env.MQ_URL || "localhost"];
  const authority = flags["tls-ca"];
  const caCerts = authority && [authority.pem];
  const example = /^\w+:\/\/([\w.-]+(?::\d{1,5})?)\/?$/.exec(text)?.[1] ?? "localhost:3001";
  const address = readVariable(source, `mq ${command} -s ${example}`, () => parseAddress(text));
  return { ...address, caCerts, token: tokenOf(io) };
}

/**
 * The token that MQ_TOKEN holds.
 *
 * @throws {UsageError} If it cannot be one.
 */
export function tokenOf({ env: { MQ_TOKEN } }: Io): string | undefined {
  if (!MQ_TOKEN) return undefined;
  return readVariable("MQ_TOKEN", "a token such as openssl rand -hex 16 makes", () => parseToken(MQ_TOKEN));
}

/** The variables by which mq in a handler finds the same broker. The token it has from mq's own environment. */
export function handlerEnvironment(
  { "tls-ca": authority }: Values<typeof brokerFlags>,
  access: Address,
): Record<string, string> {
  const url = `${access.tls ? "mqs" : "mq"}://${formatAddress(access)}`;
  return { MQ_URL: url, ...authority && { MQ_TLS_CA: authority.path } };
}

/** Has what is wrong with a flag or a variable told as misuse, with its name. */
function readVariable<T>(name: string, hint: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
    throw new UsageError(`${name}: ${error.message}`, hint);
  }
}

/** The command that starts a broker at an address. */
export function howToStart({ hostname, port, tls }: Address): string {
  const host = hostname === "localhost" ? "" : ` --host ${hostname}`;
  const certificate = tls ? " --tls-cert cert.pem --tls-key key.pem" : "";
  return `mq server${host}${port === DEFAULT_PORT ? "" : ` --port ${port}`}${certificate}`;
}

/**
 * Connects; where that fails and something can be done about it, the error says what.
 *
 * @param options How to connect.
 * @param toStart The command that starts a broker there.
 */
export async function connectOrSay(
  options: ConnectOptions & Address,
  toStart: string = howToStart(options),
): Promise<Client> {
  try {
    return await connect(options);
  } catch (error) {
    throw error instanceof MqError ? withHint(error, options, toStart) : error;
  }
}

function withHint(error: MqError, options: ConnectOptions, toStart: string): MqError {
  const hint = hintFor(error, options, toStart);
  return hint === undefined ? error : new MqError(error.code, `${error.message}; ${hint}`, { cause: error });
}

function hintFor({ code, cause }: MqError, { token }: ConnectOptions, toStart: string): string | undefined {
  switch (code) {
    case "unreachable":
      return cause instanceof Deno.errors.ConnectionRefused ? `start one with: ${toStart}` : undefined;
    case "unauthorized":
      return token === undefined ? "set MQ_TOKEN" : "check MQ_TOKEN";
    case "no-tls":
      return "without TLS its address begins with mq://";
    case "untrusted":
      return "name a file with it, or with its authority's: --tls-ca FILE";
  }
}

/** Connects, and if no broker is there yet, says so and waits for it. */
export async function connectPatiently(command: string, options: ConnectOptions & Address, io: Io): Promise<Client> {
  const toStart = howToStart(options);
  try {
    return await connect({ ...options, signal: io.signal });
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
    if (error.code !== "unreachable") throw withHint(error, options, toStart);
    const hint = hintFor(error, options, toStart);
    io.stderr.line(`mq ${command}: ${error.message}; waiting for it${hint === undefined ? "" : ` (${hint})`}`);
    const client = await connectOrSay({ ...options, signal: io.signal, wait: true });
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
  client.addEventListener("dropped", ({ detail }) => {
    io.stderr.line(
      `mq ${command}: ${count(detail, "event")} came faster than they were read, and the broker dropped them`,
    );
  });
  client.addEventListener("reconnect", () => io.stderr.line(`mq ${command}: connected to ${client.address} again`));
}

/** Says on stderr, once a second at most and when it is disposed of, how many events were dropped as too many to wait. */
export function tellDropped(command: string, subscription: Subscription, io: Io): Disposable {
  let told = 0;
  const tell = () => {
    const dropped = subscription.dropped - told;
    if (dropped === 0) return;
    told += dropped;
    io.stderr.line(`mq ${command}: ${count(dropped, "event")} came too fast and were dropped`);
  };
  const timer = setInterval(tell, 1000);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      tell();
    },
  };
}

/** Aborted by another signal or when the client no longer tries to reconnect: to go on would be in vain. */
export function untilLost(client: Client, signal: AbortSignal): AbortSignal {
  const lost = new AbortController();
  client.closed.then((error) => error && lost.abort(error));
  return AbortSignal.any([signal, lost.signal]);
}

/** Most likely a slip: the broker recognizes nothing that the pattern matches. */
export function warnOfDeadPatterns(command: string, patterns: readonly string[], client: Client, io: Io): void {
  const { events } = client.hello;
  const recognized = [...events, "mq.>"].map((text) => new Pattern(text));
  const dead = patterns.filter((text) => !recognized.some((pattern) => pattern.overlaps(new Pattern(text))));
  if (dead.length === 0) return;
  const which = `${formatPatterns(dead.map(quote), MAX_DEAD_PATTERNS)} match${dead.length === 1 ? "es" : ""}`;
  io.stderr.line(
    `mq ${command}: the broker recognizes no event that ${which}; it recognizes ${formatPatterns(events)}`,
  );
}

/** Has what the library says of a name or a pattern that was typed told as misuse. */
export function checkTyped<T>(hint: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new UsageError(error.message, hint);
  }
}
