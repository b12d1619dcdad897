/**
 * Counts the events that are published over HTTP: `/clients` does not list those who publish without a connection.
 *
 * @module
 */
import type { Client } from "../../lib/client.ts";
import { ConnectionError, ProtocolError } from "../../lib/protocol/errors.ts";
import type { ClientInfo } from "../../lib/protocol/responses.ts";

/** The most publishers that are counted; usually there is only one, `http`. */
const MAX_PUBLISHERS = 20;

/** The data of `mq.http` that is used here. */
export interface HttpEvent {
  /** The name of the publisher. */
  readonly name: string;
  /** The address from which the event came, as `HOST:PORT`. */
  readonly address: string;
}

/** Counts events by their publishers. */
export class HttpCounter {
  readonly #publishers = new Map<string, ClientInfo>();

  /** Counts the events that a broker tells of by `mq.http`, as long as the client exists. */
  async follow(client: Client): Promise<void> {
    try {
      for await (const event of client.subscribe("mq.http")) {
        this.count(event.json<HttpEvent>());
      }
    } catch (error) {
      // With a token for publishing only, nothing can be counted. The end of the client is told elsewhere.
      if (!(error instanceof ProtocolError || error instanceof ConnectionError)) throw error;
    }
  }

  /** Counts an event. */
  count({ name, address }: HttpEvent): void {
    const publisher = this.#publishers.get(name) ?? this.#add(name);
    if (publisher === undefined) return;
    publisher.published++;
    publisher.address = address;
  }

  /** Forgets what was counted. */
  clear(): void {
    this.#publishers.clear();
  }

  /** The publishers, in the form in which `/clients` lists connections: with their name as id, and `connectedAt` empty. */
  get publishers(): ClientInfo[] {
    return [...this.#publishers.values()].map((publisher) => ({ ...publisher }));
  }

  #add(name: string): ClientInfo | undefined {
    if (this.#publishers.size >= MAX_PUBLISHERS) return undefined;
    const counts = { published: 0, delivered: 0, queuedBytes: 0, dropped: 0 };
    const info = {
      id: name,
      name,
      address: "",
      connectedAt: "",
      patterns: [],
      classic: null,
      observe: null,
      ...counts,
    };
    this.#publishers.set(name, info);
    return info;
  }
}
