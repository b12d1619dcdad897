/**
 * One connection in a broker's pool: its socket, what is known of its client, and how it ends.
 *
 * @module
 */
import { monotonicUlid } from "@std/ulid";
import { formatAddress } from "./address.ts";
import type { ClientInfo } from "./answers.ts";
import { ProtocolError, quote } from "./errors.ts";
import { detach, formatPatterns, Pattern } from "./event.ts";
import type { Limits } from "./limits.ts";
import { LineReader } from "./lines.ts";
import { Outbox } from "./outbox.ts";
import type { Listener, Route } from "./router.ts";

/** How many different causes a connection's refused lines are counted by; those after share one count. */
const MAX_COUNTED_CAUSES = 1000;

const encoder = new TextEncoder();

/** What a connection hears until it subscribes to something. */
const EVERYTHING: ReadonlyMap<string, Pattern> = new Map([[">", new Pattern(">")]]);

/** One connection in a broker's pool. */
export class Connection implements Listener {
  /** Its ULID. */
  readonly id: string = monotonicUlid();
  /** What its client calls itself, or `client-N`. */
  name: string;
  /** The client's end of it, as `HOST:PORT`. */
  readonly address: string;
  /** When it was accepted, in milliseconds since the Unix epoch. */
  readonly connectedAt: number = Date.now();
  /** The lines that its client sends. */
  readonly lines: LineReader;
  /** What waits to be written to it. */
  readonly outbox: Outbox;
  /** The patterns it hears. */
  patterns: ReadonlyMap<string, Pattern> = EVERYTHING;
  /** Whether it gets events with their id and sender. */
  meta = false;
  /** Whether it gets the events it publishes itself. */
  echo = true;
  /** Whether it has sent a control line: only then it is sent any. */
  speaksControl = false;
  /** The route of the last event it published. */
  route: Route | undefined;
  /** How many of its events were recognized. */
  published = 0;
  /** How many events were queued for it. */
  delivered = 0;
  /** Set once it is out of the pool: nothing it sends counts any more. */
  ended = false;
  /** Called when its outbox is full. */
  overflow: (bytes: number) => void = () => {};
  readonly #conn: Deno.TcpConn;
  readonly #refusals = new Map<string, number>();
  readonly #inputEnd = Promise.withResolvers<void>();

  /**
   * Takes a socket into the pool.
   *
   * @param conn The socket.
   * @param name What it is called until its client gives itself a name.
   * @param limits The limits of its lines and its outbox.
   */
  constructor(conn: Deno.TcpConn, name: string, limits: Limits) {
    this.#conn = conn;
    sendAtOnce(conn);
    this.name = name;
    this.address = formatAddress(conn.remoteAddr);
    this.lines = new LineReader(conn, { maxLineBytes: limits.lineBytes });
    this.outbox = new Outbox(conn, { limitBytes: limits.outboxBytes });
  }

  /** What is told of it. */
  get info(): ClientInfo {
    return {
      id: this.id,
      name: this.name,
      address: this.address,
      connectedAt: new Date(this.connectedAt).toISOString(),
      patterns: [...this.patterns.keys()],
      published: this.published,
      delivered: this.delivered,
      queuedBytes: this.outbox.queuedBytes,
    };
  }

  /**
   * Adds patterns to those it hears. The first ones replace the everything it began with.
   *
   * @param patterns The patterns to add.
   * @param limit How many it may have in all.
   * @returns Whether that changes what it hears.
   * @throws {ProtocolError} With the code `too-many-patterns`; then nothing changes.
   */
  subscribe(patterns: readonly Pattern[], limit: number): boolean {
    const isFirst = this.patterns === EVERYTHING;
    const next = new Map(isFirst ? [] : this.patterns);
    for (const pattern of patterns) next.set(pattern.text, pattern);
    if (next.size > limit) {
      const message = `Cannot subscribe to more than ${limit} patterns: unsubscribe from some first`;
      throw new ProtocolError("too-many-patterns", message);
    }
    const isChange = isFirst || next.size > this.patterns.size;
    this.patterns = next;
    return isChange;
  }

  /**
   * Takes patterns from those it hears; `>` takes them all.
   *
   * @param patterns The patterns to take away.
   * @throws {ProtocolError} With the code `not-subscribed`, if it does not have one of them; then nothing changes.
   */
  unsubscribe(patterns: readonly Pattern[]): void {
    const unknown = patterns.find(({ text }) => text !== ">" && !this.patterns.has(text));
    if (unknown) {
      const heard = formatPatterns([...this.patterns.keys()]);
      const message = `Cannot unsubscribe from ${quote(unknown.text)}: this connection is subscribed to ${heard}`;
      throw new ProtocolError("not-subscribed", message);
    }
    const next = new Map(this.patterns);
    for (const { text } of patterns) text === ">" ? next.clear() : next.delete(text);
    this.patterns = next;
  }

  /**
   * Counts a line that was refused.
   *
   * @param cause What the refusals are counted by: an event's name or an error's code.
   * @returns How often that has happened on this connection, this time included.
   */
  countRefusal(cause: string): number {
    const isKnown = this.#refusals.has(cause) || this.#refusals.size < MAX_COUNTED_CAUSES;
    const key = isKnown ? detach(cause) : "";
    const times = (this.#refusals.get(key) ?? 0) + 1;
    this.#refusals.set(key, times);
    return times;
  }

  /** To be called when nothing more can be read from it. */
  inputEnded(): void {
    this.#inputEnd.resolve();
  }

  /**
   * Writes what is queued and some last words, closes the connection for writing, waits for the client to do the same,
   * and closes the socket. To close it at once while the client still sends could destroy what it has not read yet.
   *
   * @param lastWords Whole lines, each with its LF; may be empty.
   * @param deadlineMs After how many milliseconds the socket is closed in any case.
   * @returns How many bytes could not be written.
   */
  async finish(lastWords: string, deadlineMs: number): Promise<number> {
    if (lastWords !== "") this.outbox.push(encoder.encode(lastWords));
    const { promise: deadline, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, deadlineMs);
    await Promise.race([this.#writeAndWait(), deadline]);
    clearTimeout(timer);
    const unwritten = this.outbox.queuedBytes;
    this.#close();
    return unwritten;
  }

  async #writeAndWait(): Promise<void> {
    if (!await this.outbox.drained()) return;
    try {
      await this.#conn.closeWrite();
    } catch {
      return; // The client has gone.
    }
    await this.#inputEnd.promise;
  }

  #close(): void {
    try {
      this.#conn.close();
    } catch {
      // A failed write has closed it already.
    }
  }
}

/** A turn's output is one write: to hold it back in the hope of more (Nagle's algorithm) only adds delay. */
function sendAtOnce(conn: Deno.TcpConn): void {
  try {
    conn.setNoDelay();
  } catch {
    // The client has gone; reading will tell.
  }
}
