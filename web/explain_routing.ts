/**
 * The form that asks which connections would receive an event, and why.
 *
 * @module
 */
import type { Why } from "../lib/protocol/responses.ts";
import type { BrokerConnection } from "./broker_connection.ts";
import { byId, make, setText } from "./dom.ts";
import { count, describePatterns, formatBytes } from "./format.ts";

/** How many receivers are listed, and how many other connections. */
const MAX_LISTED = 20;

/** Sets up the form. `events` returns the patterns that the broker recognizes. */
export function setUpExplainRouting(connection: BrokerConnection, events: () => readonly string[]): void {
  const name = byId<HTMLInputElement>("why-name");
  byId("why-form").onsubmit = async (event) => {
    event.preventDefault();
    try {
      show(await connection.request(`/why ${name.value.trim()}`) as Why, events());
    } catch (error) {
      setText(byId("verdict"), `${(error as Error).message}.`);
      byId("reasons").replaceChildren();
    }
  };
}

function show(why: Why, events: readonly string[]): void {
  setText(byId("verdict"), verdictOf(why, events));
  byId("reasons").replaceChildren(
    ...why.hears.slice(0, MAX_LISTED).map(({ name, pattern, queuedBytes }) => {
      const queued = queuedBytes > 0 ? `; ${formatBytes(queuedBytes)} are queued for it` : "";
      return make("li", "receives", make("b", "", name), ` gets ${describePatterns([pattern])}${queued}`);
    }),
    ...more(why.hears, why.hearsCount, "get it"),
    ...why.ignores.slice(0, MAX_LISTED).map(({ name, patterns, patternCount }) =>
      make("li", "ignores", make("b", "", name), ` gets ${describePatterns(patterns, undefined, patternCount)}`)
    ),
    ...more(why.ignores, why.ignoresCount, "do not"),
  );
}

function verdictOf({ name, recognized, by, receivers }: Why, events: readonly string[]): string {
  if (!recognized) {
    return `Nobody would get ${name}: the broker recognizes only ${describePatterns(events, 10)}. ` +
      `To have it recognized: mq server --events '${[...events, name].join(",")}'`;
  }
  const whom = receivers === 0 ? "nobody" : count(receivers, "connection");
  return `${name} would go to ${whom} now. The broker recognizes it by ${by}.`;
}

function more({ length }: readonly unknown[], total: number, what: string): HTMLElement[] {
  const others = total - Math.min(length, MAX_LISTED);
  return others > 0 ? [make("li", "", `${others.toLocaleString("en-US")} more ${what}`)] : [];
}
