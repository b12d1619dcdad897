/**
 * What changes about the patterns of a connection.
 *
 * @module
 */

/**
 * The patterns that were added and removed, each once. What is added and removed again is no change.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const change = new PatternChange();
 * change.add("create");
 * change.remove("create");
 * change.remove(">");
 * assertEquals([[...change.added], [...change.removed]], [[], [">"]]);
 * ```
 */
export class PatternChange {
  /** The patterns that it has now and had not before. */
  readonly added: Set<string> = new Set();
  /** The patterns that it had before and has not now. */
  readonly removed: Set<string> = new Set();

  /**
   * A pattern was added.
   *
   * @param text The pattern.
   */
  add(text: string): void {
    if (!this.removed.delete(text)) this.added.add(text);
  }

  /**
   * A pattern was removed.
   *
   * @param text The pattern.
   */
  remove(text: string): void {
    if (!this.added.delete(text)) this.removed.add(text);
  }

  /**
   * A later change came to this one.
   *
   * @param later The later change.
   */
  merge({ added, removed }: PatternChange): void {
    for (const text of removed) this.remove(text);
    for (const text of added) this.add(text);
  }
}
