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
import { certificateFile, checkTyped, jsonFlag, tokenOf } from "./shared/broker_flags.ts";
import { choice, defineCommand, integer, option, textFile, toggle, UsageError, type Values } from "./command.ts";
import { titleOf } from "./commands.ts";
import { type Events, eventsFlag, isList, readCatalog } from "./shared/events_flag.ts";
import { shown } from "./shared/mistakes.ts";
import { FormError, ValueError } from "./shared/readers.ts";
import { limitFlags, limitsOf } from "./server/limit_flags.ts";
import { jsonLog, type Listening, outliveLog, type Security, TextLog } from "./server/log.ts";
import { type Server, stopServer } from "./server/stop.ts";
import { aborted, type Io } from "./shared/stdio.ts";
import { webFlag, webOriginFlag } from "./server/web_flags.ts";

/** How many different faults are said. */
const MAX_SAID = 100;

const port = integer(0, 65535);

const flags = {
  host: option("HOST", "The address to listen on.", (text) => text, {
    fallback: ["localhost", "localhost"],
    aliases: ["address", "addr", "bind", "hostname", "interface"],
    looks: /^(?:localhost|\d{1,3}(?:\.\d{1,3}){3})$/,
  }),
  port: option("PORT", "The port to listen on; 0 takes a free one.", port, {
    fallback: [String(DEFAULT_PORT), DEFAULT_PORT],
    aliases: ["p", "listen"],
    looks: /^\d{1,5}$/,
  }),
  events: eventsFlag("LIST", "What it recognizes, or a catalog of that.", DEFAULT_EVENTS),
  "token-file": option("FILE", "Tokens that let clients in, one a line.", tokenFile, {
    fallback: ["$MQ_TOKEN, or anybody may come in", undefined],
    aliases: ["token", "tokens", "auth"],
  }),
  "tls-cert": option("FILE", "Its certificate: with it, it speaks TLS.", certificateFile, {
    aliases: ["cert", "certificate", "tls", "ssl"],
  }),
  "tls-key": option("FILE", "The key of that certificate.", textFile, { aliases: ["key"] }),
  slow: option(
    "WORD",
    "What becomes of who reads too slowly: disconnect, or drop events.",
    choice<SlowPolicy>("disconnect", "drop"),
    {
      fallback: ["disconnect", "disconnect" as SlowPolicy],
    },
  ),
  classic: option(
    "FORM",
    "For classic clients, which send no line ends: text or json is what they get.",
    choice<ClassicForm>("text", "json"),
  ),
  "classic-port": option("PORT", "Where these come in, beside all others.", port, {
    fallback: ["--port, and no others", undefined],
  }),
  "classic-keys": option(
    "NAME,DATA",
    "The keys of an event's name and its data in their objects.",
    classicKeys,
    { fallback: ["as in the last object that came", undefined] },
  ),
  "classic-default": option("NAME", "The event that is made of their messages without a name.", classicName, {
    fallback: ["none, they are refused", undefined],
  }),
  web: webFlag,
  "web-origin": webOriginFlag,
  ...limitFlags,
  verbose: toggle("Log every event, too.", { short: "v", aliases: ["debug", "loud", "trace", "log"] }),
  json: jsonFlag,
};

function tokenFile(path: string): Token[] {
  try {
    return parseTokens(textFile(path));
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
    throw new ValueError(`${shown(path)}: ${error.message}`);
  }
}

function classicKeys(text: string): ClassicKeys {
  const [name, data, ...more] = text.split(",").map((key) => key.trim());
  if (name && data && name !== data && more.length === 0) return { name, data };
  throw new FormError("two keys with a comma between them, such as eventType,eventMessage");
}

function classicName(text: string): string {
  if (isName(modernPattern(text))) return text;
  throw new FormError("an event's name");
}

/** The options of {@linkcode startServer}. */
export type ServerFlags = Values<typeof flags>;

/** The command. */
export const server = defineCommand({
  ...titleOf("server"),
  description: "Keeps a pool of TCP connections. What it does not recognize is dropped, and the log says so.\n" +
    "localhost is both 127.0.0.1 and ::1. Ctrl-C drains and ends it, a second one ends it at once (exit code 130).\n" +
    "It ends with its terminal, too, but for one that has none: nohup mq server & stays.\n" +
    'A line of the token file is a token, which may have "publish" or "listen" before it: it is for that alone.\n' +
    "A catalog says what data events carry, and what does not fit is refused. It is a file in YAML or JSON: a document of\n" +
    'AsyncAPI, or {"NAME": {"description": "...", "schema": {...}, "example": ...}, ...} with schemas of JSON Schema\n' +
    "2020-12; a NAME may be a pattern, and each key of an event may be left out. A FILE is named with a slash in its\n" +
    "path (./shop), or with .json, .yml or .yaml at its end.",
  operands: { form: "", min: 0, max: 0 },
  flags,
  examples: [
    ["mq server", "on localhost:3001, recognizing create, read, update, delete, error"],
    ["mq server --events 'order.*,user.>'", "recognizing events by pattern"],
    ["mq server --events catalog.json", "recognizing the events of a catalog, with data that fits"],
    ["mq server --events '>' --verbose", "recognizing all events, and logging them"],
    ["mq server --port 4000 --json", "on another port, with a log for programs"],
    ["mq server --host 0.0.0.0 --token-file token.txt", "for the whole network, with a token"],
    ["mq server --tls-cert cert.pem --tls-key key.pem", "encrypted; clients take mqs://HOST:PORT"],
    ["mq server --classic json --classic-port 3002", "old clients, without line ends, on a port of their own"],
    ["mq server --classic json --classic-keys eventType,eventMessage", "old clients whose objects have these keys"],
    ["mq server --web 8080", "with a page that shows who talks to whom, at http://localhost:8080/"],
    ["mq server --slow drop --max-queue 4MiB", "never closes who reads slowly, but drops events"],
  ],
  permissions: ["net"],
  async run({ flags }, io) {
    const server = await startServer(flags, io);
    await aborted(io.signal);
    await stopServer(server, io);
    return 0;
  },
});

/** Starts a broker that logs to an Io's stdout, with its page if there is to be one. */
export async function startServer(given: ServerFlags, io: Io): Promise<Server> {
  outliveLog(io);
  const flags = { ...given, events: modernEvents(given) };
  const security = securityOf(flags, io);
  const log = flags.json ? jsonLog(io) : new TextLog(io, flags, security);
  const options: BrokerOptions = {
    ...await recognized(flags.events, io),
    limits: limitsOf(flags),
    tokens: security.tokens,
    slow: flags.slow,
    onSystemEvent: (name, data) => log.activity(name, data),
    onError: sayOnce(io),
    onPublish: flags.verbose
      ? (name, line, from, receivers) => log.published(name, line.slice(name.length).trimStart(), from, receivers)
      : undefined,
  };
  checkClassic(flags, security);
  checkWeb(flags);
  const broker = checkTyped("mq server --events 'order.*,user.>'", () => new Broker(options));
  const { listening, web } = await listen(broker, flags, security);
  log.listening(listening, web);
  return { broker, web };
}

/** Says of each fault that it is one, but not again and again. */
function sayOnce({ stderr }: Io): (error: unknown) => void {
  const said = new Set<string>();
  return (error) => {
    const message = error instanceof Error ? error.message : String(error);
    if (said.has(message) || said.size === MAX_SAID) return;
    said.add(message);
    stderr.line(`mq server: unexpected error: ${message}. This is a bug in mq; the broker goes on.`);
  };
}

/** What it is to recognize. The names of classic clients may have other forms, which a list may be written in, too. */
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
    throw new UsageError(`--tls-${given} needs --tls-${missing}, too`, hint);
  }
  const token = flags["token-file"] ? undefined : tokenOf(io);
  const tokens = flags["token-file"] ?? (token ? [{ token, scope: "all" } satisfies Token] : []);
  return { tokens, tls: cert === undefined || key === undefined ? undefined : { cert, key } };
}

/** The flags that say more of classic clients, each with a value to show. */
const CLASSIC_EXAMPLES = [
  ["classic-port", "3002"],
  ["classic-keys", "eventType,eventMessage"],
  ["classic-default", "create"],
] as const;

/** Classic clients know neither tokens nor TLS: a door for them would be one for everybody. */
function checkClassic({ classic, ...flags }: ServerFlags, { tokens, tls }: Security): void {
  if (classic === undefined) {
    const given = CLASSIC_EXAMPLES.find(([name]) => flags[name] !== undefined);
    if (given === undefined) return;
    throw new UsageError(`--${given[0]} needs --classic, too`, `mq server --classic json --${given.join(" ")}`);
  }
  if (tokens.length === 0 && tls === undefined) return;
  const [what, without] = tls === undefined ? ["a token", "--token-file and MQ_TOKEN"] : ["TLS", "--tls-cert"];
  throw new UsageError(
    `--classic lets in clients that know nothing of ${what}`,
    `a server of their own, without ${without}`,
  );
}

function checkWeb({ web, "web-origin": origins }: ServerFlags): void {
  if (web !== undefined || origins === undefined) return;
  throw new UsageError("--web-origin needs --web, too", `mq server --web ${DEFAULT_WEB_PORT} --web-origin ${origins}`);
}

async function listen(
  broker: Broker,
  flags: ServerFlags,
  { tls }: Security,
): Promise<{ listening: Listening; web: WebGateway | undefined }> {
  const { host: hostname, port, "classic-port": classicPort, web, "web-origin": origins } = flags;
  const codec = classicCodec(flags);
  const isApart = classicPort !== undefined;
  const main = { hostname, port, tls, codec: isApart ? undefined : codec };
  await hinting(["--port", "--host"], () => broker.listen(main));
  const { addrs, events } = broker;
  if (isApart) await hinting(["--classic-port", "--host"], () => broker.listen({ hostname, port: classicPort, codec }));
  const listening = main.codec
    ? { addrs: [], classicAddrs: addrs, events }
    : { addrs, classicAddrs: broker.addrs.slice(addrs.length), events };
  if (!web) return { listening, web: undefined };
  return { listening, web: await hinting(["--web", "--web"], () => serveWeb(broker, { ...web, tls, origins })) };
}

function classicCodec({ classic: form, ...flags }: ServerFlags): CodecFactory | undefined {
  if (form === undefined) return undefined;
  return classic({ form, keys: flags["classic-keys"], defaultName: flags["classic-default"] });
}

/** What the flags are called that say where to listen. */
type PlaceFlags = [port: string, host: string];

/** Listens; where that fails, the error says what to do. */
async function hinting<T>(flags: PlaceFlags, listen: () => Promise<T>): Promise<T> {
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
      return `choose another port with ${port}, or end that program`;
    case "bad-certificate":
      return "--tls-cert takes a certificate and --tls-key its key, both in the PEM format";
    case "classic":
      return "--classic-default takes one of the names in --events";
    default:
      return `${host} takes a name or an address of this machine`;
  }
}
