/**
 * The gateway: a broker for those who speak HTTP, browsers above all.
 *
 * @module
 */
import { formatAddress } from "../protocol/address.ts";
import type { Broker } from "../broker.ts";
import { dataFromText } from "../protocol/data.ts";
import { MqError, quote } from "../protocol/errors.ts";
import { checkPublishable } from "../protocol/event.ts";
import { Pattern } from "../protocol/pattern.ts";
import { type Certificate, type Closable, listenAt } from "../net/listen.ts";
import { formatEvent } from "../protocol/lines.ts";
import { atMost } from "../net/time.ts";
import { bearerToken, checkAccess, parseOrigin, type Policy } from "./access.ts";
import { readBody } from "./body.ts";
import { eventStream } from "./server_sent_events.ts";
import { Metrics } from "./metrics.ts";
import { type Page, pageResponses } from "./page.ts";
import { json, refusal, text } from "./responses.ts";
import { checkMedia, checkParameters } from "./request.ts";
import { type HttpPeer, Session } from "./session.ts";
import { SocketTransport } from "./websocket.ts";

/** How long a WebSocket may leave a ping unanswered, in seconds. The broker's own `/ping` ends it where that is sooner. */
const IDLE_TIMEOUT_S = 30;

/** How long a browser may remember what a page of another origin may do, in seconds. */
const PREFLIGHT_AGE_S = 600;

/** To listen on these is to listen on all addresses of the machine. */
const EVERY_ADDRESS: readonly string[] = ["0.0.0.0", "::"];

/** A gateway's port unless told otherwise. */
export const DEFAULT_WEB_PORT = 8080;

/** Options of {@linkcode serveWeb}. */
export interface WebOptions {
  /**
   * The host name or address. `localhost` is both 127.0.0.1 and, where the machine has it, ::1.
   *
   * @default {"localhost"}
   */
  hostname?: string;
  /**
   * The port; 0 is one that is free.
   *
   * @default {8080}
   */
  port?: number;
  /** With a certificate, it speaks TLS. */
  tls?: Certificate;
  /**
   * The origins of pages that may use it besides its own, such as `https://example.org`.
   *
   * @default {[]}
   */
  origins?: readonly string[];
  /** The page that it shows. Without it there is none. */
  page?: Page;
}

/** A gateway that is open. */
export interface WebGateway extends AsyncDisposable {
  /** Where it listens. */
  readonly addrs: Deno.NetAddr[];
  /** Where a browser on this machine finds it, such as `http://localhost:8080/`. */
  readonly url: string;
  /**
   * Ends all that goes through it, and closes it. It may be called at any time.
   *
   * @param graceMs After how many milliseconds what is not over is cut off. Default: the broker's `limits.drainMs`.
   */
  close(graceMs?: number): Promise<void>;
}

/**
 * Opens a broker to HTTP: `/ws` speaks the line protocol over WebSocket, `POST /pub/NAME` publishes, `/events?pattern=P`
 * sends events, and `/stats`, `/metrics` and `/healthz` tell how it is. docs/protocol.md, section 13, is the contract.
 *
 * @param broker The broker. It is not closed with the gateway.
 * @param options Where, for whom, and with which page.
 * @returns The gateway, open.
 * @throws {MqError} With the code `address-in-use`, `cannot-listen`, `bad-certificate` or `bad-origin`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker } from "../broker.ts";
 *
 * await using broker = new Broker();
 * await using web = await serveWeb(broker, { hostname: "127.0.0.1", port: 0 });
 * const response = await fetch(`http://127.0.0.1:${web.addrs[0].port}/pub/create`, { method: "POST", body: '{"id":1}' });
 * assertEquals([response.status, (await response.json()).receivers], [202, 0]);
 * ```
 */
export async function serveWeb(broker: Broker, options: WebOptions = {}): Promise<WebGateway> {
  return new Gateway(broker, options, await Metrics.of(broker));
}

/** A request, and what is known of it. */
interface Call {
  readonly request: Request;
  readonly url: URL;
  readonly peer: HttpPeer;
  /** Settled when the answer has been sent, or cannot be. */
  readonly completed: Promise<void>;
}

type Handler = (call: Call) => Response | Promise<Response>;

/** What there is at a path. */
interface Route {
  readonly methods: Readonly<Record<string, Handler>>;
  /** Whether a token is asked for, where the broker has some. */
  readonly isGuarded: boolean;
  /** The parameters that it takes; none if that is left out. */
  readonly parameters?: readonly string[];
}

/** What goes through the gateway for longer than an answer takes. */
interface Open {
  close(): void;
}

class Gateway implements WebGateway {
  readonly #broker: Broker;
  readonly #policy: Policy;
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #servers: (Closable & { readonly finished: Promise<void> })[];
  readonly #open = new Set<Open>();
  readonly #tasks = new Set<Promise<void>>();
  #closing: Promise<void> | undefined;

  constructor(broker: Broker, options: WebOptions, metrics: Metrics) {
    const { hostname = "localhost", port = DEFAULT_WEB_PORT, tls, origins = [], page } = options;
    this.#broker = broker;
    this.#policy = { isSecure: tls !== undefined, hostname, origins: origins.map(parseOrigin) };
    this.#routes = new Map([...pageRoutes(page), ...this.#ownRoutes(metrics)]);
    this.#servers = listenAt({ hostname, port, tls }, (place) => {
      const ending = new AbortController();
      const { signal } = ending;
      const handler: Deno.ServeHandler<Deno.NetAddr> = (request, info) => this.#handle(request, info);
      const { addr, finished } = Deno.serve({
        ...place,
        ...tls,
        signal,
        onListen() {},
        onError: (error) => refusal(error),
      }, handler);
      return { addr, finished, close: () => ending.abort() };
    });
  }

  get addrs(): Deno.NetAddr[] {
    return this.#servers.map(({ addr }) => addr as Deno.NetAddr);
  }

  get url(): string {
    const { isSecure, hostname } = this.#policy;
    const host = EVERY_ADDRESS.includes(hostname) ? "localhost" : hostname;
    return `${isSecure ? "https" : "http"}://${formatAddress({ hostname: host, port: this.addrs[0].port })}/`;
  }

  close(graceMs: number = this.#broker.limits.drainMs): Promise<void> {
    this.#closing ??= Promise.resolve().then(() => this.#drain(graceMs)); // Who calls it may be in the midst of something.
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #drain(graceMs: number): Promise<void> {
    for (const open of this.#open) open.close();
    await atMost(graceMs, Promise.all(this.#tasks)); // What is left is cut off.
    for (const server of this.#servers) server.close();
    await Promise.all(this.#servers.map(({ finished }) => finished));
  }

  /** Keeps what is open until it has ended, so that closing can end it, and wait for that. */
  #keep(ended: Promise<void>, open?: Open): void {
    if (open) this.#open.add(open);
    const kept = ended.catch(() => {}).finally(() => { // Whether it broke or came to its end: it is over. // One who has gone away is no fault.
      this.#tasks.delete(kept);
      if (open) this.#open.delete(open);
    });
    this.#tasks.add(kept);
  }

  #ownRoutes(metrics: Metrics): [path: string, Route][] {
    const healthz: Handler = () => text(200, "text/plain", "ok\n");
    const stats: Handler = () => json(200, this.#broker.stats());
    const parameters = ["pattern", "lastEventId"]; // Polyfills of EventSource add the latter when they come again.
    const figures: Handler = async () => text(200, metrics.type, await metrics.text());
    return [
      ["/ws", { isGuarded: false, methods: { GET: (call) => this.#upgrade(call) } }], // Its /hello shows the token.
      ["/healthz", { isGuarded: false, methods: { GET: healthz, HEAD: healthz } }],
      ["/stats", { isGuarded: true, methods: { GET: stats, HEAD: stats } }],
      ["/metrics", { isGuarded: true, methods: { GET: figures, HEAD: figures } }],
      ["/events", { isGuarded: true, methods: { GET: (call) => this.#listen(call), HEAD: wouldListen }, parameters }],
      ["/pub/", { isGuarded: true, methods: { POST: (call) => this.#publish(call) } }],
    ];
  }

  async #handle(request: Request, info: Deno.ServeHandlerInfo<Deno.NetAddr>): Promise<Response> {
    this.#keep(info.completed);
    try {
      const origin = checkAccess(request, this.#policy);
      const response = await this.#answer(request, info, origin).catch((error) => refusal(error));
      if (origin !== undefined && response.status !== 101) shareWith(origin, response.headers);
      return response;
    } catch (error) {
      return refusal(error);
    }
  }

  async #answer(request: Request, info: Deno.ServeHandlerInfo<Deno.NetAddr>, origin?: string): Promise<Response> {
    const url = new URL(request.url);
    const route = this.#routes.get(url.pathname.startsWith("/pub/") ? "/pub/" : url.pathname);
    if (route === undefined) throw this.#notFound(url.pathname);
    const allowed = [...Object.keys(route.methods), "OPTIONS"].join(", ");
    if (request.method === "OPTIONS") return options(allowed, request.headers, origin);
    if (!Object.hasOwn(route.methods, request.method)) return wrongMethod(request.method, url.pathname, allowed);
    if (this.#closing) throw new MqError("draining", "The gateway is going down");
    const token = bearerToken(request.headers);
    if (route.isGuarded && this.#broker.authorize(token) === undefined) throw unauthorized(token);
    checkParameters(url, route.parameters ?? []);
    const { remoteAddr, completed } = info;
    return await route.methods[request.method]({ request, url, peer: { remoteAddr, token }, completed });
  }

  #notFound(path: string): MqError {
    const there = this.#routes.keys().map((path) => path === "/pub/" ? "/pub/NAME" : path).toArray().join(", ");
    return new MqError("not-found", `There is nothing at ${quote(path)}: there are ${there}`);
  }

  #upgrade({ request, peer }: Call): Response {
    const { socket, response } = upgrade(request);
    socket.onopen = () => {
      if (this.#closing) return socket.close();
      const transport = new SocketTransport(socket, peer.remoteAddr, this.#broker.limits.outboxBytes);
      this.#keep(transport.closed, transport);
      this.#broker.attach(transport);
    };
    return response;
  }

  /** A program that comes, publishes an event, and leaves. */
  async #publish({ request, url, peer }: Call): Promise<Response> {
    const name = decodeName(url.pathname.slice("/pub/".length));
    checkPublishable(name);
    checkMedia(request.headers);
    const data = dataFromText(await readBody(request.body, this.#broker.limits.lineBytes));
    const session = new Session(this.#broker, peer);
    try {
      session.send("/unsub >");
      session.send(`/pub 1 ${formatEvent(name, data)}`);
      session.send("/quit");
      return json(202, JSON.parse(await session.answer("1")));
    } finally {
      session.close();
    }
  }

  /** A program that listens until it leaves. */
  async #listen({ url, peer, completed }: Call): Promise<Response> {
    const patterns = patternsOf(url);
    const session = new Session(this.#broker, peer);
    this.#keep(completed, session);
    try {
      session.send(`/sub ${patterns.join(" ") || ">"}`);
      await session.answer("sub");
    } catch (error) {
      session.close();
      throw error;
    }
    return text(200, "text/event-stream", eventStream(session));
  }
}

/** What `/events` would answer: nobody listens. */
function wouldListen({ url }: Call): Response {
  patternsOf(url);
  return text(200, "text/event-stream", "");
}

function patternsOf(url: URL): string[] {
  return url.searchParams.getAll("pattern").map((text) => new Pattern(text).text);
}

function pageRoutes(page: Page | undefined): [path: string, Route][] {
  if (page === undefined) return [];
  return pageResponses(page).map(([path, respond]) => [
    path,
    { isGuarded: false, methods: { GET: respond, HEAD: respond } },
  ]);
}

/** What the script of another page may see, and send along. */
function shareWith(origin: string, headers: Headers): void {
  headers.set("access-control-allow-origin", origin);
  headers.append("vary", "origin");
}

/**
 * What can be done with it. A browser asks that, too, before its page sends what no form could; such a page may send any
 * header, for nothing depends on one that it could forge.
 */
function options(allow: string, asked: Headers, origin: string | undefined): Response {
  const isPreflight = origin !== undefined && asked.has("access-control-request-method");
  const preflight = {
    "access-control-allow-methods": allow,
    "access-control-allow-headers": asked.get("access-control-request-headers") ?? "",
    "access-control-max-age": String(PREFLIGHT_AGE_S),
    vary: "access-control-request-headers",
  };
  return new Response(null, { status: 204, headers: { allow, ...isPreflight ? preflight : {} } });
}

function wrongMethod(method: string, path: string, allowed: string): Response {
  const error = new MqError("bad-method", `Cannot ${quote(method)} ${quote(path)}: it takes ${allowed}`);
  return refusal(error, { allow: allowed });
}

function unauthorized(token: string | undefined): MqError {
  const why = token === undefined
    ? "this broker asks for a token: Authorization: Bearer TOKEN"
    : "it is not the right token";
  return new MqError("unauthorized", `Cannot let you in: ${why}`);
}

function upgrade(request: Request): Deno.WebSocketUpgrade {
  try {
    return Deno.upgradeWebSocket(request, { idleTimeout: IDLE_TIMEOUT_S });
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause; // Which tells of headers that ask for no WebSocket.
    throw new MqError("no-upgrade", "Cannot answer: this is for WebSockets, which speak the line protocol", { cause });
  }
}

/** The path's last part. What cannot be decoded is no name either. */
function decodeName(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    if (error instanceof URIError) return part;
    throw error;
  }
}
