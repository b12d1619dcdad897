/**
 * How `mq server` ends: it drains, and where that takes long, says for whom it waits.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import type { Broker } from "../../lib/broker.ts";
import type { WebGateway } from "../../lib/http/gateway.ts";
import type { ClientInfo } from "../../lib/protocol/responses.ts";
import { count, formatDuration, layOut } from "../shared/format.ts";
import type { Io } from "../shared/stdio.ts";

/** After how long it says so, in milliseconds. Most have read everything and gone by then. */
const SAY_AFTER_MS = 1000;

/** How many connections are named. */
const MAX_NAMED = 5;

/** What a gateway that is closed behind its broker has to itself at least, in milliseconds. */
const MIN_WEB_MS = 500;

/** A broker that listens, and the gateway in front of it. */
export interface Server {
  readonly broker: Broker;
  readonly web: WebGateway | undefined;
}

/** Drains and closes a broker, then its gateway: both within the time that its limits allow for that. */
export async function stopServer({ broker, web }: Server, io: Io): Promise<void> {
  const { drainMs } = broker.limits;
  const endsAt = Date.now() + drainMs;
  const timer = setTimeout(() => io.stderr.line(waitingFor(broker.leaving(), drainMs)), SAY_AFTER_MS);
  try {
    await broker.close();
    await web?.close(Math.max(endsAt - Date.now(), MIN_WEB_MS));
  } finally {
    clearTimeout(timer);
  }
}

/**
 * For whom a broker waits, in a sentence.
 *
 * @param clients Those who have not read everything, or not closed their side; nobody if only requests are left.
 * @param drainMs How long it waits in all, in milliseconds.
 */
export function waitingFor(clients: readonly ClientInfo[], drainMs: number): string {
  const named = clients.slice(0, MAX_NAMED).map(({ name, address, queuedBytes }) =>
    `${layOut(name)} (${address}${queuedBytes > 0 ? `, ${formatBytes(queuedBytes)} to read` : ""})`
  );
  const more = clients.length > MAX_NAMED ? [`${clients.length - MAX_NAMED} more`] : [];
  const whom = clients.length === 0
    ? "requests over HTTP"
    : `${count(clients.length, "connection")} to read what was sent and close: ${[...named, ...more].join(", ")}`;
  return `mq server: waits ${formatDuration(drainMs)} at most for ${whom}. Ctrl-C again ends it at once`;
}
