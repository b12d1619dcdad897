/**
 * One connection in a broker's pool: its socket, what is known of its client, and how it ends.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { monotonicUlid } from "@std/ulid";
import { formatAddress } from "../protocol/address.ts";
import type { ClientInfo } from "../protocol/responses.ts";
import type { Listener } from "./subscriber_group.ts";
import { type ClassicCodec, MAX_MESSAGE_BYTES, MESSAGE_PACE_MS } from "../protocol/classic.ts";
import { ProtocolError, quote } from "../protocol/errors.ts";
import { formatPatterns, Pattern } from "../protocol/pattern.ts";
import type { Heartbeat } from "../net/heartbeat.ts";
import { ANSWER_BYTES, CLASSIC_OUTBOX_BYTES, type Limits, LINGER_MS, MAX_GREETING_BYTES } from "../protocol/limits.ts";
import { type LineObserver, LineReader } from "../net/line_reader.ts";
import { MessageReader } from "../net/message_reader.ts";
import { WriteQueue, type WriteQueueOptions } from "../net/write_queue.ts";
import type { Route } from "./router.ts";
import { BoundedCounter } from "./bounded_counter.ts";
import { RateLimiter } from "./rate_limiter.ts";
import { atMost } from "../net/time.ts";
import type { Scope } from "../protocol/tokens.ts";
import type { Transport } from "../net/transport.ts";

const encoder = new TextEncoder();

/** What a client sends, taken apart. */
export interface Intake {
  /**
   * Reads to the end of the connection.
   *
   * @param observer Who is told of each line or message.
   * @throws {ConnectionError} With the code `disconnected`, if the connection broke.
   */
  readAll(observer: LineObserver): Promise<void>;
  /** How many bytes have come in all. */
  readonly receivedBytes: number;
}

/** What a connection hears until it subscribes to something. */
const EVERYTHING: ReadonlyMap<string, Pattern> = new Map([[">", new Pattern(">")]]);

/** What one hears that has not been let in, or that is not to listen. */
const NOTHING: ReadonlyMap<string, Pattern> = new Map();

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
  /** What it sends and is sent, if it is a classic client that knows nothing of lines. */
  readonly classic: ClassicCodec | undefined;
  /** What its client sends: lines, or the messages of a classic client. */
  readonly intake: Intake;
  /** What waits to be written to it. */
  readonly queue: WriteQueue;
  /** The patterns it hears. */
  patterns: ReadonlyMap<string, Pattern> = NOTHING;
  /** Whether it gets events with their id and sender. */
  meta = false;
  /** Whether it is told how many hops are behind them, if it gets that. */
  hops = false;
  /** Whether it gets the events it publishes itself. */
  echo = true;
  /** If it is an observer: of how many events a second it gets a sample. */
  observe: number | undefined;
  /** Whether it has sent a control line: only then it is sent any. */
  speaksControl = false;
  /** What it may do; undefined until it is let in. */
  scope: Scope | undefined;
  /** Whether it may publish. */
  mayPublish = false;
  /** Finds out whether its client is still there, once it speaks control lines. */
  heartbeat: Heartbeat | undefined;
  /** The route of the last event it published. */
  route: Route | undefined;
  /** How many of its events were recognized. */
  published = 0;
  /** How many events were queued for it. */
  delivered = 0;
  /** How many events were dropped since it had no room for them. */
  dropped = 0;
  /** Set once it is out of the pool: nothing it sends counts any more. */
  ended = false;
  /** Set once it has been told that it has left: of one that has, nothing is told any more but what it lost. */
  isGone = false;
  /** Why its lines were refused: the names of events that are not recognized, and the codes of errors. */
  readonly causes: BoundedCounter = new BoundedCounter();
  /** Whether it has no room for events, so that they are dropped. */
  isSlow = false;
  /** What was dropped since it had no room: since it was last told. */
  missed: { events: number; bytes: number } = { events: 0, bytes: 0 };
  /** Called when its queue is full. */
  overflow: (bytes: number, events: number) => void = () => {};
  /** Called when there is room again. */
  onRoom: () => void = () => {};
  /** Called when an event was left out, being longer than a message to a classic client may be. */
  onTooLong: (bytes: number) => void = () => {};
  readonly #conn: Transport;
  readonly #lines: LineReader | undefined;
  readonly #lineBytes: number;
  readonly #limiter: RateLimiter | undefined;
  #pauseMs = 0;
  /** The patterns that it asked for. */
  readonly #own = new Map<string, Pattern>();
  readonly #inputEnd = Promise.withResolvers<void>();

  /**
   * Takes a socket, or what does for one, into the pool. It hears nothing until it is let in.
   *
   * @param conn The socket.
   * @param name What it is called until its client gives itself a name.
   * @param limits The limits of its lines and its queue.
   * @param classic What it sends and is sent, if it is a classic client.
   */
  constructor(conn: Transport, name: string, limits: Limits, classic?: ClassicCodec) {
    this.#conn = conn;
    sendAtOnce(conn);
    this.name = name;
    this.address = formatAddress(conn.remoteAddr as Deno.NetAddr);
    this.#lineBytes = limits.lineBytes;
    this.classic = classic;
    if (classic === undefined) this.#lines = lineReader(conn, limits);
    this.intake = this.#lines ?? new MessageReader(conn, Math.min(limits.lineBytes, MAX_MESSAGE_BYTES));
    this.queue = new WriteQueue(conn, { ...outboxOptions(limits, classic), onRoom: () => this.onRoom() });
    if (limits.eventsPerSecond !== null) this.#limiter = new RateLimiter(limits.eventsPerSecond);
  }

  /**
   * Lets it in.
   *
   * @param scope What it may do.
   */
  letIn(scope: Scope): void {
    this.scope = scope;
    this.mayPublish = scope !== "listen";
    this.patterns = scope === "publish" ? NOTHING : EVERYTHING;
    if (this.#lines) this.#lines.maxLineBytes = this.#lineBytes;
  }

  /**
   * Counts an event that it publishes.
   *
   * @returns Whether it is one too many for the moment; then {@linkcode Connection.pause} waits.
   */
  takeEvent(): boolean {
    if (this.#limiter === undefined) return false;
    this.#pauseMs = this.#limiter.take();
    return this.#pauseMs > 0;
  }

  /**
   * What is to be waited for before its next line is read.
   *
   * @returns Nothing if it is not too fast.
   */
  pause(): Promise<void> | undefined {
    if (this.#pauseMs === 0) return undefined;
    return delay(this.#pauseMs).then(() => void (this.#pauseMs = 0));
  }

  /** How many bytes have come of a line that has not ended. */
  get unfinishedBytes(): number {
    return this.#lines?.unfinishedBytes ?? 0;
  }

  /** Whether what it sends waits to be read: then nobody can tell whether it is silent. */
  get isPausing(): boolean {
    return this.#pauseMs > 0;
  }

  /**
   * What it has missed since it was last told.
   *
   * @returns How many events, and their bytes; from now on they count as told.
   */
  takeMissed(): { events: number; bytes: number } {
    const { missed } = this;
    this.missed = { events: 0, bytes: 0 };
    return missed;
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
      queuedBytes: this.queue.queuedBytes,
      dropped: this.dropped,
      classic: this.classic?.form ?? null,
      observe: this.observe ?? null,
    };
  }

  /**
   * Checks whether patterns can be added to those it hears.
   *
   * @param patterns The patterns to add.
   * @param limit How many it may have in all.
   * @returns Whether that would change what it hears.
   * @throws {ProtocolError} With the code `too-many-patterns`.
   */
  checkSubscribe(patterns: readonly Pattern[], limit: number): boolean {
    const own = this.patterns === EVERYTHING ? NOTHING : this.patterns;
    const added = new Set(patterns.map(({ text }) => text).filter((text) => !own.has(text)));
    if (own.size + added.size > limit) {
      const message = `Cannot subscribe to more than ${limit} patterns: unsubscribe from some first`;
      throw new ProtocolError("too-many-patterns", message);
    }
    return added.size > 0 || this.patterns === EVERYTHING;
  }

  /**
   * Adds patterns to those it hears. The first ones replace the everything it began with.
   *
   * @param patterns The patterns to add.
   */
  subscribe(patterns: readonly Pattern[]): void {
    for (const pattern of patterns) this.#own.set(pattern.text, pattern);
    this.patterns = this.#own;
  }

  /**
   * Checks whether patterns can be taken from those it hears.
   *
   * @param patterns The patterns to take away.
   * @throws {ProtocolError} With the code `not-subscribed`, if it does not have one of them.
   */
  checkUnsubscribe(patterns: readonly Pattern[]): void {
    const unknown = patterns.find(({ text }) => text !== ">" && !this.patterns.has(text));
    if (unknown === undefined) return;
    const heard = formatPatterns([...this.patterns.keys()]);
    const message = `Cannot unsubscribe from ${quote(unknown.text)}: this connection is subscribed to ${heard}`;
    throw new ProtocolError("not-subscribed", message);
  }

  /**
   * Takes patterns from those it hears; `>` takes them all.
   *
   * @param patterns The patterns to take away.
   */
  unsubscribe(patterns: readonly Pattern[]): void {
    for (const { text } of patterns) text === ">" ? this.#own.clear() : this.#own.delete(text);
    this.patterns = this.#own;
  }

  /** To be called when nothing more can be read from it. */
  inputEnded(): void {
    this.#inputEnd.resolve();
  }

  /**
   * Writes what is queued and some last words, closes the connection for writing, waits for the client to do the same,
   * and closes the socket. To close it at once while the client still sends could destroy what it has not read yet. But
   * only one that speaks control lines knows that it is to close its side, too: a plain one is waited for a moment.
   *
   * @param closeMessage Whole lines, each with its LF; may be empty.
   * @param deadlineMs After how many milliseconds the socket is closed in any case.
   * @returns How many bytes could not be written.
   */
  async finish(closeMessage: string, deadlineMs: number): Promise<number> {
    if (closeMessage !== "") this.queue.pushUrgent(encoder.encode(closeMessage), ANSWER_BYTES);
    const endsAt = Date.now() + deadlineMs;
    const isWritten = await atMost(deadlineMs, this.#writeAndEnd());
    const graceMs = Math.min(this.speaksControl ? deadlineMs : LINGER_MS, endsAt - Date.now());
    if (isWritten) await atMost(graceMs, this.#inputEnd.promise);
    const unwritten = this.queue.queuedBytes;
    this.#close();
    return unwritten;
  }

  async #writeAndEnd(): Promise<boolean> {
    if (!await this.queue.drained()) return false;
    try {
      await this.#conn.closeWrite();
      return true;
    } catch {
      return false; // The client has gone: there is nobody to wait for.
    }
  }

  #close(): void {
    try {
      this.#conn.close();
    } catch {
      // A write that failed has closed it already: closed it is.
    }
  }
}

/** Until it is let in, a line may be no longer than a greeting, and no more is read ahead. */
function lineReader(conn: Transport, { lineBytes }: Limits): LineReader {
  return new LineReader(conn, { maxLineBytes: Math.min(lineBytes, MAX_GREETING_BYTES), limitReadAhead: true });
}

/** Whatever the limit, a message to a classic client fits: it may be longer than the line that it is made of. */
function outboxOptions({ outboxBytes }: Limits, classic: ClassicCodec | undefined): WriteQueueOptions {
  if (classic === undefined) return { limitBytes: outboxBytes };
  const limitBytes = Math.max(MAX_MESSAGE_BYTES + 1, Math.min(outboxBytes, CLASSIC_OUTBOX_BYTES));
  return { limitBytes, paceMs: MESSAGE_PACE_MS };
}

/** A turn's output is one write: to hold it back in the hope of more (Nagle's algorithm) only adds delay. */
function sendAtOnce(conn: Transport): void {
  try {
    if (isTcp(conn)) conn.setNoDelay();
  } catch {
    // The client has gone: the one who reads the connection learns of that.
  }
}

function isTcp(conn: Transport): conn is Deno.TcpConn {
  return "setNoDelay" in conn;
}

/**
 * Closes a connection that is not taken into the pool, with a reason.
 *
 * @param conn The socket.
 * @param closeMessage Whole lines, each with its LF.
 * @param limits The limits of what is read meanwhile.
 * @param deadlineMs After how many milliseconds the socket is closed in any case.
 */
export async function turnAway(
  conn: Transport,
  closeMessage: string,
  limits: Limits,
  deadlineMs: number,
): Promise<void> {
  const connection = new Connection(conn, "", limits);
  const reading = connection.intake.readAll({ onLine: () => {}, onFault: () => {} })
    .catch(() => {}) // That it breaks is no loss.
    .finally(() => connection.inputEnded());
  await connection.finish(closeMessage, deadlineMs);
  await reading;
}
