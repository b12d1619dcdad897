/**
 * Computes the rates of `mq top` from two snapshots of a broker's counters. Everything here is pure.
 *
 * @module
 */
import type { BrokerStats, ClientInfo } from "../../lib/protocol/responses.ts";
import type { StoreFigures } from "./store.ts";

/** The shortest interval for a rate: one event 2 ms after connecting is not 500 events a second. */
const MIN_INTERVAL_MS = 1000;

/** A connection is slow when more than this share of its queue limit is waiting. */
const SLOW_SHARE = 0.1;

const BROKER_COUNTS = ["published", "delivered", "unrecognized", "refused", "slow", "dropped", "cpuMs"] as const;
const CLIENT_COUNTS = ["published", "delivered", "dropped"] as const;

export const SORT_KEYS = ["name", "published", "delivered", "queue", "dropped", "connected"] as const;
export type SortKey = typeof SORT_KEYS[number];

/** The counters of a broker at one time. */
export interface Snapshot {
  readonly at: Date;
  readonly stats: BrokerStats;
  readonly clients: readonly ClientInfo[];
  /** The connection of `mq top` itself, and its age. */
  readonly own: { readonly id: string; readonly ageMs: number };
  /** The queue limit of each connection, in bytes. */
  readonly outboxBytes: number;
  /** Publishers over HTTP, which have no connection: `connectedAt` is empty. */
  readonly http?: readonly ClientInfo[];
  /** The broker's store; undefined for none. */
  readonly store?: StoreFigures;
}

/** The counters of a broker and their rates. */
export interface Figures {
  readonly at: Date;
  readonly stats: BrokerStats & { readonly perSecond: Record<typeof BROKER_COUNTS[number], number> };
  readonly clients: readonly ClientFigures[];
  /** The broker's store; undefined for none. */
  readonly store?: StoreFigures;
}

/** The counters of one connection and their rates. */
export type ClientFigures = ClientInfo & {
  readonly perSecond: Record<typeof CLIENT_COUNTS[number], number>;
  /** How long it has been connected. */
  readonly connectedMs: number;
  /** Whether it is a slow consumer: much waits in its queue, or events for it are being dropped. */
  readonly isSlow: boolean;
  /** Whether it is an observer of the broker, or `mq top` itself. */
  readonly isObserver: boolean;
};

/**
 * Computes the rates between two snapshots.
 *
 * @param before The earlier snapshot. Without one, rates are averages since the broker started or the client connected.
 * @param now The later snapshot.
 */
export function compare(before: Snapshot | undefined, now: Snapshot): Figures {
  const { at, stats, own, store } = now;
  const intervalMs = before
    ? Math.max(1, stats.uptimeMs - before.stats.uptimeMs)
    : Math.max(MIN_INTERVAL_MS, stats.uptimeMs);
  const known = new Map([...before?.clients ?? [], ...before?.http ?? []].map((client) => [client.id, client]));
  const nowMs = brokerClock(now);
  const clients = [...now.clients, ...now.http ?? []].map((client) => {
    const isConnected = client.connectedAt !== "";
    const connectedMs = isConnected ? client.connectedMs ?? ageByClock(client, nowMs) : 0;
    const earlier = known.get(client.id);
    const clientSpanMs = earlier || !isConnected ? intervalMs : Math.max(MIN_INTERVAL_MS, connectedMs);
    const perSecond = rates(CLIENT_COUNTS, earlier, client, clientSpanMs);
    const isSlow = perSecond.dropped > 0 || client.queuedBytes > SLOW_SHARE * now.outboxBytes;
    const isObserver = client.observe !== null || client.id === own.id;
    return { ...client, perSecond, connectedMs, isSlow, isObserver };
  });
  return { at, stats: { ...stats, perSecond: rates(BROKER_COUNTS, before?.stats, stats, intervalMs) }, clients, store };
}

/** The age of a connection to a broker before 0.8, which is wrong if the broker's clock was set since. */
function ageByClock({ connectedAt }: ClientInfo, nowMs: number): number {
  return Math.max(0, Math.round(nowMs - Date.parse(connectedAt)));
}

/** The time on the broker's clock, which may differ from the local one: derived from the age of the own connection. */
function brokerClock({ at, clients, own }: Snapshot): number {
  const connection = clients.find(({ id }) => id === own.id);
  return connection ? Date.parse(connection.connectedAt) + own.ageMs : at.getTime();
}

function rates<K extends string>(
  keys: readonly K[],
  before: Record<K, number> | undefined,
  now: Record<K, number>,
  intervalMs: number,
): Record<K, number> {
  const rate = (key: K) => (now[key] - (before?.[key] ?? 0)) * 1000 / intervalMs;
  return Object.fromEntries(keys.map((key) => [key, rate(key)])) as Record<K, number>;
}

const names = new Intl.Collator("en", { numeric: true });

/** Names from A to Z, everything else from the highest. */
const ORDERS: Record<SortKey, (a: ClientFigures, b: ClientFigures) => number> = {
  name: (a, b) => names.compare(a.name, b.name),
  published: (a, b) => b.perSecond.published - a.perSecond.published,
  delivered: (a, b) => b.perSecond.delivered - a.perSecond.delivered,
  queue: (a, b) => b.queuedBytes - a.queuedBytes,
  dropped: (a, b) => b.dropped - a.dropped,
  connected: (a, b) => b.connectedMs - a.connectedMs,
};

export interface Order {
  readonly sort: SortKey;
  readonly isReversed: boolean;
}

/** Sorts connections; equal ones keep their order, the oldest first. */
export function sorted(clients: readonly ClientFigures[], { sort, isReversed }: Order): ClientFigures[] {
  const order = ORDERS[sort];
  return clients.toSorted(isReversed ? (a, b) => order(b, a) : order);
}

/** The figures as `--json` prints them: one JSON object. */
export function formatFigures({ at, stats, clients, store }: Figures, order: Order): string {
  const rounded = (_key: string, value: unknown) =>
    typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
  const shown = sorted(clients, order).map(({ isSlow, isObserver: _, ...client }) => ({ ...client, slow: isSlow }));
  return JSON.stringify({ at: at.toISOString(), stats, clients: shown, ...store }, rounded);
}
