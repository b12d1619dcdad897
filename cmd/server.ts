/**
 * `mq server`: the broker.
 *
 * @module
 */
import { Broker } from "../lib/broker.ts";
import type { BrokerOptions, SlowPolicy } from "../lib/broker/options.ts";
import { DEFAULT_WEB_PORT, serveWeb, type WebGateway } from "../lib/http/gateway.ts";
import { classic } from "../lib/net/classic.ts";
import type { CodecFactory } from "../lib/net/codec.ts";
import { type ClassicForm, type ClassicKeys, modernPattern } from "../lib/protocol/classic.ts";
import { MqError } from "../lib/protocol/errors.ts";
import { DEFAULT_EVENTS, isName } from "../lib/protocol/event.ts";
import { DEFAULT_PORT } from "../lib/protocol/limits.ts";
import { parseTokens, type Token } from "../lib/protocol/tokens.ts";
import { asUsageError, certificateFile, jsonFlag, tokenOf } from "./shared/broker_flags.ts";
import { choice, defineCommand, integer, option, textFile, toggle, UsageError, type Values } from "./command.ts";
import { titleOf } from "./commands.ts";
import { type Events, eventsFlag, isList, readCatalog } from "./shared/events_flag.ts";
import { quoteIfNeeded } from "./shared/suggestions.ts";
import { InvalidValueError, UnusableValueError } from "./shared/errors.ts";
import { limitFlags, limitsOf } from "./server/limit_flags.ts";
import { continueWithoutLog, jsonLog, type Listening, type Security, TextLog } from "./server/log.ts";
import { type Server, stopServer } from "./server/stop.ts";
import { openStoreOf, storeFlags, storePermissions, warnOfUselessKeep } from "./server/store_flags.ts";
import { aborted, type Io } from "./shared/stdio.ts";
import { dropStorePermissions } from "./shared/store_permissions.ts";
import { webFlag, webOriginFlag } from "./server/web_flags.ts";

/** How many different unexpected errors are reported. */
const MAX_REPORTED_ERRORS = 100;

const port = integer(0, 65535);

const flags = {
  host: option("HOST", "The address to listen on.", (text) => text, {
    defaultValue: ["localhost", "localhost"],
    suggestFor: ["address", "addr", "bind", "hostname", "interface"],
    suggestForValue: /^(?:localhost|\d{1,3}(?:\.\d{1,3}){3})$/,
  }),
  port: option("PORT", "The port to listen on; 0 takes a free one.", port, {
    defaultValue: [String(DEFAULT_PORT), DEFAULT_PORT],
    suggestFor: ["p", "listen"],
    suggestForValue: /^\d{1,5}$/,
  }),
  events: eventsFlag("LIST", "The events to recognize, or a catalog of them.", DEFAULT_EVENTS),
  "token-file": option("FILE", "Tokens that admit clients, one per line.", tokenFile, {
    defaultValue: ["$MQ_TOKEN, or no token needed", undefined],
    suggestFor: ["token", "tokens", "auth"],
  }),
  "tls-cert": option("FILE", "The certificate of the broker; turns TLS on.", certificateFile, {
    suggestFor: ["cert", "certificate", "tls", "ssl"],
  }),
  "tls-key": option("FILE", "The private key of that certificate.", textFile, { suggestFor: ["key"] }),
  slow: option(
    "WORD",
    "What happens to a client that reads too slowly: disconnect or drop.",
    choice<SlowPolicy>("disconnect", "drop"),
    {
      defaultValue: ["disconnect", "disconnect" as SlowPolicy],
    },
  ),
  classic: option(
    "FORM",
    "Accept classic clients, which send no line feeds, and write text or json to them.",
    choice<ClassicForm>("text", "json"),
  ),
  "classic-port": option("PORT", "A port of their own for classic clients.", port, {
    defaultValue: ["they share --port", undefined],
  }),
  "classic-keys": option(
    "NAME,DATA",
    "The keys of name and data in classic objects.",
    classicKeys,
    { defaultValue: ["as in the last object received", undefined] },
  ),
  "classic-default": option("NAME", "The event name for classic messages without one.", classicName, {
    defaultValue: ["none, they are refused", undefined],
  }),
  web: webFlag,
  "web-origin": webOriginFlag,
  ...storeFlags,
  ...limitFlags,
  verbose: toggle("Log every event.", { short: "v", suggestFor: ["debug", "loud", "trace", "log"] }),
  json: jsonFlag,
};

function tokenFile(path: string): Token[] {
  try {
    return parseTokens(textFile(path));
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
    throw new UnusableValueError(`${quoteIfNeeded(path)}: ${error.message}`);
  }
}

function classicKeys(text: string): ClassicKeys {
  const [name, data, ...more] = text.split(",").map((key) => key.trim());
  if (name && data && name !== data && more.length === 0) return { name, data };
  throw new InvalidValueError("two keys separated by a comma, such as eventType,eventMessage");
}

function classicName(text: string): string {
  if (isName(modernPattern(text))) return text;
  throw new InvalidValueError("an event's name");
}

/** The options of {@linkcode startServer}. */
export type ServerFlags = Values<typeof flags>;

export const server = defineCommand({
  ...titleOf("server"),
  description: "Accepts TCP connections and forwards the events it recognizes; others are dropped and logged.\n" +
    "localhost is both 127.0.0.1 and ::1. Ctrl-C drains all connections and exits, a second Ctrl-C exits at once (code 130).\n" +
    "It also exits when its terminal is closed, unless it was started without one: nohup mq server &\n" +
    'A line of the token file is a token; "publish" or "listen" before it limits the token to that.\n' +
    "With a catalog, events whose data does not conform to their schema are refused. A catalog is a YAML or JSON file: an\n" +
    'AsyncAPI document, or {"NAME": {"description": "...", "schema": {...}, "example": ...}, ...} with JSON Schema 2020-12;\n' +
    "a NAME may be a pattern, and each key of an event is optional. A FILE has a slash in its path (./shop) or ends in\n" +
    ".json, .yml or .yaml; anything else is a list.\n" +
    "With --store, an event is on disk when its publisher gets the receipt. What is older than --keep-for, or more than\n" +
    "--keep-bytes, is deleted, but jobs that have failed are kept. With --sync, a loss of power may take that much with it.",
  operands: { form: "", min: 0, max: 0 },
  flags,
  examples: [
    ["mq server", "on localhost:3001, recognizing the default events"],
    ["mq server --events 'order.*,user.>'", "recognizing the events that match these patterns"],
    ["mq server --events catalog.json", "recognizing a catalog, and validating the data"],
    ["mq server --events '>' --verbose", "recognizing and logging all events"],
    ["mq server --port 4000 --json", "on another port, with a log in JSON"],
    ["mq server --host 0.0.0.0 --token-file token.txt", "reachable from the network, with a token"],
    ["mq server --tls-cert cert.pem --tls-key key.pem", "with TLS; clients connect to mqs://HOST:PORT"],
    ["mq server --classic json --classic-port 3002", "classic clients on a port of their own"],
    ["mq server --classic json --classic-keys eventType,eventMessage", "classic clients whose objects have these keys"],
    ["mq server --web 8080", "with a web page at http://localhost:8080/"],
    ["mq server --slow drop --max-queue 4MiB", "drops events instead of disconnecting slow consumers"],
    ["mq server --store data", "with the events of the last 7 days in the folder data"],
    ["mq server --store data --keep 'order.>' --keep-for 30d", "keeps some events only, and longer"],
    ["mq server --store data --sync 100ms", "faster receipts; a loss of power may take 100 ms with it"],
  ],
  permissions: ["net"],
  openingPermissions: (flags: ServerFlags) => storePermissions(flags),
  async run({ flags }, io) {
    const server = await startServer(flags, io);
    dropStorePermissions();
    await aborted(io.signal);
    await stopServer(server, io);
    return 0;
  },
});

/** Starts a broker, and its web gateway if there is to be one. It logs to stdout. */
export async function startServer(given: ServerFlags, io: Io): Promise<Server> {
  continueWithoutLog(io);
  const flags = { ...given, events: modernEvents(given) };
  const security = securityOf(flags, io);
  const log = flags.json ? jsonLog(io) : new TextLog(io, flags, security);
  checkClassic(flags, security);
  checkWeb(flags);
  const events = await recognized(flags.events, io);
  const { options: stored, settings: store } = await openStoreOf(flags);
  const options: BrokerOptions = {
    ...events,
    ...stored,
    limits: limitsOf(flags),
    tokens: security.tokens,
    slow: flags.slow,
    onSystemEvent: (name, data) => log.activity(name, data),
    onError: reportOnce(io),
    onPublish: flags.verbose
      ? (name, line, from, receivers) => log.published(name, line.slice(name.length).trimStart(), from, receivers)
      : undefined,
  };
  const broker = asUsageError("mq server --events 'order.*,user.>'", () => new Broker(options));
  warnOfUselessKeep(flags.keep, broker.events, io);
  const { listening, web } = await listen(broker, flags, security);
  log.listening({ ...listening, store }, web);
  return { broker, web };
}

/** Reports each unexpected error once. */
function reportOnce({ stderr }: Io): (error: unknown) => void {
  const reported = new Set<string>();
  return (error) => {
    const message = error instanceof Error ? error.message : String(error);
    if (reported.has(message) || reported.size === MAX_REPORTED_ERRORS) return;
    reported.add(message);
    stderr.line(`mq server: unexpected error: ${message}. This is a bug in mq; the broker goes on.`);
  };
}

/** With `--classic`, a list of events may be written in the forms that classic clients use. */
function modernEvents({ events, classic }: ServerFlags): Events {
  return classic && isList(events) ? events.map(modernPattern) : events;
}

async function recognized(events: Events, io: Io): Promise<Pick<BrokerOptions, "events" | "catalog">> {
  return isList(events) ? { events } : { catalog: await readCatalog(events, "mq server", io) };
}

function securityOf(flags: ServerFlags, io: Io): Security {
  const [cert, key] = [flags["tls-cert"], flags["tls-key"]];
  if ((cert === undefined) !== (key === undefined)) {
    const [given, missing] = cert === undefined ? ["key", "cert"] : ["cert", "key"];
    const hint = "mq server --tls-cert cert.pem --tls-key key.pem";
    throw new UsageError(`--tls-${given} needs --tls-${missing}`, hint);
  }
  const token = flags["token-file"] ? undefined : tokenOf(io);
  const tokens = flags["token-file"] ?? (token ? [{ token, scope: "all" } satisfies Token] : []);
  return { tokens, tls: cert === undefined || key === undefined ? undefined : { cert, key } };
}

/** The flags that need `--classic`, each with an example value. */
const CLASSIC_EXAMPLES = [
  ["classic-port", "3002"],
  ["classic-keys", "eventType,eventMessage"],
  ["classic-default", "create"],
] as const;

/** Classic clients support neither tokens nor TLS, so that with them everybody could connect. */
function checkClassic({ classic, ...flags }: ServerFlags, { tokens, tls }: Security): void {
  if (classic === undefined) {
    const given = CLASSIC_EXAMPLES.find(([name]) => flags[name] !== undefined);
    if (given === undefined) return;
    throw new UsageError(`--${given[0]} needs --classic`, `mq server --classic json --${given.join(" ")}`);
  }
  if (tokens.length === 0 && tls === undefined) return;
  const [what, without] = tls === undefined ? ["a token", "--token-file and MQ_TOKEN"] : ["TLS", "--tls-cert"];
  throw new UsageError(
    `--classic admits clients that cannot use ${what}`,
    `a second broker for classic clients, without ${without}`,
  );
}

function checkWeb({ web, "web-origin": origins }: ServerFlags): void {
  if (web !== undefined || origins === undefined) return;
  throw new UsageError("--web-origin needs --web", `mq server --web ${DEFAULT_WEB_PORT} --web-origin ${origins}`);
}

async function listen(
  broker: Broker,
  flags: ServerFlags,
  { tls }: Security,
): Promise<{ listening: Omit<Listening, "store">; web: WebGateway | undefined }> {
  const { host: hostname, port, "classic-port": classicPort, web, "web-origin": origins } = flags;
  const codec = classicCodec(flags);
  const isApart = classicPort !== undefined;
  const main = { hostname, port, tls, codec: isApart ? undefined : codec };
  await listenWithHint(["--port", "--host"], () => broker.listen(main));
  const { addrs, events } = broker;
  if (isApart) {
    await listenWithHint(["--classic-port", "--host"], () => broker.listen({ hostname, port: classicPort, codec }));
  }
  const listening = main.codec
    ? { addrs: [], classicAddrs: addrs, events }
    : { addrs, classicAddrs: broker.addrs.slice(addrs.length), events };
  if (!web) return { listening, web: undefined };
  return { listening, web: await listenWithHint(["--web", "--web"], () => serveWeb(broker, { ...web, tls, origins })) };
}

function classicCodec({ classic: form, ...flags }: ServerFlags): CodecFactory | undefined {
  if (form === undefined) return undefined;
  return classic({ form, keys: flags["classic-keys"], defaultName: flags["classic-default"] });
}

/** The flags for port and host that a hint names. */
type PlaceFlags = [port: string, host: string];

/** Listens; the message of an error ends with what to do about it. */
async function listenWithHint<T>(flags: PlaceFlags, listen: () => Promise<T>): Promise<T> {
  try {
    return await listen();
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
    throw new MqError(error.code, `${error.message}; ${hintFor(error, flags)}`, { cause: error });
  }
}

function hintFor({ code }: MqError, [port, host]: PlaceFlags): string {
  switch (code) {
    case "address-in-use":
      return `choose another port with ${port}, or try again when it is free`;
    case "bad-certificate":
      return "--tls-cert takes a certificate and --tls-key its private key, both in PEM format";
    case "classic":
      return "--classic-default must be one of --events";
    default:
      return `${host} must be a name or an address of this machine`;
  }
}
