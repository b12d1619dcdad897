/**
 * How the address of a channel of AsyncAPI becomes the name or pattern of events. Everything here is pure.
 *
 * @module
 */

/** What stands for a parameter until it becomes a wildcard: no address has it. */
const PARAMETER = "\0";

/**
 * Makes a pattern of an address, so that as much of it is left as a pattern may hold:
 *
 * - of a URL, its path: scheme, host and query are left out;
 * - `/`, `:` and `.` separate tokens, and none that is empty counts;
 * - a token with a parameter (`{id}`) in it is `*`, and so is MQTT's `+`; MQTT's `#` at the end is `>`;
 * - whatever else a token cannot hold becomes one `-`, and at its ends nothing.
 *
 * @param address The address.
 * @returns The pattern; undefined if nothing is left, as of `/`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(patternOfAddress("/user/{userId}/signed up"), "user.*.signed-up");
 * assertEquals(patternOfAddress("wss://example.com/orders?since={when}"), "orders");
 * assertEquals(patternOfAddress("lights/light-{id}/#"), "lights.*.>");
 * assertEquals(patternOfAddress("/"), undefined);
 * ```
 */
export function patternOfAddress(address: string): string | undefined {
  const [path] = address.replace(/\{[^{}]*\}/g, PARAMETER).replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, "").split("?");
  const tokens = path.split(/[/.:]/).map(tokenOf).filter((token) => token !== "");
  // What MQTT takes for the rest of a topic stands for one token of it where more follows.
  const pattern = tokens.map((token, index) => token === ">" && index < tokens.length - 1 ? "*" : token);
  return pattern.length === 0 ? undefined : pattern.join(".");
}

function tokenOf(part: string): string {
  if (part.includes(PARAMETER) || part === "*" || part === "+") return "*";
  if (part === "#" || part === ">") return ">";
  return part.split(/[^\p{L}\p{M}\p{Nd}_-]+/u).filter((word) => word !== "").join("-");
}
