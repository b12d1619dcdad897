/**
 * The form that publishes an event.
 *
 * @module
 */
import { dataFromText, likelyJsonError } from "../lib/protocol/data.ts";
import { checkPublishable } from "../lib/protocol/event.ts";
import { formatEvent } from "../lib/protocol/lines.ts";
import type { Receipt } from "../lib/protocol/responses.ts";
import type { BrokerConnection } from "./broker_connection.ts";
import { byId, make, setText } from "./dom.ts";
import { count } from "./format.ts";

/** Sets up the form. */
export function setUpPublish(connection: BrokerConnection): void {
  const [name, data] = ["publish-name", "publish-data"].map((id) => byId<HTMLInputElement>(id));
  const [hint, receipt] = ["publish-hint", "receipt"].map((id) => byId(id));
  let ref = 0;
  data.oninput = () => setText(hint, hintFor(data.value));
  byId("publish-form").onsubmit = async (event) => {
    event.preventDefault();
    const published = name.value.trim();
    try {
      checkPublishable(published); // A space in it would make the rest data.
      const line = formatEvent(published, dataFromText(data.value));
      const { receivers, stored } = await connection.request(`/pub page-${++ref} ${line}`) as Receipt;
      const whom = receivers === 0 ? "nobody" : count(receivers, "connection");
      show(receipt, `${published} ${stored ? "is stored, and " : ""}went to ${whom}.`, true);
    } catch (error) {
      show(receipt, `${(error as Error).message}.`, false);
    }
  };
}

/** Suggests the names that the broker recognizes. */
export function suggestNames(events: readonly string[]): void {
  const names = events.filter((event) => !/[*>]/.test(event));
  byId("names").replaceChildren(...names.map((name) => Object.assign(make("option", ""), { value: name })));
  for (const id of ["publish-name", "why-name"]) {
    byId<HTMLInputElement>(id).placeholder = names[0] ?? "order.created";
  }
}

function show(receipt: HTMLElement, text: string, isGood: boolean): void {
  receipt.dataset.good = String(isGood);
  // A new text node, even for the same text: a screen reader reads it again for another event.
  receipt.replaceChildren(text);
}

/** Explains why a text that looks like JSON is not JSON. */
function hintFor(text: string): string {
  const error = likelyJsonError(text);
  return error === undefined ? "" : `Not JSON, so it is sent as text: ${error}`;
}
