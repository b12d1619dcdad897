/**
 * What all commands share that connect to a broker: the flags for its address, the connection, and messages about it.
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
import { InvalidValueError } from "./errors.ts";
import type { Io } from "./stdio.ts";

/** How many unmatched patterns a warning lists. */
const MAX_UNMATCHED_PATTERNS = 5;

/** A file with CA certificates. */
export interface CaFile {
  /** Its absolute path. */
  readonly path: string;
  /** Its text. */
  readonly pem: string;
}

/** The flags for the broker's address and certificate. */
export const brokerFlags = {
  server: option("HOST:PORT", "The address of the broker; mqs://HOST:PORT for TLS.", (text) => text, {
    short: "s",
    suggestFor: ["broker", "url", "uri", "address", "addr", "host", "hostname", "port", "connect", "to", "p", "u", "H"],
    suggestForValue: /^(?:mqs?:\/\/\S+|(?:\[[\da-fA-F:.]+\]|[A-Za-z\d][\w.-]*):\d{1,5})$/,
    defaultValue: ["$MQ_URL, or localhost:3001", undefined],
  }),
  "tls-ca": option(
    "FILE",
    "The certificate, or CA certificate, to trust with mqs://.",
    (path): CaFile => ({ path: resolve(path), pem: certificateFile(path) }),
    { defaultValue: ["$MQ_TLS_CA", undefined], variable: "MQ_TLS_CA" },
  ),
} satisfies Flags;

/** The broker's address, the certificates to trust and the token. */
export type BrokerAccess = Address & Pick<ConnectOptions, "caCerts" | "token">;

/** `--json`. */
export const jsonFlag: Flag<boolean> = toggle("Print one JSON object per line: {id, at, from, event, data}.");

/** `--hops N`. A handler of `mq on` or `mq reply` has it in its environment. */
export const hopsFlag: Flag<number> = option(
  "N",
  "How many handlers republished the event; mq on stops loops.",
  integer(0, MAX_HOPS),
  { defaultValue: ["$MQ_HOPS, or 0", 0], variable: "MQ_HOPS" },
);

/** `--name WORD`: the name of the connection. */
export function nameFlag(defaultName: string): Flag<string> {
  return option("WORD", "The name of its connection.", (text) => text, { defaultValue: [defaultName, defaultName] });
}

/** Parses a flag value that is the path of a PEM file with a certificate; returns the text of the file. */
export function certificateFile(path: string): string {
  const pem = textFile(path);
  if (pem.includes("-----BEGIN CERTIFICATE-----")) return pem;
  throw new InvalidValueError("a PEM file with a certificate in it");
}

/**
 * The address, certificates and token to connect with.
 *
 * @throws {UsageError} If `--server`, MQ_URL or MQ_TOKEN is invalid.
 */
export function brokerAccess(flags: Values<typeof brokerFlags>, io: Io, command: string): BrokerAccess {
  const { server } = flags;
  const [source, text] = server !== undefined ? ["--server", server] : ["MQ_URL", io.env.MQ_URL || "localhost"];
  const caFile = flags["tls-ca"];
  const caCerts = caFile && [caFile.pem];
  const example = /^\w+:\/\/([\w.-]+(?::\d{1,5})?)\/?$/.exec(text)?.[1] ?? "localhost:3001";
  const address = withSource(source, `mq ${command} -s ${example}`, () => parseAddress(text));
  return { ...address, caCerts, token: tokenOf(io) };
}

/**
 * The token in MQ_TOKEN, if it is set.
 *
 * @throws {UsageError} If it is no valid token.
 */
export function tokenOf({ env: { MQ_TOKEN } }: Io): string | undefined {
  if (!MQ_TOKEN) return undefined;
  return withSource("MQ_TOKEN", "MQ_TOKEN=$(openssl rand -hex 16)", () => parseToken(MQ_TOKEN));
}

/** The environment with which mq in a handler reaches the same broker. MQ_TOKEN is inherited. */
export function handlerEnvironment(
  { "tls-ca": caFile }: Values<typeof brokerFlags>,
  access: Address,
): Record<string, string> {
  const url = `${access.tls ? "mqs" : "mq"}://${formatAddress(access)}`;
  return { MQ_URL: url, ...caFile && { MQ_TLS_CA: caFile.path } };
}

/** Turns an error of a parser into a usage error that names the flag or variable that the text came from. */
function withSource<T>(name: string, hint: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
    throw new UsageError(`${name}: ${error.message}`, hint);
  }
}

/** The command that starts a broker at that address. */
export function startCommandFor({ hostname, port, tls }: Address): string {
  const host = hostname === "localhost" ? "" : ` --host ${hostname}`;
  const certificate = tls ? " --tls-cert cert.pem --tls-key key.pem" : "";
  return `mq server${host}${port === DEFAULT_PORT ? "" : ` --port ${port}`}${certificate}`;
}

/**
 * Connects to the broker. The error of a failed connection ends with a hint, where there is one.
 *
 * @param options The address and how to connect.
 * @param startCommand The command that starts a broker there.
 */
export async function connectWithHint(
  options: ConnectOptions & Address,
  startCommand: string = startCommandFor(options),
): Promise<Client> {
  try {
    return await connect(options);
  } catch (error) {
    throw error instanceof MqError ? withHint(error, options, startCommand) : error;
  }
}

function withHint(error: MqError, options: ConnectOptions, startCommand: string): MqError {
  const hint = hintFor(error, options, startCommand);
  return hint === undefined ? error : new MqError(error.code, `${error.message}; ${hint}`, { cause: error });
}

function hintFor({ code, cause }: MqError, { token }: ConnectOptions, startCommand: string): string | undefined {
  switch (code) {
    case "unreachable":
      return cause instanceof Deno.errors.ConnectionRefused ? `start one with: ${startCommand}` : undefined;
    case "unauthorized":
      return token === undefined ? "set MQ_TOKEN" : "check MQ_TOKEN";
    case "no-tls":
      return "to connect without TLS, use mq:// instead of mqs://";
    case "untrusted":
      return "to trust it, pass its certificate or its CA's with --tls-ca FILE";
  }
}

/** Connects to the broker. While none answers it logs that once and keeps trying. */
export async function connectAndWait(command: string, options: ConnectOptions & Address, io: Io): Promise<Client> {
  const startCommand = startCommandFor(options);
  try {
    return await connect({ ...options, signal: io.signal });
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
    if (error.code !== "unreachable") throw withHint(error, options, startCommand);
    const hint = hintFor(error, options, startCommand);
    io.stderr.line(`mq ${command}: ${error.message}; waiting for it${hint === undefined ? "" : ` (${hint})`}`);
    const client = await connectWithHint({ ...options, signal: io.signal, wait: true });
    io.stderr.line(`mq ${command}: connected to ${formatAddress(options)}`);
    return client;
  }
}

/** Logs lost and restored connections, and notices and dropped events of the broker, to stderr. */
export function logConnection(command: string, client: Client, io: Io): void {
  let lastNotice = "";
  client.addEventListener("notice", ({ detail }) => {
    lastNotice = detail.message;
    io.stderr.line(`mq ${command}: ${lastNotice}`);
  });
  client.addEventListener("disconnect", ({ detail: { message } }) => {
    const why = message === lastNotice ? "" : ` (${message})`; // The same text was just printed as a notice.
    io.stderr.line(`mq ${command}: lost the connection${why}; reconnecting`);
  });
  client.addEventListener("dropped", ({ detail }) => {
    io.stderr.line(`mq ${command}: the broker dropped ${count(detail, "event")}: this client reads too slowly`);
  });
  client.addEventListener("reconnect", () => io.stderr.line(`mq ${command}: reconnected to ${client.address}`));
}

/** Logs events that the subscription dropped because too many were waiting: at most once a second, and when disposed. */
export function logDropped(command: string, subscription: Subscription, io: Io): Disposable {
  let logged = 0;
  const log = () => {
    const dropped = subscription.dropped - logged;
    if (dropped === 0) return;
    logged += dropped;
    io.stderr.line(`mq ${command}: dropped ${count(dropped, "event")}: they arrive faster than they are handled`);
  };
  const timer = setInterval(log, 1000);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      log();
    },
  };
}

/** A signal that is aborted with another one, or when the client stops reconnecting. */
export function abortWhenLost(client: Client, signal: AbortSignal): AbortSignal {
  const lost = new AbortController();
  client.closed.then((error) => error && lost.abort(error));
  return AbortSignal.any([signal, lost.signal]);
}

/** Warns of patterns that match no event that the broker recognizes. */
export function warnOfUnmatchedPatterns(command: string, patterns: readonly string[], client: Client, io: Io): void {
  const { events } = client.hello;
  const recognized = [...events, "mq.>"].map((text) => new Pattern(text));
  const unmatched = patterns.filter((text) => !recognized.some((pattern) => pattern.overlaps(new Pattern(text))));
  if (unmatched.length === 0) return;
  const which = `${formatPatterns(unmatched.map(quote), MAX_UNMATCHED_PATTERNS)} match${
    unmatched.length === 1 ? "es" : ""
  }`;
  io.stderr.line(
    `mq ${command}: the broker recognizes no event that ${which}; it recognizes ${formatPatterns(events)}`,
  );
}

/** Turns a ProtocolError about a name or pattern from the command line into a usage error. */
export function asUsageError<T>(hint: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new UsageError(error.message, hint);
  }
}
