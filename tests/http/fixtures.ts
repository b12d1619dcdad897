/**
 * What tests of the gateway share: a gateway on a free port, HTTP requests written by hand, and clients of WebSocket.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { type BrokerOptions, type Page, serveWeb, type WebGateway, type WebOptions } from "../../mod.ts";
import { RawClient, shell, soon, startBroker, type TestBroker } from "../helpers.ts";

/** A page with a different text for each part. */
export const PAGE: Page = { html: "<title>mq</title>", script: "run()", style: "body {}", icon: "<svg/>" };

/** A broker with a gateway, both on free ports of 127.0.0.1. */
export async function startWeb(options: BrokerOptions = {}, web: WebOptions = {}): Promise<TestWeb> {
  const server = await startBroker(options);
  const gateway = await serveWeb(server.broker, { hostname: "127.0.0.1", port: 0, page: PAGE, ...web });
  return new TestWeb(server, gateway);
}

/** The response to a request. */
export interface Answer {
  status: number;
  headers: Headers;
  body: string;
}

/** A broker, its gateway, and the clients connected to it; all are closed at the end of its scope. */
export class TestWeb implements AsyncDisposable {
  readonly server: TestBroker;
  readonly web: WebGateway;
  readonly #clients: { close(): void }[] = [];

  constructor(server: TestBroker, web: WebGateway) {
    this.server = server;
    this.web = web;
  }

  get port(): number {
    return this.web.addrs[0].port;
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Sends a request as a program that is no browser. */
  async ask(path: string, init?: RequestInit): Promise<Answer> {
    const response = await fetch(`http://${this.host}${path}`, init);
    return { status: response.status, headers: response.headers, body: await response.text() };
  }

  /** Sends a request that is refused; returns the status and the code. */
  async refused(path: string, init?: RequestInit): Promise<[status: number, code: string]> {
    return refusalIn(await this.ask(path, init));
  }

  /** Publishes over HTTP. */
  pub(name: string, body?: BodyInit): Promise<Answer> {
    return this.ask(`/pub/${name}`, { method: "POST", body });
  }

  /** Connects a bare socket to the gateway. */
  async raw(): Promise<RawClient> {
    return this.#keep(await RawClient.connect(this.port));
  }

  /** Sends a request whose headers are written by hand. */
  async forged(line: string, headers: Record<string, string>, body = ""): Promise<Answer> {
    const client = await this.raw();
    const length: Record<string, string> = body === "" ? {} : { "content-length": String(body.length) };
    const all = { host: this.host, connection: "close", ...length, ...headers };
    await client.send(`${line} HTTP/1.1\r\n${formatHeaders(all)}\r\n${body}`);
    return parseAnswer(await soon(client.lines.rest(), "an answer"));
  }

  /** Requests a WebSocket by hand; the test reads the response. */
  async upgraded(headers: Record<string, string> = {}): Promise<RawClient> {
    const client = await this.raw();
    await client.send(`GET /ws HTTP/1.1\r\n${formatHeaders({ host: this.host, ...UPGRADE, ...headers })}\r\n`);
    return client;
  }

  /** A client of WebSocket. */
  async socket(): Promise<SocketClient> {
    return this.#keep(await SocketClient.open(`ws://${this.host}/ws`));
  }

  #keep<C extends { close(): void }>(client: C): C {
    this.#clients.push(client);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.web.close();
    await this.server[Symbol.asyncDispose]();
  }
}

/** The headers that ask for a WebSocket (RFC 6455, section 1.2). */
export const UPGRADE = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

/** A text as one frame of WebSocket, masked with zeros, which changes nothing. */
export function frame(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > 125) throw new Error("The text is too long for a small frame");
  return new Uint8Array([0x81, 0x80 | bytes.length, 0, 0, 0, 0, ...bytes]);
}

/** A frame that the broker has sent. */
interface Frame {
  readonly opcode: number;
  readonly text: string;
}

/** Reads the frames of a WebSocket that was requested by hand, up to one that is looked for. */
export async function framesOf(client: RawClient, isLast: (frame: Frame) => boolean): Promise<Frame[]> {
  const frames: Frame[] = [];
  let rest = new Uint8Array();
  const take = async (count: number) => {
    while (rest.length < count) {
      const buffer = new Uint8Array(1_000_000);
      const length = await soon(client.conn.read(buffer), "a frame");
      if (length === null) throw new Error(`The connection has ended behind ${frames.length} frames`);
      rest = concat([rest, buffer.subarray(0, length)]);
    }
    const taken = rest.slice(0, count);
    rest = rest.slice(count);
    return taken;
  };
  for (let head = ""; !head.endsWith("\r\n\r\n");) head += String.fromCharCode(...await take(1));
  for (;;) {
    const [first, short] = await take(2);
    const bytes = short < 126 ? [short] : await take(short === 126 ? 2 : 8);
    const length = [...bytes].reduce((sum, byte) => sum * 256 + byte, 0);
    const frame = { opcode: first & 15, text: new TextDecoder().decode(await take(length)) };
    frames.push(frame);
    if (isLast(frame)) return frames;
  }
}

/** A client of WebSocket that reads one message after the other. */
export class SocketClient {
  readonly socket: WebSocket;
  readonly #messages: ReadableStreamDefaultReader<string>;
  /** How it was closed. */
  readonly closed: Promise<{ code: number; reason: string }>;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    const { promise, resolve } = Promise.withResolvers<{ code: number; reason: string }>();
    this.closed = promise;
    const messages = new ReadableStream<string>({
      start(controller) {
        socket.onmessage = ({ data }) => controller.enqueue(data);
        socket.onclose = ({ code, reason }) => {
          controller.close();
          resolve({ code, reason });
        };
      },
    });
    this.#messages = messages.getReader();
  }

  static async open(url: string): Promise<SocketClient> {
    const client = new SocketClient(new WebSocket(url));
    await soon(new Promise((resolve) => client.socket.onopen = resolve), "a WebSocket");
    return client;
  }

  line(text: string): void {
    this.socket.send(text);
  }

  /** The next message; undefined at the end. */
  async next(): Promise<string | undefined> {
    return (await soon(this.#messages.read(), "a message")).value;
  }

  async ask(line: string): Promise<string | undefined> {
    this.line(line);
    return await this.next();
  }

  async expect(...lines: (string | undefined)[]): Promise<void> {
    for (const line of lines) assertEquals(await this.next(), line);
  }

  /** The next message that contains a text. */
  async find(text: string): Promise<string> {
    for (let line = await this.next(); line !== undefined; line = await this.next()) {
      if (line.includes(text)) return line;
    }
    throw new Error(`Nothing contains ${text}`);
  }

  close(): void {
    this.socket.close();
  }
}

/** What promtool has to say of metrics; empty if it accepts them. */
export function lintMetrics(text: string): Promise<string> {
  return shell("promtool check metrics 2>&1 || true", text);
}

/** The status and the code of a refusal, which has the form of 13.8. */
export function refusalIn({ status, headers, body }: Answer): [status: number, code: string] {
  assertEquals(headers.get("content-type"), "application/json");
  const { error, message, ...rest } = JSON.parse(body);
  assertEquals([typeof message, rest], ["string", {}]);
  return [status, error];
}

function formatHeaders(headers: Record<string, string>): string {
  return Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
}

function parseAnswer(text: string): Answer {
  const [head, ...body] = text.split("\r\n\r\n");
  const [statusLine, ...lines] = head.split("\r\n");
  const headers = new Headers(lines.map((line) => line.split(": ") as [string, string]));
  return { status: Number(statusLine.split(" ")[1]), headers, body: body.join("\r\n\r\n") };
}
