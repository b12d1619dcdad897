/**
 * The gateway: a broker for clients that speak HTTP, above all browsers. It listens, finds the handler of each request, and
 * closes what it has opened.
 *
 * @module
 */
import { formatAddress } from "../protocol/address.ts";
import type { Broker } from "../broker.ts";
import { MqError, quote } from "../protocol/errors.ts";
import { Pattern } from "../protocol/pattern.ts";
import { type Certificate, type Closable, listenAt } from "../net/listen.ts";
import { atMost } from "../net/time.ts";
import { type AccessPolicy, authorize, bearerToken, checkAccess, type HttpPeer, parseOrigin } from "./access.ts";
import { Metrics } from "./metrics.ts";
import { publishRequest } from "./publish.ts";
import { json, options, type Page, pageResponses, refusal, shareWith, text } from "./responses.ts";
import { EventStream } from "./server_sent_events.ts";
import { upgrade, WebSocketTransport } from "./websocket.ts";

/** The addresses that mean all addresses of the machine. */
const ALL_ADDRESSES: readonly string[] = ["0.0.0.0", "::"];

/** Where events are published: the rest of the path is the name of the event. */
const PUBLISH_PATH = "/pub/";

/** The port of a gateway unless told otherwise. */
export const DEFAULT_WEB_PORT = 8080;

/**
 * Options of {@linkcode serveWeb}.
 *
 * @example
 * ```ts
 * const options: WebOptions = { port: 8080, origins: ["https://example.org"] };
 * ```
 */
export interface WebOptions {
  /**
   * The host name or address to listen on. `localhost` is both 127.0.0.1 and, where the machine has it, ::1.
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
  /** The certificate for TLS. Default: none, and no TLS. */
  tls?: Certificate;
  /**
   * The origins whose pages may use the gateway besides its own page, such as `https://example.org`.
   *
   * @default {[]}
   */
  origins?: readonly string[];
  /** The page at `/`. Default: none. */
  page?: Page;
}

/**
 * A gateway that listens.
 *
 * @example
 * ```ts
 * import { assertMatch } from "@std/assert";
 * import { Broker } from "../broker.ts";
 *
 * await using broker = new Broker();
 * await using gateway: WebGateway = await serveWeb(broker, { port: 0 });
 * assertMatch(gateway.url, /^http:/);
 * ```
 */
export interface WebGateway extends AsyncDisposable {
  /** The addresses it listens on. */
  readonly addrs: Deno.NetAddr[];
  /** The URL for a browser on this machine, such as `http://localhost:8080/`. */
  readonly url: string;
  /**
   * Closes the gateway: ends its WebSockets and event streams, and waits until all requests are answered. It may be called
   * at any time, also by a function that the broker calls.
   *
   * @param graceMs After how many milliseconds what has not ended is cut off. Default: `limits.drainMs` of the broker.
   */
  close(graceMs?: number): Promise<void>;
}

/**
 * Opens a broker to HTTP: `/ws` speaks the line protocol over WebSocket, `POST /pub/NAME` publishes, `/events?pattern=P`
 * sends events, and `/stats`, `/metrics` and `/healthz` tell the state of the broker. docs/protocol.md, section 13, is the
 * contract.
 *
 * @param broker The broker. It is not closed with the gateway.
 * @param options Where to listen, which origins to allow, and which page to show.
 * @returns The gateway, which listens.
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
export function serveWeb(broker: Broker, options: WebOptions = {}): Promise<WebGateway> {
  return new Promise((resolve) => resolve(new Gateway(broker, options))); // Its errors reject.
}

/** A request that the gateway accepts. */
interface Call {
  readonly request: Request;
  readonly url: URL;
  readonly peer: HttpPeer;
  /** Resolves when the response has been sent; rejects if that failed. */
  readonly completed: Promise<void>;
}

type Handler = (call: Call) => Response | Promise<Response>;

/** What there is at a path. */
interface Route {
  readonly methods: Readonly<Record<string, Handler>>;
  /** Whether it requires a token, if the broker has tokens. */
  readonly isGuarded: boolean;
  /** The names of its parameters. Default: none. */
  readonly parameters?: readonly string[];
}

/** What stays open for longer than a response takes: a WebSocket or an event stream. */
interface Open {
  close(): void;
}

class Gateway implements WebGateway {
  readonly #broker: Broker;
  readonly #policy: AccessPolicy;
  readonly #hasTokens: boolean;
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #servers: (Closable & { readonly finished: Promise<void> })[];
  readonly #open = new Set<Open>();
  readonly #tasks = new Set<Promise<void>>();
  #metrics: Promise<Metrics> | undefined;
  #closing: Promise<void> | undefined;

  constructor(broker: Broker, options: WebOptions) {
    const { hostname = "localhost", port = DEFAULT_WEB_PORT, tls, origins = [], page } = options;
    this.#broker = broker;
    this.#policy = { isSecure: tls !== undefined, hostname, origins: origins.map(parseOrigin) };
    this.#hasTokens = broker.authorize(undefined) === undefined;
    this.#routes = new Map([...pageRoutes(page), ...this.#brokerRoutes()]);
    this.#servers = listenAt({ hostname, port, tls }, (place) => {
      const ending = new AbortController();
      const { addr, finished } = Deno.serve({
        ...place,
        ...tls,
        signal: ending.signal,
        onListen() {},
        onError: (error) => refusal(error),
      }, (request, info: Deno.ServeHandlerInfo<Deno.NetAddr>) => this.#handle(request, info));
      return { addr, finished, close: () => ending.abort() };
    });
  }

  get addrs(): Deno.NetAddr[] {
    return this.#servers.map(({ addr }) => addr as Deno.NetAddr);
  }

  get url(): string {
    const { isSecure, hostname } = this.#policy;
    const host = ALL_ADDRESSES.includes(hostname) ? "localhost" : hostname;
    return `${isSecure ? "https" : "http"}://${formatAddress({ hostname: host, port: this.addrs[0].port })}/`;
  }

  close(graceMs: number = this.#broker.limits.drainMs): Promise<void> {
    this.#closing ??= Promise.resolve().then(() => this.#drain(graceMs)); // Whoever calls it may be a handler.
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #drain(graceMs: number): Promise<void> {
    for (const open of this.#open) open.close();
    await atMost(graceMs, Promise.all(this.#tasks));
    for (const server of this.#servers) server.close();
    await Promise.all(this.#servers.map(({ finished }) => finished));
  }

  /** Keeps a task until it has ended, so that closing waits for it, and closes what it has open. */
  #keep(ended: Promise<void>, open?: Open): void {
    if (open) this.#open.add(open);
    const kept = ended.catch(() => {}).finally(() => { // It rejects if the client has left, which is no fault.
      this.#tasks.delete(kept);
      if (open) this.#open.delete(open);
    });
    this.#tasks.add(kept);
  }

  #brokerRoutes(): [path: string, Route][] {
    const healthz: Handler = () => text(200, "text/plain", "ok\n");
    const stats: Handler = () => json(200, this.#broker.stats());
    const metrics: Handler = () => this.#readMetrics();
    const parameters = ["pattern", "lastEventId"]; // Polyfills of EventSource send the latter when they reconnect.
    return [
      ["/ws", { isGuarded: false, methods: { GET: (call) => this.#upgrade(call) } }], // Its /hello shows the token.
      ["/healthz", { isGuarded: false, methods: { GET: healthz, HEAD: healthz } }],
      ["/stats", { isGuarded: true, methods: { GET: stats, HEAD: stats } }],
      ["/metrics", { isGuarded: true, methods: { GET: metrics, HEAD: metrics } }],
      ["/events", {
        isGuarded: true,
        methods: { GET: (call) => this.#subscribe(call), HEAD: checkEvents },
        parameters,
      }],
      [PUBLISH_PATH, { isGuarded: true, methods: { POST: (call) => this.#publish(call) } }],
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
    const route = this.#routes.get(url.pathname.startsWith(PUBLISH_PATH) ? PUBLISH_PATH : url.pathname);
    if (route === undefined) throw this.#notFound(url.pathname);
    if (request.method === "OPTIONS") return options(methodsOf(route), request.headers, origin);
    if (!Object.hasOwn(route.methods, request.method)) return badMethod(request.method, url.pathname, methodsOf(route));
    if (this.#closing) throw new MqError("draining", "The gateway is closing");
    const token = this.#hasTokens ? bearerToken(request.headers) : undefined;
    if (route.isGuarded) authorize(this.#broker, token);
    checkParameters(url, route.parameters ?? []);
    const { remoteAddr, completed } = info;
    return await route.methods[request.method]({ request, url, peer: { remoteAddr, token }, completed });
  }

  #notFound(path: string): MqError {
    const paths = this.#routes.keys().map((path) => path === PUBLISH_PATH ? `${path}NAME` : path).toArray().join(", ");
    return new MqError("not-found", `There is nothing at ${quote(path)}; the paths are ${paths}`);
  }

  #upgrade({ request, peer }: Call): Response {
    const { socket, response } = upgrade(request);
    socket.onopen = () => {
      if (this.#closing) return socket.close();
      const transport = new WebSocketTransport(socket, peer.remoteAddr, this.#broker.limits.outboxBytes);
      this.#keep(transport.closed, transport);
      this.#broker.attach(transport);
    };
    return response;
  }

  #publish({ request, url, peer }: Call): Promise<Response> {
    return publishRequest(this.#broker, request, url.pathname.slice(PUBLISH_PATH.length), peer);
  }

  async #subscribe({ url, peer, completed }: Call): Promise<Response> {
    const patterns = patternsOf(url);
    const events = new EventStream(this.#broker, peer);
    this.#keep(completed, events);
    return text(200, "text/event-stream", await events.open(patterns));
  }

  async #readMetrics(): Promise<Response> {
    const metrics = await (this.#metrics ??= Metrics.of(this.#broker));
    return text(200, metrics.type, await metrics.text());
  }
}

/** Responds to `HEAD /events` as to `GET`, but without a subscription. */
function checkEvents({ url }: Call): Response {
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

/** The methods of a route, as `Allow` lists them. */
function methodsOf({ methods }: Route): string {
  return [...Object.keys(methods), "OPTIONS"].join(", ");
}

function badMethod(method: string, path: string, allowed: string): Response {
  const message = `Cannot use the method ${quote(method)} at ${quote(path)}: it takes ${allowed}`;
  return refusal(new MqError("bad-method", message), { allow: allowed });
}

/** A parameter that is not known is refused: without it `?patterns=create` would subscribe to all events. */
function checkParameters(url: URL, known: readonly string[]): void {
  if (url.search === "") return;
  const { pathname, searchParams } = url;
  const unknown = searchParams.keys().find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const taken = known.join(", ") || "none";
  throw new MqError("bad-parameter", `Cannot take the parameter ${quote(unknown)}: ${quote(pathname)} takes ${taken}`);
}
