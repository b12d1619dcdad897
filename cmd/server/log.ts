/**
 * The log of `mq server`, as text or as JSON.
 *
 * @module
 */
import { bold, dim, green, red, yellow } from "@std/fmt/colors";
import type { SystemEvent } from "../../lib/broker/options.ts";
import type { WebGateway } from "../../lib/http/gateway.ts";
import type { Certificate } from "../../lib/net/listen.ts";
import { formatAddress } from "../../lib/protocol/address.ts";
import type { ClassicForm } from "../../lib/protocol/classic.ts";
import type { Json } from "../../lib/protocol/data.ts";
import { DEFAULT_EVENTS, MqEvent } from "../../lib/protocol/event.ts";
import { formatPatterns } from "../../lib/protocol/pattern.ts";
import { DEFAULT_PORT } from "../../lib/protocol/limits.ts";
import { BROKER_NAME } from "../../lib/protocol/lines.ts";
import type { Token } from "../../lib/protocol/tokens.ts";
import { VERSION } from "../../lib/protocol/version.ts";
import { type Events, eventsArgument, isList } from "../shared/events_flag.ts";
import {
  count,
  eventsFlagText,
  formatDuration,
  formatForPeople,
  formatJson,
  formatPatternList,
  formatTime,
  printable,
} from "../shared/format.ts";
import { describeWriteError } from "../shared/sink.ts";
import type { Io } from "../shared/stdio.ts";
import { describeStore, describeStoreEvent, storeJson, type StoreSettings } from "./store_log.ts";
import type { WebPlace } from "./web_flags.ts";

const DEFAULT_NAME_HINT = "--classic-default NAME, with a recognized name";
const CLASSIC_WARNING =
  "Anyone on the network can connect and publish: classic clients support neither tokens nor TLS.";

/** The tokens that admit clients, and the certificate for TLS. */
export interface Security {
  readonly tokens: Token[];
  readonly tls: Certificate | undefined;
}

/** The flags of `mq server` that the log shows. */
export interface LoggedFlags {
  readonly host: string;
  readonly port: number;
  readonly events: Events;
  readonly classic: ClassicForm | undefined;
  readonly web: WebPlace | undefined;
}

/** Where a broker listens, and the events that it recognizes. */
export interface Listening {
  /** The addresses for the line protocol. */
  readonly addrs: readonly Deno.NetAddr[];
  /** The addresses for classic clients. */
  readonly classicAddrs: readonly Deno.NetAddr[];
  readonly events: readonly string[];
  /** What is kept, and where. */
  readonly store: StoreSettings | undefined;
}

export interface ServerLog {
  listening(listening: Listening, web: WebGateway | undefined): void;
  activity(name: string, data: SystemEvent): void;
  published(name: string, text: string, from: string, receivers: number): void;
}

/** Lets the broker continue when its log cannot be written, which is reported once on stderr. */
export function continueWithoutLog({ stdout, stderr }: Io): void {
  stdout.continueAfterFailure((error) => {
    stderr.line(`mq server: Cannot write the log: ${describeWriteError(error)}. The broker continues without it`);
  });
}

/** The log of `--json`: one object per line. */
export function jsonLog(io: Io): ServerLog {
  const print = (name: string, from: string, text: string) =>
    io.stdout.line(formatJson(new MqEvent(name, text, { from }), { at: new Date() }));
  const activity = (name: string, data: Json) => print(name, "mq", JSON.stringify(data));
  return {
    listening: ({ addrs, classicAddrs, events, store }, web) =>
      activity("mq.listen", {
        addresses: addrs.map(formatAddress),
        classicAddresses: classicAddrs.map(formatAddress),
        web: web?.addrs.map(formatAddress) ?? [],
        events: [...events],
        ...store && { store: storeJson(store) },
      }),
    activity,
    published: (name, text, from) => print(name, from, text),
  };
}

/** The log as text. */
export class TextLog implements ServerLog {
  readonly #io: Io;
  readonly #flags: LoggedFlags;
  readonly #security: Security;

  constructor(io: Io, flags: LoggedFlags, security: Security) {
    this.#io = io;
    this.#flags = flags;
    this.#security = security;
  }

  listening({ addrs, classicAddrs, events, store }: Listening, web: WebGateway | undefined): void {
    const { tokens, tls } = this.#security;
    const { classic } = this.#flags;
    const how = `${tls ? " with TLS" : ""}${tokens.length > 0 ? ", for clients with a token" : ""}`;
    const places = [
      ...addrs.length > 0 ? [`${listed(addrs)}${how}`] : [],
      ...classicAddrs.length > 0 ? [`${listed(classicAddrs)} for classic clients (${classic})`] : [],
    ];
    this.#io.stdout.line(bold(`mq server ${VERSION} listens on ${places.join(", and on ")}`));
    this.#io.stdout.line(`Recognized events: ${formatPatterns(events)}`);
    if (store) this.#io.stdout.line(describeStore(store));
    if (addrs.length > 0) {
      this.#io.stdout.line(dim(`In other terminals: ${this.#tryThis(addrs[0].port)}. Ctrl-C ends it.`));
    }
    if (web) this.#io.stdout.line(`Web page: ${bold(web.url)}`);
    const all = [...addrs, ...classicAddrs, ...web?.addrs ?? []];
    if (all.some(({ hostname }) => !isLoopback(hostname))) this.#warn();
  }

  #tryThis(port: number): string {
    const { tokens, tls } = this.#security;
    const where = tls ? ` -s mqs://localhost:${port}` : port === DEFAULT_PORT ? "" : ` -s localhost:${port}`;
    const nc = tls || tokens.length > 0 ? "" : `, or nc localhost ${port}`;
    const { events } = this.#flags;
    const app = `mq app${where}${isList(events) ? "" : ` ${eventsArgument(events)}`}`;
    return `mq logger${where}, ${app}${nc}`;
  }

  /** Warns of a broker that the network can reach, and prints the command that secures it. */
  #warn(): void {
    const { tokens, tls } = this.#security;
    const isOpen = tokens.length === 0;
    if (!isOpen && tls) return;
    if (this.#flags.classic) return this.#io.stdout.line(yellow(CLASSIC_WARNING));
    const danger = isOpen ? "Anyone on the network can connect and publish." : "The token is sent without encryption.";
    this.#io.stdout.line(yellow(`${danger} To secure it:`));
    this.#io.stdout.line(`  mq server${securingFlags(this.#flags, isOpen)}`);
    if (isOpen) {
      this.#io.stdout.line(dim("  (a token: openssl rand -hex 16 > token.txt; a certificate: see the README)"));
    }
  }

  activity(name: string, data: SystemEvent): void {
    const line = this.#describe(name, data);
    if (line !== undefined) this.#print(line);
  }

  published(name: string, text: string, from: string, receivers: number): void {
    this.#io.stdout.line(`${formatForPeople(new MqEvent(name, text, { from }))} ${dim(`to ${receivers}`)}`);
  }

  #print(line: string): void {
    this.#io.stdout.line(`${dim(formatTime(new Date()))}  ${line}`);
  }

  #describe(name: string, data: SystemEvent): string | undefined {
    const who = printable(String(data.name));
    const times = Number(data.times);
    const isTold = Number.isInteger(Math.log10(times)); // The first time, the tenth, the hundredth and so on.
    const often = times > 1 ? ` (${times} times)` : "";
    switch (name) {
      case "mq.connect":
        return `${green("+")} ${who} connected from ${data.address}${data.classic ? " (classic)" : ""}`;
      case "mq.hello":
        return data.was === data.name ? undefined : `${green("=")} ${printable(String(data.was))} is ${who}`;
      case "mq.disconnect":
        return `${red("-")} ${who} disconnected (${data.reason}) after ${formatDuration(Number(data.connectedMs))}: ` +
          `${count(Number(data.published), "event")} published, ${data.delivered} received`;
      case "mq.unrecognized":
        return isTold ? this.#unrecognized(who, data) + often : undefined;
      case "mq.glued":
        return `${
          yellow("!")
        } ${who}: "${data.event}" stands within a message, which may be two messages that arrived ` +
          "as one: end each message with a line feed to keep them apart";
      case "mq.keys":
        return this.#keysChanged(who, data.keys as string[]);
      case "mq.refused":
        return isTold ? this.#refused(who, data) + often : undefined;
      case "mq.slow":
        return `${red("!")} ${who} (${
          describePatterns(data)
        }) reads too slowly: ${data.queuedBytes} bytes are queued for it, so ` +
          (data.policy === "drop" ? "events for it are dropped" : "it is disconnected");
      case "mq.dropped":
        return data.events === undefined
          ? `${red("!")} ${data.bytes} bytes for ${who} were lost: it disconnected before it read them`
          : `${red("!")} ${count(Number(data.events), "event")} for ${who} were dropped (${data.bytes} bytes)`;
      case "mq.throttled":
        return `${yellow("!")} ${who} publishes more than ${data.eventsPerSecond} events a second: further events wait`;
      case "mq.http":
        return `${green(">")} ${who} (${data.address}) published ${printable(String(data.event))} to ${data.receivers}`;
      case "mq.drain":
        return `Draining ${count(Number(data.connections), "connection")}`;
      default:
        return describeStoreEvent(name, data);
    }
  }

  #unrecognized(who: string, { event, guess }: SystemEvent): string {
    const { events } = this.#flags;
    const name = String(event);
    const admit = isList(events) ? eventsFlagText(events, name) : `add it to ${events.path}`;
    const orElse = guess ? `; if it is not meant as a name: ${DEFAULT_NAME_HINT}` : "";
    return `${yellow("!")} ${who}: "${name}" is not recognized and was dropped. To admit it: ${admit}${orElse}`;
  }

  #refused(who: string, { id, name, code, text }: SystemEvent): string {
    const advice = code === "no-name" ? `; to make it an event: ${DEFAULT_NAME_HINT}` : "";
    return `${yellow("!")} ${id === "" && name === BROKER_NAME ? "" : `${who}: `}${text}${advice}`;
  }

  #keysChanged(who: string, [name, data]: string[]): string {
    const object = `{${JSON.stringify(name)}:...,${JSON.stringify(data)}:...}`;
    return `${green("=")} Classic clients now get objects such as ${object}, which ${who} sends; ` +
      `--classic-keys ${name},${data} makes that permanent`;
  }
}

function describePatterns({ patterns, patternCount }: SystemEvent): string {
  const listed = patterns as string[];
  return formatPatternList(listed, Number(patternCount) - listed.length);
}

function listed(addrs: readonly Deno.NetAddr[]): string {
  return addrs.map(formatAddress).join(" and ");
}

function isLoopback(hostname: string): boolean {
  return hostname.startsWith("127.") || hostname === "::1";
}

/** The flags of a secure command: those that were given, with a token and a certificate. */
function securingFlags({ host, port, events, web }: LoggedFlags, needsToken: boolean): string {
  const given = [
    `--host ${host}`,
    port === DEFAULT_PORT || port === 0 ? "" : `--port ${port}`,
    isList(events) && events.join() === DEFAULT_EVENTS.join() ? "" : eventsArgument(events),
    web ? `--web ${web.hostname === "localhost" ? web.port : formatAddress(web)}` : "",
    needsToken ? "--token-file token.txt" : "",
    "--tls-cert cert.pem --tls-key key.pem",
  ];
  return given.filter((flag) => flag !== "").map((flag) => ` ${flag}`).join("");
}
