/**
 * The pages of `/clients`.
 *
 * @module
 */
import { CLIENTS_PER_PAGE } from "./limits.ts";
import type { ClientInfo } from "./responses.ts";

/** A page: the connections that were accepted after one, up to the last of the page. */
export interface ClientPage {
  /** The connections, the oldest first. */
  readonly clients: ClientInfo[];
  /** The id of the connection before the first of the page; empty for the first page. */
  readonly after: string;
  /** Whether no page follows. */
  readonly isLast: boolean;
}

/**
 * Asks for the connections of a broker, until a page is not full. A broker before 0.8 lists all at once.
 *
 * @param ask Sends a command; returns the JSON value of its response.
 * @returns The pages, one after another.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const commands: string[] = [];
 * const pages = await Array.fromAsync(clientPages((command) => {
 *   commands.push(command);
 *   return Promise.resolve([]);
 * }));
 * assertEquals([pages, commands], [[{ clients: [], after: "", isLast: true }], ["/clients"]]);
 * ```
 */
export async function* clientPages(ask: (command: string) => Promise<unknown>): AsyncGenerator<ClientPage, void> {
  let [after, isLast] = ["", false];
  while (!isLast) {
    const listed = await ask(`/clients ${after}`.trimEnd()) as ClientInfo[];
    const isPaged = listed.length === CLIENTS_PER_PAGE && listed[0].patternCount !== undefined;
    const clients = listed.map((info) => ({ ...info, patternCount: info.patternCount ?? info.patterns.length }));
    isLast = !isPaged;
    yield { clients, after, isLast };
    if (isPaged) after = listed[CLIENTS_PER_PAGE - 1].id;
  }
}
