/**
 * The store as flags of `mq server`.
 *
 * @module
 */
import type { BrokerOptions } from "../../lib/broker/options.ts";
import { formatPatterns, Pattern } from "../../lib/protocol/pattern.ts";
import { MqError, ProtocolError, quote } from "../../lib/protocol/errors.ts";
import { isReserved } from "../../lib/protocol/event.ts";
import { DEFAULT_KEEP_BYTES, DEFAULT_KEEP_MS, openStore, type StoreOptions } from "../../lib/store/sqlite.ts";
import type { Store } from "../../lib/store/store.ts";
import { age, duration, folder, list, option, size, sizeText, UsageError, type Values } from "../command.ts";
import { UnusableValueError } from "../shared/errors.ts";
import type { Io } from "../shared/stdio.ts";
import { STORE_PERMISSIONS } from "../shared/store_permissions.ts";
import type { StoreSettings } from "./store_log.ts";

/** The flags that need `--store`, each with an example value. */
const EXAMPLES = [["keep", "'order.>'"], ["keep-for", "7d"], ["keep-bytes", "1GiB"], ["sync", "100ms"]] as const;

/** The store as flags. */
export const storeFlags = {
  store: option("DIR", "Keep events in that folder: for replay, groups and delays.", folder, {
    suggestFor: ["data", "dir", "db", "database", "persist", "durable", "save", "file", "folder", "storage"],
  }),
  keep: option("PATTERNS", "The events that are kept.", patterns, { defaultValue: ["all recognized", undefined] }),
  "keep-for": option("AGE", "How long events are kept.", age, {
    defaultValue: ["7d", undefined],
    suggestFor: ["retention", "max-age", "ttl"],
  }),
  "keep-bytes": option("BYTES", "How much of them is kept.", size, {
    defaultValue: [sizeText(DEFAULT_KEEP_BYTES), undefined],
    suggestFor: ["keep-size", "max-bytes"],
  }),
  sync: option("DURATION", "Sync to the disk that often, instead of before each receipt.", duration, {
    suggestFor: ["fsync", "flush"],
  }),
};

/**
 * Opens the store that the flags name.
 *
 * @param flags The values of the flags.
 * @returns The options of the broker, and what the log says of the store; nothing without `--store`.
 * @throws {UsageError} If there are flags for a store, and no store.
 * @throws {MqError} If the store cannot be opened.
 */
export async function openStoreOf(
  flags: Values<typeof storeFlags>,
): Promise<{ options: Pick<BrokerOptions, "store" | "keep">; settings?: StoreSettings }> {
  const { store: folder, keep } = flags;
  if (folder === undefined) {
    const given = EXAMPLES.find(([name]) => flags[name] !== undefined);
    if (given === undefined) return { options: {} };
    throw new UsageError(`--${given[0]} needs --store`, `mq server --store data --${given.join(" ")}`);
  }
  const { "keep-for": keepMs = DEFAULT_KEEP_MS, "keep-bytes": keepBytes = DEFAULT_KEEP_BYTES, sync: syncMs = 0 } =
    flags;
  const store = await openWithAdvice({ folder, keepMs, keepBytes, syncMs });
  const settings = { folder, keep, keepMs, keepBytes, syncMs, log: store.log, groups: store.groups.length };
  return { options: { store, keep }, settings };
}

/** What to do about a store that cannot be opened, by the code of the error. */
const ADVICE = new Map([
  ["store-damaged", "mq store export prints what can be read of it"],
  ["store-in-use", "stop that program, or use another folder"],
]);

async function openWithAdvice(options: StoreOptions): Promise<Store> {
  try {
    return await openStore(options);
  } catch (error) {
    const advice = error instanceof MqError ? ADVICE.get(error.code) : undefined;
    if (!(error instanceof MqError) || advice === undefined) throw error;
    throw new MqError(error.code, `${error.message}; ${advice}`, { cause: error });
  }
}

/** Warns of patterns of `--keep` that match no event that the broker recognizes. */
export function warnOfUselessKeep(keep: readonly string[] = [], events: readonly string[], { stderr }: Io): void {
  const recognized = events.map((text) => new Pattern(text));
  const useless = keep.filter((text) => !recognized.some((pattern) => pattern.overlaps(new Pattern(text))));
  if (useless.length === 0) return;
  const which = `${formatPatterns(useless)} ${useless.length === 1 ? "matches" : "match"}`;
  stderr.line(`mq server: --keep ${which} no event that the broker recognizes: ${formatPatterns(events)}`);
}

/** The permissions that it takes to open the store of the flags. */
export function storePermissions({ store }: Values<typeof storeFlags>): readonly Deno.PermissionName[] {
  return store === undefined ? [] : STORE_PERMISSIONS;
}

function patterns(text: string): string[] {
  try {
    const texts = list(text).map((text) => new Pattern(text).text);
    const own = texts.find(isReserved);
    if (own === undefined) return texts;
    throw new UnusableValueError(`${quote(own)}: events of the broker itself are not kept`);
  } catch (error) {
    throw error instanceof ProtocolError ? new UnusableValueError(error.message) : error;
  }
}
