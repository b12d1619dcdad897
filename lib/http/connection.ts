/**
 * One HTTP/1.1 connection: reads requests one after another, and writes their responses. Each phase has a deadline that does
 * not depend on the client: the head and the body must come, and the response must be read, in time.
 *
 * @module
 */
import type { MemoryBudget } from "../net/memory.ts";
import { Flow, scheduler } from "../net/read_scheduler.ts";
import type { Transport } from "../net/transport.ts";
import { MqError, ProtocolError } from "../protocol/errors.ts";
import { FAULT_GRACE_MS, type Limits } from "../protocol/limits.ts";
import { encodeText } from "../protocol/text.ts";
import { RequestBody } from "./body.ts";
import { bad, checkRequestLine, MAX_HEAD_BYTES, parseHead, type RequestHead, type RequestHeaders } from "./head.ts";
import { formatResponse, type HttpResponse, refusal } from "./responses.ts";

/** The size of the buffer of a connection while little comes, and of the largest one, in bytes. */
const [SMALL_BYTES, LARGE_BYTES] = [1024, MAX_HEAD_BYTES + 1];

/** How much is read and discarded behind the last response, before the socket is closed, in bytes. */
const MAX_DISCARDED_BYTES = 64 * 1024;

const LF = 0x0a;
const CR = 0x0d;

const latin1 = new TextDecoder("latin1");
const CONTINUE = encodeText("HTTP/1.1 100 Continue\r\n\r\n");

/** Waits for something while others work. */
export type Wait = <T>(promise: Promise<T>) => Promise<T>;

/** A request. */
export interface HttpRequest {
  /** The method, such as `GET`. */
  readonly method: string;
  /** What is requested, as `/path?query` or a whole URL. */
  readonly target: string;
  /** The headers. */
  readonly headers: Pick<RequestHeaders, "get">;
  /** Who sent it. */
  readonly remoteAddr: Deno.NetAddr;
  /**
   * Reads the body.
   *
   * @param maxBytes How long it may be.
   * @returns The body.
   * @throws {ProtocolError} With the code `line-too-long`.
   */
  body(maxBytes: number): Promise<Uint8Array>;
  /**
   * Waits for something while other connections work.
   *
   * @param promise What to wait for.
   * @returns Its value.
   */
  wait: Wait;
}

/** What becomes of a connection that stops to speak HTTP. */
export interface Upgraded {
  /** The connection. */
  readonly conn: Transport;
  /** The head of the response, which is still to be written. */
  readonly head: Uint8Array;
  /** What has been read behind the request. */
  readonly rest: Uint8Array;
}

/** The server, to its connections. */
export interface HttpHost {
  /** The limits whose times hold for requests, too. */
  readonly limits: Readonly<Limits>;
  /** The budget for bodies. */
  readonly memory: MemoryBudget;
  /** What the time is charged to that a connection takes before it has been of use. */
  readonly newcomers: Flow;
  /**
   * Responds to a request. What it throws is responded to by {@linkcode refusal}.
   *
   * @param request The request.
   * @returns The response.
   */
  respond(request: HttpRequest): Promise<HttpResponse>;
}

/** One connection. */
export class HttpConnection {
  readonly #host: HttpHost;
  readonly #conn: Transport;
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #flow: Flow;
  #buffer = new Uint8Array(SMALL_BYTES);
  /** Where in the buffer that begins and ends which has been read and not used. */
  #start = 0;
  #end = 0;
  readonly #body: RequestBody;
  #hasUnreadBody = false;
  /** Whether it is closed after the request that it serves. */
  isEnding = false;
  /** When it is closed, whatever it is doing, by `performance.now()`. */
  deadline = 0;
  /** Since when it waits for the head of a request; undefined while it has one. */
  idleSince: number | undefined;

  /**
   * Takes a connection.
   *
   * @param conn The connection.
   * @param host The server.
   */
  constructor(conn: Transport, host: HttpHost) {
    this.#conn = conn;
    this.#host = host;
    this.#body = new RequestBody(host.memory);
    this.#writer = conn.writable.getWriter();
    this.#flow = host.newcomers;
    this.#rest(host.limits.helloMs);
  }

  /** How much memory is held for a body, in bytes. */
  get heldBytes(): number {
    return this.#body.heldBytes;
  }

  /** Closes the connection at once. */
  close(): void {
    try {
      this.#conn.close();
    } catch {
      // It is closed already.
    }
  }

  /** Serves requests until the connection has ended, or speaks another protocol. It never throws. */
  async serve(): Promise<void> {
    try {
      while (await this.#serveNext());
    } catch { // The client has gone, or was too slow.
      this.close();
    }
  }

  /** Serves one request; returns whether there may be another. */
  async #serveNext(): Promise<boolean> {
    let head: RequestHead | undefined;
    let response: HttpResponse;
    try {
      head = await this.#readHead();
      this.idleSince = undefined;
      this.#allow(this.#host.limits.answerMs);
      response = await this.#respond(head);
      if (response.upgrade !== undefined) return this.#upgrade(response, response.upgrade);
    } catch (error) {
      if (error instanceof Ended) throw error;
      response = refusal(error);
    } finally {
      this.#body.free();
    }
    const mayGoOn = !this.isEnding && !this.#hasUnreadBody && response.closes !== true;
    const keepAlive = head?.keepAlive === true && mayGoOn;
    this.#allow(this.#host.limits.answerMs);
    await this.#writer.write(formatResponse(response, { keepAlive, isHead: head?.method === "HEAD" }));
    if (!keepAlive) return await this.#linger();
    this.#flow = this.#flow === this.#host.newcomers ? new Flow() : this.#flow;
    this.#rest(this.#host.limits.silenceMs);
    return true;
  }

  /** Gives the client a time for what comes next. */
  #allow(ms: number): void {
    this.deadline = performance.now() + ms;
  }

  #rest(ms: number): void {
    this.idleSince = performance.now();
    this.#allow(ms);
  }

  async #respond(head: RequestHead): Promise<HttpResponse> {
    const flow = this.#flow;
    const { method, target, headers } = head;
    this.#hasUnreadBody = head.bodyBytes !== 0;
    const wait = async <T>(promise: Promise<T>) => {
      await scheduler.pause(flow, promise);
      return await promise;
    };
    flow.isBulk = this.#end - this.#start > (head.bodyBytes ?? 0); // Other requests have come behind it.
    const turn = scheduler.begin(flow, this.#end - this.#start);
    if (turn !== undefined) await turn;
    try {
      return await this.#host.respond({
        method,
        target,
        headers,
        remoteAddr: this.#conn.remoteAddr as Deno.NetAddr,
        body: (maxBytes) => this.#readBody(head, maxBytes, wait),
        wait,
      });
    } finally {
      scheduler.end(flow);
    }
  }

  #upgrade(response: HttpResponse, upgrade: (connection: Upgraded) => void): false {
    this.#writer.releaseLock();
    const head = formatResponse(response, { keepAlive: true, isHead: false });
    try {
      upgrade({ conn: this.#conn, head, rest: this.#buffer.subarray(this.#start, this.#end) });
      return false;
    } catch (error) {
      this.#writer = this.#conn.writable.getWriter();
      throw error;
    }
  }

  /** Has the client read the last response before the socket is closed: unread input would destroy it. */
  async #linger(): Promise<false> {
    this.#allow(FAULT_GRACE_MS);
    await this.#conn.closeWrite();
    const buffer = new Uint8Array(SMALL_BYTES);
    for (let left = MAX_DISCARDED_BYTES; left > 0;) left -= await this.#conn.read(buffer) ?? left;
    this.close();
    return false;
  }

  async #readHead(): Promise<RequestHead> {
    for (let scanned = 0;;) {
      while (this.#start < this.#end && isLineEnd(this.#buffer[this.#start])) this.#start++; // Allowed before a request.
      const text = this.#buffer.subarray(this.#start, this.#end);
      const end = headEnd(text, scanned);
      if (end !== -1) {
        this.#start += end;
        return parseHead(latin1.decode(text.subarray(0, end)));
      }
      if (text.length > 0) checkRequestLine(latin1.decode(text.subarray(0, text.indexOf(LF) + 1 || 1)));
      if (text.length >= MAX_HEAD_BYTES) {
        throw new MqError("head-too-long", `The head of a request may be at most ${MAX_HEAD_BYTES} bytes long`);
      }
      scanned = Math.max(text.length - 2, 0);
      const isFirst = text.length === 0;
      await this.#fill();
      if (isFirst) this.#allow(this.#host.limits.helloMs);
    }
  }

  /** Reads more into the buffer, which grows if it has to. */
  async #fill(): Promise<void> {
    const length = this.#end - this.#start;
    const isFull = length === this.#buffer.length;
    const size = isFull ? Math.min(2 * length, LARGE_BYTES) : length === 0 ? SMALL_BYTES : this.#buffer.length;
    const buffer = size === this.#buffer.length ? this.#buffer : new Uint8Array(size);
    if (buffer !== this.#buffer || this.#start > 0) buffer.set(this.#buffer.subarray(this.#start, this.#end));
    [this.#buffer, this.#start, this.#end] = [buffer, 0, length];
    this.#end += await this.#read(buffer.subarray(length));
  }

  async #read(buffer: Uint8Array): Promise<number> {
    const count = await this.#conn.read(buffer).catch(() => null); // It broke: the client has gone.
    if (count === null) throw new Ended();
    return count;
  }

  async #readBody(head: RequestHead, maxBytes: number, wait: Wait): Promise<Uint8Array> {
    const { bodyBytes, expectsContinue } = head;
    if (bodyBytes !== undefined && bodyBytes > maxBytes) throw tooLong(maxBytes);
    this.#body.maxBytes = bodyBytes ?? maxBytes;
    const isHere = bodyBytes !== undefined && bodyBytes <= this.#end - this.#start;
    if (expectsContinue && !isHere) await wait(this.#writer.write(CONTINUE));
    if (bodyBytes === undefined) await this.#readChunks(maxBytes, wait);
    else if (!isHere) await this.#readPart(bodyBytes, wait);
    this.#hasUnreadBody = false;
    return isHere ? this.#take(bodyBytes) : this.#body.bytes;
  }

  /** Takes bytes out of the buffer. */
  #take(bytes: number): Uint8Array {
    this.#start += bytes;
    return this.#buffer.subarray(this.#start - bytes, this.#start);
  }

  /** Reads the next part of a body. */
  async #readPart(bytes: number, wait: Wait): Promise<void> {
    for (let left = bytes; left > 0;) {
      const part = this.#body.extend(left);
      const first = this.#take(Math.min(part.length, this.#end - this.#start));
      part.set(first);
      for (let length = first.length; length < part.length;) length += await wait(this.#read(part.subarray(length)));
      left -= part.length;
    }
  }

  /** Reads a body in chunks (RFC 9112, section 7.1), and discards the trailers. */
  async #readChunks(maxBytes: number, wait: Wait): Promise<void> {
    for (let left = maxBytes;;) {
      const size = /^[\da-f]{1,8}(?=\s*(?:;|$))/i.exec(await this.#readLine(wait))?.[0];
      if (size === undefined) throw bad("a chunk of its body has no length");
      const bytes = parseInt(size, 16);
      if (bytes === 0) break;
      if (bytes > left) throw tooLong(maxBytes);
      left -= bytes;
      await this.#readPart(bytes, wait);
      if (await this.#readLine(wait) !== "") throw bad("a chunk of its body is longer than it says");
    }
    for (let left = MAX_HEAD_BYTES; await this.#readLine(wait) !== "";) {
      if (--left === 0) throw bad("it has too many trailers");
    }
  }

  /** A line within a body, without its end. */
  async #readLine(wait: Wait): Promise<string> {
    for (;;) {
      const text = this.#buffer.subarray(this.#start, this.#end);
      const end = text.indexOf(LF);
      if (end > MAX_CHUNK_LINE_BYTES || (end === -1 && text.length > MAX_CHUNK_LINE_BYTES)) {
        throw bad(`a line before a chunk of its body is longer than ${MAX_CHUNK_LINE_BYTES} bytes`);
      }
      if (end !== -1) return latin1.decode(this.#take(end + 1)).trim();
      await wait(this.#fill());
    }
  }
}

/** The longest line before a chunk, and the longest trailer, in bytes. */
const MAX_CHUNK_LINE_BYTES = 256;

/** The client has ended the connection, or it broke. */
export class Ended extends Error {}

function isLineEnd(byte: number): boolean {
  return byte === LF || byte === CR;
}

/** The index behind the empty line at the end of a head; -1 if it has not come. What is before `from` was looked at. */
function headEnd(text: Uint8Array, from: number): number {
  for (let lf = text.indexOf(LF, from); lf !== -1; lf = text.indexOf(LF, lf + 1)) {
    const before = text[lf - 1] === CR ? lf - 2 : lf - 1;
    if (text[before] === LF) return lf + 1;
  }
  return -1;
}

function tooLong(maxBytes: number): ProtocolError {
  return new ProtocolError("line-too-long", `A body may be at most ${maxBytes} bytes long`);
}
