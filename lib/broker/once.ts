/**
 * Events that are published once however often they are sent: a key repeats the first receipt (docs/protocol.md, 14.4).
 *
 * @module
 */
import { ProtocolError } from "../protocol/errors.ts";
import type { Receipt } from "../protocol/responses.ts";
import { copySubstring } from "../protocol/text.ts";
import type { PublishedKey } from "../store/store.ts";
import type { Journal } from "./journal.ts";

/** How long a key is remembered, in milliseconds. */
export const KEY_MS = 2 * 60 * 1000;

/** How many keys are remembered: more than that are refused. */
export const MAX_KEYS = 250_000;

/** Is told the JSON of the first receipt, or why there is none. */
export type OnReceipt = (receipt: string | undefined, error: ProtocolError | undefined) => void;

/** What is known of a key. */
interface Entry {
  /** By the monotonic clock, in milliseconds: the other one may be set. */
  readonly at: number;
  /** The JSON of the receipt; undefined as long as it waits for the disk. */
  receipt: string | undefined;
  /** Those who have sent it again meanwhile. */
  readonly waiters: OnReceipt[];
}

/** The keys of events that were published. */
export class Keys {
  readonly #entries = new Map<string, Entry>();
  readonly #clock: () => number;

  /**
   * Makes the keys that a store has.
   *
   * @param keys The keys, the oldest first.
   * @param now The time, in milliseconds since 1970.
   * @param clock A monotonic clock, in milliseconds. Default: that of the process.
   */
  constructor(keys: readonly PublishedKey[], now: number, clock: () => number = () => performance.now()) {
    this.#clock = clock;
    for (const { key, at, receipt } of keys) {
      this.#entries.set(key, { at: clock() - Math.max(now - at, 0), receipt, waiters: [] });
    }
  }

  /**
   * Finds out whether an event with a key was published.
   *
   * @param key The key.
   * @param onReceipt Called with the JSON of the first receipt, now or when it is known, or with the error of the first.
   * @returns Whether it was; if not, the caller is to publish it, and to call {@linkcode Keys.begin}.
   */
  find(key: string, onReceipt: OnReceipt): boolean {
    this.#forgetOld();
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    if (entry.receipt === undefined) entry.waiters.push(onReceipt);
    else onReceipt(entry.receipt, undefined);
    return true;
  }

  #forgetOld(): void {
    const oldest = this.#clock() - KEY_MS;
    for (const [key, { at }] of this.#entries) {
      if (at > oldest) return;
      this.#entries.delete(key);
    }
  }

  /**
   * Checks whether there is room for another key.
   *
   * @throws {ProtocolError} With the code `too-many-keys`.
   */
  checkRoom(): void {
    if (this.#entries.size < MAX_KEYS) return;
    const message = `Cannot remember more than ${MAX_KEYS} keys: each is remembered for ${KEY_MS / 60_000} minutes`;
    throw new ProtocolError("too-many-keys", message);
  }

  /**
   * An event with a key is published.
   *
   * @param key The key.
   * @returns To be called with the JSON of the receipt, or with the error if it is not on disk: then the key is free again.
   */
  begin(key: string): (receipt: string, error: ProtocolError | undefined) => void {
    const entry: Entry = { at: this.#clock(), receipt: undefined, waiters: [] };
    const own = copySubstring(key);
    this.#entries.set(own, entry);
    return (receipt, error) => {
      if (error === undefined) entry.receipt = receipt;
      else if (this.#entries.get(own) === entry) this.#entries.delete(own);
      for (const tell of entry.waiters.splice(0)) tell(entry.receipt, error);
    };
  }
}

/**
 * Publishes an event, unless one was published with the same key.
 *
 * @param parts The keys of the broker, and what writes them.
 * @param key The key.
 * @param publish Publishes the event; returns the JSON of its receipt.
 * @param onReceipt Called with the JSON of the receipt when it is on disk, or with the error.
 * @throws {ProtocolError} With the code `too-many-keys` or `store-failed`; or what `publish` throws. Then the key is free.
 */
export function publishOnce(
  { keys, journal }: { keys: Keys; journal: Journal },
  key: string,
  publish: () => string,
  onReceipt: OnReceipt,
): void {
  const isKnown = keys.find(key, (receipt, error) => onReceipt(receipt && asDuplicate(receipt), error));
  if (isKnown) return;
  keys.checkRoom();
  journal.check();
  const receipt = publish();
  const end = keys.begin(key);
  const settled = (error: ProtocolError | undefined) => {
    end(receipt, error);
    onReceipt(receipt, error);
  };
  journal.operate({ do: "key", key, at: Date.now(), receipt }, { settled }); // In the transaction of the event.
}

/**
 * The receipt for an event that was sent again.
 *
 * @param receipt The JSON of the first receipt.
 * @returns The JSON of this one.
 */
function asDuplicate(receipt: string): string {
  return JSON.stringify({ ...JSON.parse(receipt) as Receipt, duplicate: true });
}
