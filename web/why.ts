/**
 * The box that answers who would hear an event, and why.
 *
 * @module
 */
import type { Why } from "../lib/protocol/responses.ts";
import { byId, make, setText } from "./dom.ts";
import type { Link } from "./link.ts";
import { count, formatBytes, hearing } from "./words.ts";

/** How many connections are listed of those that hear it, and of those that do not. */
const MAX_LISTED = 20;

/** Has the box ask over a connection. */
export function setUpWhy(link: Link, events: () => readonly string[]): void {
  const name = byId<HTMLInputElement>("why-name");
  byId("why-form").onsubmit = async (event) => {
    event.preventDefault();
    try {
      show(await link.ask(`/why ${name.value.trim()}`) as Why, events());
    } catch (error) {
      setText(byId("verdict"), `${(error as Error).message}.`);
      byId("reasons").replaceChildren();
    }
  };
}

function show(why: Why, events: readonly string[]): void {
  setText(byId("verdict"), verdict(why, events));
  byId("reasons").replaceChildren(
    ...why.hears.slice(0, MAX_LISTED).map(({ name, pattern, queuedBytes }) => {
      const waiting = queuedBytes > 0 ? `; ${formatBytes(queuedBytes)} wait for it` : "";
      return make("li", "hears", make("b", "", name), ` hears it by ${pattern}${waiting}`);
    }),
    ...rest(why.hears, "hear it, too"),
    ...why.ignores.slice(0, MAX_LISTED).map(({ name, patterns }) =>
      make("li", "ignores", make("b", "", name), ` does not: it hears ${hearing(patterns)}`)
    ),
    ...rest(why.ignores, "do not"),
  );
}

function verdict({ name, recognized, by, receivers }: Why, events: readonly string[]): string {
  if (!recognized) {
    return `Nobody would get ${name}: the broker does not recognize it, only ${hearing(events, 10)}. ` +
      `To admit it: mq server --events '${[...events, name].join(",")}'`;
  }
  const whom = receivers === 0 ? "nobody" : count(receivers, "connection");
  return `${name} would go to ${whom} now. The broker recognizes it by ${by}.`;
}

function rest({ length }: readonly unknown[], what: string): HTMLElement[] {
  return length > MAX_LISTED
    ? [make("li", "", `and ${(length - MAX_LISTED).toLocaleString("en-US")} more ${what}`)]
    : [];
}
