/**
 * What goes on in a broker, worked out from what it has counted at two times. Everything here is pure.
 *
 * @module
 */
import type { BrokerStats, ClientInfo } from "../../lib/protocol/responses.ts";

/** A rate over less than that would say more than is known: one event just after connecting is not 500 a second. */
const MIN_SPAN_MS = 1000;

/** Who has let so much of what may wait for it gather is slow. */
const SLOW_SHARE = 0.1;

const BROKER_COUNTS = ["published", "delivered", "unrecognized", "refused", "slow", "dropped", "cpuMs"] as const;
const CLIENT_COUNTS = ["published", "delivered", "dropped"] as const;

/** By what connections can be sorted. */
export const SORT_KEYS = ["name", "published", "delivered", "queue", "dropped", "connected"] as const;
export type SortKey = typeof SORT_KEYS[number];

/** What a broker has answered. */
export interface Snapshot {
  readonly at: Date;
  readonly stats: BrokerStats;
  readonly clients: readonly ClientInfo[];
  /** The connection that asked, and how long it had existed. */
  readonly own: { readonly id: string; readonly ageMs: number };
  /** How many bytes may wait for one connection. */
  readonly outboxBytes: number;
  /** Those who publish without a connection: `connectedAt` is empty. */
  readonly http?: readonly ClientInfo[];
}

/** What goes on in a broker. */
export interface Figures {
  readonly at: Date;
  readonly stats: BrokerStats & { readonly perSecond: Record<typeof BROKER_COUNTS[number], number> };
  readonly clients: readonly ClientFigures[];
}

/** What goes on in one of its connections. */
export type ClientFigures = ClientInfo & {
  readonly perSecond: Record<typeof CLIENT_COUNTS[number], number>;
  /** For how long it has been connected, by the broker's clock. */
  readonly connectedMs: number;
  /** Whether it reads too slowly: much waits for it, or events are dropped. */
  readonly isSlow: boolean;
  /** Whether it only looks on: an observer, or the connection that asked. */
  readonly looksOn: boolean;
};

/**
 * What has changed between two answers of a broker.
 *
 * @param before The first; undefined if there is none: then all has changed since the broker was made.
 * @param now The second.
 */
export function compare(before: Snapshot | undefined, now: Snapshot): Figures {
  const { at, stats, own } = now;
  const spanMs = before ? Math.max(1, stats.uptimeMs - before.stats.uptimeMs) : Math.max(MIN_SPAN_MS, stats.uptimeMs);
  const known = new Map([...before?.clients ?? [], ...before?.http ?? []].map((client) => [client.id, client]));
  const nowMs = brokerTime(now);
  const clients = [...now.clients, ...now.http ?? []].map((client) => {
    const isConnected = client.connectedAt !== "";
    const connectedMs = isConnected ? Math.max(0, Math.round(nowMs - Date.parse(client.connectedAt))) : 0;
    const earlier = known.get(client.id);
    const clientSpanMs = earlier || !isConnected ? spanMs : Math.max(MIN_SPAN_MS, connectedMs);
    const perSecond = rates(CLIENT_COUNTS, earlier, client, clientSpanMs);
    const isSlow = perSecond.dropped > 0 || client.queuedBytes > SLOW_SHARE * now.outboxBytes;
    const looksOn = client.observe !== null || client.id === own.id;
    return { ...client, perSecond, connectedMs, isSlow, looksOn };
  });
  return { at, stats: { ...stats, perSecond: rates(BROKER_COUNTS, before?.stats, stats, spanMs) }, clients };
}

/** The time on the broker's clock, which may be wrong, or that of this machine: only what both say of one thing tells. */
function brokerTime({ at, clients, own }: Snapshot): number {
  const itself = clients.find(({ id }) => id === own.id);
  return itself ? Date.parse(itself.connectedAt) + own.ageMs : at.getTime();
}

function rates<K extends string>(
  keys: readonly K[],
  before: Record<K, number> | undefined,
  now: Record<K, number>,
  spanMs: number,
): Record<K, number> {
  const rate = (key: K) => (now[key] - (before?.[key] ?? 0)) * 1000 / spanMs;
  return Object.fromEntries(keys.map((key) => [key, rate(key)])) as Record<K, number>;
}

const names = new Intl.Collator("en", { numeric: true });

/** Names from A to Z, and of all else the most first. */
const ORDERS: Record<SortKey, (a: ClientFigures, b: ClientFigures) => number> = {
  name: (a, b) => names.compare(a.name, b.name),
  published: (a, b) => b.perSecond.published - a.perSecond.published,
  delivered: (a, b) => b.perSecond.delivered - a.perSecond.delivered,
  queue: (a, b) => b.queuedBytes - a.queuedBytes,
  dropped: (a, b) => b.dropped - a.dropped,
  connected: (a, b) => b.connectedMs - a.connectedMs,
};

/** In what order connections are shown. */
export interface Order {
  readonly sort: SortKey;
  readonly isReversed: boolean;
}

/** Connections in an order; those that are equal stay as they are, the oldest first. */
export function sorted(clients: readonly ClientFigures[], { sort, isReversed }: Order): ClientFigures[] {
  const order = ORDERS[sort];
  return clients.toSorted(isReversed ? (a, b) => order(b, a) : order);
}

/** Figures for programs: one JSON object. */
export function formatFigures({ at, stats, clients }: Figures, order: Order): string {
  const rounded = (_key: string, value: unknown) =>
    typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
  const shown = sorted(clients, order).map(({ isSlow, looksOn: _, ...client }) => ({ ...client, slow: isSlow }));
  return JSON.stringify({ at: at.toISOString(), stats, clients: shown }, rounded);
}
