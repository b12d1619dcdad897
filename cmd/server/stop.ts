/**
 * Shuts `mq server` down: drains its connections, and reports which ones it waits for if that takes long.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import type { Broker } from "../../lib/broker.ts";
import type { WebGateway } from "../../lib/http/gateway.ts";
import type { ClientInfo } from "../../lib/protocol/responses.ts";
import { count, formatDuration, printable } from "../shared/format.ts";
import type { Io } from "../shared/stdio.ts";

/** The delay before that report, in milliseconds. */
const REPORT_AFTER_MS = 1000;

/** How many connections the report names. */
const MAX_NAMED = 5;

/** A listening broker and its web gateway. */
export interface Server {
  readonly broker: Broker;
  readonly web: WebGateway | undefined;
}

/** Drains and closes the broker and the gateway, within the `drainMs` of the broker's limits. */
export async function stopServer({ broker, web }: Server, io: Io): Promise<void> {
  const { drainMs } = broker.limits;
  const timer = setTimeout(() => io.stderr.line(waitingFor(broker.leaving(), drainMs)), REPORT_AFTER_MS);
  try {
    await Promise.all([broker.close(), web?.close(drainMs)]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The report of what a draining broker waits for.
 *
 * @param clients The connections that are not closed yet; none if only HTTP requests are left.
 * @param drainMs The time limit, in milliseconds.
 */
export function waitingFor(clients: readonly ClientInfo[], drainMs: number): string {
  const named = clients.slice(0, MAX_NAMED).map(({ name, address, queuedBytes }) =>
    `${printable(name)} (${address}${queuedBytes > 0 ? `, ${formatBytes(queuedBytes)} queued` : ""})`
  );
  const more = clients.length > MAX_NAMED ? [`${clients.length - MAX_NAMED} more`] : [];
  const what = clients.length === 0
    ? "HTTP requests to complete"
    : `${count(clients.length, "connection")} to read everything and close: ${[...named, ...more].join(", ")}`;
  return `mq server: waiting up to ${formatDuration(drainMs)} for ${what}. Ctrl-C again exits at once`;
}
