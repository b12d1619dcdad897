/**
 * The form that publishes an event.
 *
 * @module
 */
import { dataFromText, likelyJsonError } from "../lib/protocol/data.ts";
import { checkPublishable } from "../lib/protocol/event.ts";
import { formatEvent } from "../lib/protocol/lines.ts";
import { byId, make, setText } from "./dom.ts";
import type { Link } from "./link.ts";
import { count } from "./words.ts";

/** Has the form publish over a connection. */
export function setUpPublish(link: Link): void {
  const [name, data] = ["publish-name", "publish-data"].map((id) => byId<HTMLInputElement>(id));
  const [hint, receipt] = ["publish-hint", "receipt"].map((id) => byId(id));
  let ref = 0;
  data.oninput = () => setText(hint, hintFor(data.value));
  byId("publish-form").onsubmit = async (event) => {
    event.preventDefault();
    const sent = name.value.trim();
    try {
      checkPublishable(sent); // Behind a space in it, the broker would take the rest for data.
      const line = formatEvent(sent, dataFromText(data.value));
      const { receivers } = await link.ask(`/pub page-${++ref} ${line}`) as { receivers: number };
      say(receipt, `${sent} went to ${receivers === 0 ? "nobody" : count(receivers, "connection")}.`, true);
    } catch (error) {
      say(receipt, `${(error as Error).message}.`, false);
    }
  };
}

/** Offers the names that a broker recognizes. */
export function offerNames(events: readonly string[]): void {
  const names = events.filter((event) => !/[*>]/.test(event));
  byId("names").replaceChildren(...names.map((name) => Object.assign(make("option", ""), { value: name })));
  const first = byId<HTMLInputElement>("publish-name");
  first.placeholder = names[0] ?? "order.created";
  byId<HTMLInputElement>("why-name").placeholder = first.placeholder;
}

function say(place: HTMLElement, text: string, isGood: boolean): void {
  place.dataset.good = String(isGood);
  // The same sentence again is an answer to another question, and is to be read aloud again.
  place.replaceChildren(text);
}

/** What is wrong with data that looks like JSON; any text may be sent. */
function hintFor(text: string): string {
  const mistake = likelyJsonError(text);
  return mistake === undefined ? "" : `Not JSON, so it would go out as text: ${mistake}`;
}
