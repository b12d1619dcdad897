/**
 * All that is known of one event: when, from whom, to whom, its data laid out.
 *
 * @module
 */
import { isJson } from "../lib/protocol/data.ts";
import { make } from "./dom.ts";
import type { Seen } from "./model.ts";
import { hearing, laidOut, timeOf } from "./words.ts";

const MAX_LISTED = 30;
/** Longer data is cut short. */
const MAX_CHARACTERS = 20_000;

/** Shows an event in full. */
export function detailsOf(seen: Seen): HTMLElement {
  const { id, text, fromName, drop } = seen;
  return make(
    "div",
    "details",
    ...drop === undefined ? [] : [make("p", "error", drop.text), make("p", "help", drop.help)],
    ...drop === undefined ? [make("pre", "", text === "" ? "(no data)" : shown(text))] : [],
    make("dl", "", ...facts([["sent by", fromName], ["at", timeOf(id)], ["id", id], ...receivers(seen)])),
  );
}

function shown(text: string): string {
  const laid = isJson(text) ? laidOut(text) : text;
  return laid.length > MAX_CHARACTERS ? `${laid.slice(0, MAX_CHARACTERS)}…` : laid;
}

function receivers({ hearers, drop }: Seen): [string, string][] {
  if (drop !== undefined) return [["went to", "nobody"]];
  const listed = hearers.slice(0, MAX_LISTED).map(({ name, pattern }) => `${name} (hears ${hearing([pattern])})`);
  const more = hearers.length - MAX_LISTED;
  const rest = more > 0 ? [`${more.toLocaleString("en-US")} more`] : [];
  return [["went to", [...listed, ...rest].join(", ") || "nobody: nobody hears it"]];
}

function facts(pairs: readonly (readonly [string, string])[]): HTMLElement[] {
  return pairs.flatMap(([term, value]) => [make("dt", "", term), make("dd", "", value)]);
}
