/**
 * The page's connection to the broker: a WebSocket that carries the line protocol, one line a message.
 *
 * @module
 */
import { type BrokerLine, parseBrokerLine } from "../lib/protocol/lines.ts";
import type { Hello } from "../lib/protocol/responses.ts";
import type { EventLine } from "./model.ts";

/** How many events a second the page asks for, as an observer. */
const OBSERVE = 60;
const FIRST_RECONNECT_DELAY_MS = 100;
const MAX_RECONNECT_DELAY_MS = 1000;
/** The connection is lost if a response takes longer than this. */
const RESPONSE_TIMEOUT_MS = 10_000;

/** A command that the broker refused, or that the end of the connection made impossible (`disconnected`). */
export class CommandError extends Error {
  /** The code of the protocol. */
  readonly code: string;

  constructor(code: string, text: string) {
    super(text);
    this.code = code;
  }
}

/** The functions that a connection calls. */
export interface ConnectionHandlers {
  /** The broker has answered `/hello`. */
  connected(hello: Hello): void;
  /** An event has arrived. */
  event(line: EventLine): void;
  /** The connection is lost, or could not be made. It is tried again. */
  disconnected(): void;
  /** The broker has refused `/hello` or `/sub`, or has told an error that belongs to no command. */
  refused(error: CommandError): void;
}

interface PendingCommand {
  readonly resolve: (json: string) => void;
  readonly reject: (error: Error) => void;
}

/** A connection that reconnects by itself. */
export class BrokerConnection {
  #token: string | undefined;
  /** Whether the token was refused: then only another token can help. */
  #isLocked = false;
  readonly #handlers: ConnectionHandlers;
  #socket: WebSocket | undefined;
  #pending: PendingCommand[] = [];
  #skipped = 0;
  #reconnectDelayMs = FIRST_RECONNECT_DELAY_MS;
  /** Since when it has been connected; undefined while it is not. */
  #connectedSince: number | undefined;
  #timeout: number | undefined;

  /** Makes a connection that is not open yet. The token is only needed where the broker requires one. */
  constructor(token: string | undefined, handlers: ConnectionHandlers) {
    this.#token = token;
    this.#handlers = handlers;
  }

  /** Connects with another token. */
  unlock(token: string): void {
    this.#token = token;
    this.#isLocked = false;
    this.open();
  }

  /** Connects, and reconnects whenever the connection is lost. */
  open(): void {
    const socket = new WebSocket(new URL("/ws", location.href.replace(/^http/, "ws")));
    this.#socket = socket;
    this.#skipped = 0;
    socket.onopen = () => this.#subscribe();
    socket.onmessage = ({ data }) => this.#line(parseBrokerLine(String(data)));
    socket.onclose = () => socket === this.#socket && this.#lost();
  }

  /**
   * Sends a command.
   *
   * @returns The JSON value of the response, if it has one.
   * @throws {CommandError} If the broker refuses the command, or the connection ends before the response.
   */
  async request(line: string): Promise<unknown> {
    const json = await new Promise<string>((resolve, reject) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) {
        return reject(new CommandError("disconnected", "There is no connection to the broker"));
      }
      this.#socket.send(line);
      this.#pending.push({ resolve, reject });
      if (this.#pending.length === 1) this.#startTimeout();
    });
    return json === "" ? undefined : JSON.parse(json);
  }

  async #subscribe(): Promise<void> {
    try {
      const introduction = JSON.stringify({ name: "page", observe: OBSERVE, token: this.#token });
      const hello = await this.request(`/hello ${introduction}`) as Hello;
      const subscribed = this.request("/sub > mq.>"); // Sent before the handler asks for /clients: no change is missed.
      this.#handlers.connected(hello);
      await subscribed;
      this.#connectedSince = performance.now();
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      if (error.code === "disconnected") return;
      this.#isLocked = error.code === "unauthorized";
      this.#handlers.refused(error);
    }
  }

  #line(line: BrokerLine): void {
    switch (line.type) {
      case "event":
        return this.#event(line);
      case "skipped":
        this.#skipped = line.events;
        return;
      case "ok":
        return this.#takePending()?.resolve(line.json);
      case "err":
        if (line.what === "-") return this.#handlers.refused(new CommandError(line.code, line.text));
        return this.#takePending()?.reject(new CommandError(line.code, line.text));
      case "ping":
        this.#socket?.send("/pong");
    }
  }

  #event({ id = "", from = "", name, text }: BrokerLine & { type: "event" }): void {
    const skipped = this.#skipped;
    this.#skipped = 0;
    this.#handlers.event({ id, from, name, text, skipped });
  }

  /** The oldest pending command: responses come in the order of the commands. */
  #takePending(): PendingCommand | undefined {
    const command = this.#pending.shift();
    this.#startTimeout();
    return command;
  }

  #startTimeout(): void {
    clearTimeout(this.#timeout);
    if (this.#pending.length > 0) this.#timeout = setTimeout(() => this.#lost(), RESPONSE_TIMEOUT_MS);
  }

  #lost(): void {
    clearTimeout(this.#timeout);
    const socket = this.#socket;
    this.#socket = undefined; // Its late events are ignored.
    socket?.close();
    const error = new CommandError("disconnected", "The connection to the broker is lost");
    for (const { reject } of this.#pending.splice(0)) reject(error);
    if (this.#isLocked) return;
    this.#handlers.disconnected();
    const lastedMs = this.#connectedSince === undefined ? 0 : performance.now() - this.#connectedSince;
    this.#connectedSince = undefined;
    if (lastedMs > this.#reconnectDelayMs) this.#reconnectDelayMs = FIRST_RECONNECT_DELAY_MS;
    setTimeout(() => this.open(), this.#reconnectDelayMs);
    this.#reconnectDelayMs = Math.min(MAX_RECONNECT_DELAY_MS, this.#reconnectDelayMs * 2);
  }
}
