/**
 * The store as flags of `mq server`.
 *
 * @module
 */
import type { BrokerOptions } from "../../lib/broker/options.ts";
import { checkRecognizable, Pattern } from "../../lib/protocol/pattern.ts";
import { ProtocolError } from "../../lib/protocol/errors.ts";
import { openStore } from "../../lib/store/sqlite.ts";
import { age, duration, list, option, size, UsageError, type Values } from "../command.ts";
import { UnusableValueError } from "../shared/errors.ts";

/** The permissions that it takes to open a store. */
const PERMISSIONS: readonly Deno.PermissionName[] = ["read", "write"];

/** The flags that need `--store`, each with an example value. */
const EXAMPLES = [["keep", "'order.>'"], ["keep-for", "7d"], ["keep-bytes", "1GiB"], ["sync", "100ms"]] as const;

/** The store as flags. */
export const storeFlags = {
  store: option("DIR", "Keep events in that folder: for replay, groups and delays.", (text) => text, {
    suggestFor: ["data", "dir", "db", "database", "persist", "durable", "save", "file"],
  }),
  keep: option("PATTERNS", "The events that are kept.", patterns, { defaultValue: ["all recognized", undefined] }),
  "keep-for": option("AGE", "How long events are kept.", age, {
    defaultValue: ["7d", undefined],
    suggestFor: ["retention", "max-age", "ttl"],
  }),
  "keep-bytes": option("BYTES", "How much of them is kept.", size, {
    defaultValue: ["1GiB", undefined],
    suggestFor: ["keep-size", "max-bytes"],
  }),
  sync: option("DURATION", "Sync to the disk that often, instead of before each receipt.", duration, {
    suggestFor: ["fsync"],
  }),
};

/**
 * Opens the store that the flags name.
 *
 * @param flags The values of the flags.
 * @returns The options of the broker; empty without `--store`.
 * @throws {UsageError} If there are flags for a store, and no store.
 * @throws {MqError} If the store cannot be opened.
 */
export async function openStoreOf(flags: Values<typeof storeFlags>): Promise<Pick<BrokerOptions, "store" | "keep">> {
  const { store: folder, keep } = flags;
  if (folder === undefined) {
    const given = EXAMPLES.find(([name]) => flags[name] !== undefined);
    if (given === undefined) return {};
    throw new UsageError(`--${given[0]} needs --store`, `mq server --store data --${given.join(" ")}`);
  }
  const { "keep-for": keepMs, "keep-bytes": keepBytes, sync: syncMs } = flags;
  const store = await openStore({ folder, keepMs, keepBytes, syncMs });
  return { store, keep };
}

/** The permissions that it takes to open the store of the flags. */
export function storePermissions({ store }: Values<typeof storeFlags>): readonly Deno.PermissionName[] {
  return store === undefined ? [] : PERMISSIONS;
}

/** Drops these permissions: an open database needs none. */
export function dropStorePermissions(): void {
  for (const name of PERMISSIONS) Deno.permissions.revokeSync({ name });
}

function patterns(text: string): string[] {
  const texts = list(text);
  try {
    checkRecognizable(texts);
    return texts.map((text) => new Pattern(text).text);
  } catch (error) {
    if (error instanceof ProtocolError) throw new UnusableValueError(error.message);
    throw error;
  }
}
