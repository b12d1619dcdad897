/**
 * The gateway: a broker for clients that speak HTTP, above all browsers. It listens, finds the handler of each request, and
 * closes what it has opened.
 *
 * @module
 */
import { formatAddress } from "../protocol/address.ts";
import type { Broker } from "../broker.ts";
import type { MemoryBudget } from "../net/memory.ts";
import type { Flow } from "../net/read_scheduler.ts";
import { MqError, type ProtocolError, quote } from "../protocol/errors.ts";
import type { Limits } from "../protocol/limits.ts";
import { Pattern } from "../protocol/pattern.ts";
import { parseReplayStart } from "../protocol/replay_start.ts";
import type { Certificate } from "../net/listen.ts";
import { atMost } from "../net/time.ts";
import { type AccessPolicy, authorize, bearerToken, checkAccess, type HttpPeer, parseOrigin } from "./access.ts";
import { Ended, type HttpRequest, type Upgraded } from "./connection.ts";
import { Metrics } from "./metrics.ts";
import { publishRequest } from "./publish.ts";
import { type HttpResponse, json, options, type Page, pageResponses, refusal, shareWith, text } from "./responses.ts";
import { HttpServer, type HttpServerHost } from "./server.ts";
import { EVENT_STREAM_CODEC, EventStreamTransport } from "./server_sent_events.ts";
import { TokenGuesses } from "./token_guesses.ts";
import { acceptUpgrade, WebSocketTransport } from "./websocket.ts";

/** The name of a client over HTTP. */
const HTTP_CLIENT = "http";

/** The media type of server-sent events. */
const EVENT_STREAM = "text/event-stream";

const SWITCHING_PROTOCOLS = 101;

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
   * Closes the gateway: ends its WebSockets and event streams, each once it has read what is queued for it, and waits until
   * all requests are answered. It may be called at any time, also by a function that the broker calls.
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
  readonly request: HttpRequest;
  readonly url: URL;
  readonly peer: HttpPeer;
}

type Handler = (call: Call) => HttpResponse | Promise<HttpResponse>;

/** What there is at a path. */
interface Route {
  readonly methods: Readonly<Record<string, Handler>>;
  /** Whether it requires a token, if the broker has tokens. */
  readonly isGuarded: boolean;
  /** The names of its parameters. Default: none. */
  readonly parameters?: readonly string[];
}

class Gateway implements WebGateway, HttpServerHost {
  readonly limits: Readonly<Limits>;
  readonly memory: MemoryBudget;
  readonly newcomers: Flow;
  readonly onExhausted: Set<() => void>;
  readonly #broker: Broker;
  readonly #policy: AccessPolicy;
  readonly #hasTokens: boolean;
  readonly #guesses: TokenGuesses;
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #server: HttpServer;
  readonly #webSockets = new Set<WebSocketTransport>();
  readonly #streams = new Set<EventStreamTransport>();
  readonly #checking: ReturnType<typeof setInterval>;
  #metrics: Promise<Metrics> | undefined;
  #closing: Promise<void> | undefined;

  constructor(broker: Broker, options: WebOptions) {
    const { hostname = "localhost", port = DEFAULT_WEB_PORT, tls, origins = [], page } = options;
    this.#broker = broker;
    this.limits = broker.limits;
    this.memory = broker.shared.memory;
    this.newcomers = broker.shared.newcomers;
    this.onExhausted = broker.shared.onExhausted;
    this.#policy = { isSecure: tls !== undefined, hostname, origins: origins.map(parseOrigin) };
    this.#hasTokens = broker.authorize(undefined) === undefined;
    this.#guesses = new TokenGuesses((error, times) => this.rejected(error, times));
    this.#routes = new Map([...pageRoutes(page), ...this.#brokerRoutes()]);
    this.#server = new HttpServer({ hostname, port, tls }, this);
    this.#checking = setInterval(() => this.#checkWebSockets(), this.limits.silenceMs);
  }

  get addrs(): Deno.NetAddr[] {
    return this.#server.addrs;
  }

  get url(): string {
    const { isSecure, hostname } = this.#policy;
    const host = ALL_ADDRESSES.includes(hostname) ? "localhost" : hostname;
    return `${isSecure ? "https" : "http"}://${formatAddress({ hostname: host, port: this.addrs[0].port })}/`;
  }

  rejected(error: ProtocolError, times: number): void {
    this.#broker.shared.rejected(error, times);
  }

  close(graceMs: number = this.#broker.limits.drainMs): Promise<void> {
    this.#closing ??= Promise.resolve().then(() => this.#drain(graceMs)); // Whoever calls it may be a handler.
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #drain(graceMs: number): Promise<void> {
    clearInterval(this.#checking);
    const open = [...this.#webSockets, ...this.#streams];
    this.#broker.shared.end(new Set(open));
    await Promise.all([this.#server.close(graceMs), atMost(graceMs, Promise.all(open.map(({ closed }) => closed)))]);
    for (const transport of [...this.#webSockets, ...this.#streams]) transport.close();
  }

  /** A WebSocket may send no control lines, so that the broker does not ask whether it is still there. */
  #checkWebSockets(): void {
    for (const webSocket of this.#webSockets) {
      if (!webSocket.isAlive()) webSocket.close();
    }
  }

  #brokerRoutes(): [path: string, Route][] {
    const healthz: Handler = () => text(200, "text/plain", "ok\n");
    const stats: Handler = () => json(200, this.#broker.stats());
    const metrics: Handler = (call) => this.#readMetrics(call);
    const parameters = ["pattern", "since", "lastEventId"]; // Polyfills of EventSource send the latter when they reconnect.
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

  async respond(request: HttpRequest): Promise<HttpResponse> {
    const origin = checkAccess(request, this.#policy);
    const response = await this.#answer(request, origin).catch((error) => {
      if (error instanceof Ended) throw error; // Nobody is there to read a response.
      return refusal(error);
    });
    if (origin !== undefined && response.status !== SWITCHING_PROTOCOLS) shareWith(origin, response.headers);
    return response;
  }

  async #answer(request: HttpRequest, origin?: string): Promise<HttpResponse> {
    const { method, headers, remoteAddr } = request;
    const url = new URL(request.target, `${this.#policy.isSecure ? "https" : "http"}://${headers.get("host")}`);
    const route = this.#routes.get(url.pathname.startsWith(PUBLISH_PATH) ? PUBLISH_PATH : url.pathname);
    if (route === undefined) throw this.#notFound(url.pathname);
    if (method === "OPTIONS") return options(methodsOf(route), headers, origin);
    if (!Object.hasOwn(route.methods, method)) return badMethod(method, url.pathname, methodsOf(route));
    if (this.#closing) throw new MqError("draining", "The gateway is closing");
    const token = this.#hasTokens ? bearerToken(headers) : undefined;
    if (route.isGuarded) await this.#checkToken(request, token);
    checkParameters(url, route.parameters ?? []);
    return await route.methods[method]({ request, url, peer: { remoteAddr, token } });
  }

  /** A wrong token is answered late, and the later the more of them come from an address. */
  async #checkToken(request: HttpRequest, token: string | undefined): Promise<void> {
    try {
      authorize(this.#broker, token);
    } catch (error) {
      if (token !== undefined) await request.wait(this.#guesses.delay(request.remoteAddr));
      throw error;
    }
  }

  #notFound(path: string): MqError {
    const paths = this.#routes.keys().map((path) => path === PUBLISH_PATH ? `${path}NAME` : path).toArray().join(", ");
    return new MqError("not-found", `There is nothing at ${quote(path)}; the paths are ${paths}`);
  }

  #upgrade({ request }: Call): HttpResponse {
    const headers = acceptUpgrade(request);
    const upgrade = (upgraded: Upgraded) => {
      const transport: WebSocketTransport = new WebSocketTransport(upgraded, () => this.#webSockets.delete(transport));
      this.#webSockets.add(transport);
      this.#broker.attach(transport);
    };
    return { status: SWITCHING_PROTOCOLS, headers, body: "", upgrade };
  }

  #publish({ request, url, peer }: Call): Promise<HttpResponse> {
    return publishRequest(this.#broker, request, url.pathname.slice(PUBLISH_PATH.length), peer);
  }

  #subscribe({ request, url, peer: { token } }: Call): HttpResponse {
    const patterns = patternsOf(url);
    const after = this.#startOf(url, request.headers);
    const scope = authorize(this.#broker, token);
    const upgrade = (upgraded: Upgraded) => {
      const transport: EventStreamTransport = new EventStreamTransport(upgraded, () => this.#streams.delete(transport));
      const session = { codec: EVENT_STREAM_CODEC, name: HTTP_CLIENT, scope, patterns, after, first: upgraded.head };
      this.#broker.attachSession(transport, session);
      this.#streams.add(transport);
    };
    return { ...text(200, EVENT_STREAM, ""), upgrade };
  }

  /** Where the events begin that a client asks for: behind the last one that it has, or at `since`. */
  #startOf({ searchParams }: URL, headers: HttpRequest["headers"]): string | undefined {
    if (this.#broker.storeInfo === undefined && !searchParams.has("since")) return undefined;
    const lastId = headers.get("last-event-id") ?? searchParams.get("lastEventId") ?? "";
    const start = lastId === "" ? searchParams.get("since") : lastId;
    return start === null ? undefined : parseReplayStart(start, Date.now());
  }

  async #readMetrics({ request }: Call): Promise<HttpResponse> {
    const metrics = await request.wait(this.#metrics ??= Metrics.of(this.#broker));
    return text(200, metrics.type, await metrics.text());
  }
}

/** Responds to `HEAD /events` as to `GET`, but without a subscription. */
function checkEvents({ url }: Call): HttpResponse {
  patternsOf(url);
  return text(200, EVENT_STREAM, "");
}

function patternsOf(url: URL): Pattern[] {
  return url.searchParams.getAll("pattern").map((text) => new Pattern(text));
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

function badMethod(method: string, path: string, allowed: string): HttpResponse {
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
