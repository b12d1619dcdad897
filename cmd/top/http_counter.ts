/**
 * Counts the events that are published over HTTP, since `/clients` lists only connections.
 *
 * @module
 */
import type { Client } from "../../lib/client.ts";
import { ConnectionError, ProtocolError } from "../../lib/protocol/errors.ts";
import type { ClientInfo } from "../../lib/protocol/responses.ts";

/** The maximum number of publishers that are counted; usually there is only one, `http`. */
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

  /** Counts `mq.http` events until the client is closed. */
  async follow(client: Client): Promise<void> {
    try {
      for await (const event of client.subscribe("mq.http")) {
        this.count(event.json<HttpEvent>());
      }
    } catch (error) {
      // A token for publishing only cannot subscribe, and the end of the connection is reported elsewhere.
      if (!(error instanceof ProtocolError || error instanceof ConnectionError)) throw error;
    }
  }

  count({ name, address }: HttpEvent): void {
    const publisher = this.#publishers.get(name) ?? this.#add(name);
    if (publisher === undefined) return;
    publisher.published++;
    publisher.address = address;
  }

  clear(): void {
    this.#publishers.clear();
  }

  /** The publishers in the form of connections in `/clients`, with the name as id and an empty `connectedAt`. */
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
      patternCount: 0,
      classic: null,
      observe: null,
      ...counts,
    };
    this.#publishers.set(name, info);
    return info;
  }
}
