/**
 * The page's connection to the broker: a WebSocket that carries the line protocol, one line a message.
 *
 * @module
 */
import type { Hello } from "../lib/protocol/responses.ts";
import { type BrokerLine, parseBrokerLine } from "../lib/protocol/lines.ts";

/** How many events a second the page asks for. */
const OBSERVE = 60;
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 1000;
/** A broker that has not answered for so long is gone. */
const SILENCE_MS = 10_000;

/** What the broker does not do, and why, in its words. */
export class Refusal extends Error {
  /** The word that stands for it on the wire. */
  readonly code: string;

  constructor(code: string, text: string) {
    super(text);
    this.code = code;
  }
}

/** Who is told what comes. */
export interface Hooks {
  /** The broker has let the page in. */
  found(hello: Hello): void;
  /** An event has come. */
  event(line: BrokerLine & { type: "event" }): void;
  /** There is no connection any more, or there was none to be had. */
  gone(): void;
  /** The broker does not let the page in, or does not let it watch. */
  refused(refusal: Refusal): void;
}

interface Question {
  readonly answered: (json: string) => void;
  readonly refused: (refusal: Error) => void;
}

/** A connection that comes back by itself. */
export class Link {
  #token: string | undefined;
  #isLocked = false;
  readonly #hooks: Hooks;
  #socket: WebSocket | undefined;
  #questions: Question[] = [];
  #delayMs = FIRST_DELAY_MS;
  #silence: number | undefined;

  /** Begins without a connection; the token is what lets the page in, where that is asked for. */
  constructor(token: string | undefined, hooks: Hooks) {
    this.#token = token;
    this.#hooks = hooks;
  }

  /** Tries another token. */
  unlock(token: string): void {
    this.#token = token;
    this.#isLocked = false;
    this.open();
  }

  /** Connects, and from then on connects again whenever that is over. */
  open(): void {
    const socket = new WebSocket(new URL("/ws", location.href.replace(/^http/, "ws")));
    this.#socket = socket;
    socket.onopen = () => this.#introduce();
    socket.onmessage = ({ data }) => this.#line(parseBrokerLine(String(data)));
    socket.onclose = () => socket === this.#socket && this.#lost();
  }

  /**
   * Sends a control line.
   *
   * @returns The JSON of its answer, where there is one.
   * @throws {Refusal} If the broker refuses it, or if the connection ends before it has answered.
   */
  async ask(line: string): Promise<unknown> {
    const json = await new Promise<string>((answered, refused) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) return refused(new Refusal("gone", "There is no broker now"));
      this.#socket.send(line);
      this.#questions.push({ answered, refused });
      if (this.#questions.length === 1) this.#watch();
    });
    return json === "" ? undefined : JSON.parse(json);
  }

  async #introduce(): Promise<void> {
    try {
      // A token that there is none of is left out.
      const hello = await this.ask(`/hello ${JSON.stringify({ name: "page", observe: OBSERVE, token: this.#token })}`);
      this.#hooks.found(hello as Hello);
      this.#delayMs = FIRST_DELAY_MS;
      await this.ask("/sub > mq.>");
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.code === "gone") return;
      this.#isLocked = error.code === "unauthorized";
      this.#hooks.refused(error);
    }
  }

  #line(line: BrokerLine): void {
    switch (line.type) {
      case "event":
        return this.#hooks.event(line);
      case "ok":
        return this.#next()?.answered(line.json);
      case "err":
        if (line.what === "-") return this.#hooks.refused(new Refusal(line.code, line.text));
        return this.#next()?.refused(new Refusal(line.code, line.text));
      case "ping":
        this.#socket?.send("/pong");
    }
  }

  /** Answers come in the order of the questions. */
  #next(): Question | undefined {
    const question = this.#questions.shift();
    this.#watch();
    return question;
  }

  #watch(): void {
    clearTimeout(this.#silence);
    if (this.#questions.length > 0) this.#silence = setTimeout(() => this.#lost(), SILENCE_MS);
  }

  #lost(): void {
    clearTimeout(this.#silence);
    const socket = this.#socket;
    this.#socket = undefined; // What comes of it from now on is ignored.
    socket?.close();
    for (const { refused } of this.#questions.splice(0)) refused(new Refusal("gone", "The broker is gone"));
    if (this.#isLocked) return;
    this.#hooks.gone();
    setTimeout(() => this.open(), this.#delayMs);
    this.#delayMs = Math.min(MAX_DELAY_MS, this.#delayMs * 2);
  }
}
