/**
 * The details of one event: its data in full, its publisher, its time and its receivers.
 *
 * @module
 */
import { isJson } from "../lib/protocol/data.ts";
import { make } from "./dom.ts";
import { describePatterns, formatTime, indentJson } from "./format.ts";
import type { ShownEvent } from "./model.ts";

const MAX_RECEIVERS = 30;
/** Longer data is cut off. */
const MAX_CHARACTERS = 20_000;

/** Makes the details of an event; `address` is that of the publisher, if the event came over HTTP. */
export function makeDetails(event: ShownEvent, address: string | undefined): HTMLElement {
  const { id, name, text, fromName, drop } = event;
  const from = address === undefined ? fromName : `${fromName} (${address})`;
  return make(
    "div",
    "details",
    ...drop === undefined ? [] : [make("p", "error", drop.text), make("p", "help", drop.help)],
    ...drop === undefined ? [make("pre", "", text === "" ? "(no data)" : dataOf(text))] : [],
    make(
      "dl",
      "",
      ...facts([["event", name || "(none)"], ["from", from], ["to", receiversOf(event)], ["at", formatTime(id)], [
        "id",
        id,
      ]]),
    ),
  );
}

function dataOf(text: string): string {
  const lines = isJson(text) ? indentJson(text) : text;
  return lines.length > MAX_CHARACTERS ? `${lines.slice(0, MAX_CHARACTERS)}…` : lines;
}

function receiversOf({ subscribers, isStored, drop }: ShownEvent): string {
  if (drop !== undefined) return "nobody";
  const listed = subscribers.slice(0, MAX_RECEIVERS).map(({ name, pattern }) =>
    `${name} (gets ${describePatterns([pattern])})`
  );
  const more = subscribers.length - MAX_RECEIVERS;
  const rest = more > 0 ? [`${more.toLocaleString("en-US")} more`] : [];
  return [...listed, ...rest].join(", ") || `${isStored ? "the store alone" : "nobody"}: it has no subscribers`;
}

function facts(pairs: readonly (readonly [string, string])[]): HTMLElement[] {
  return pairs.flatMap(([term, value]) => [make("dt", "", term), make("dd", "", value)]);
}
