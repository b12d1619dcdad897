/**
 * `mq events`: prints the catalog of a broker.
 *
 * @module
 */
import { bold, dim } from "@std/fmt/colors";
import { MqError } from "../lib/protocol/errors.ts";
import { Pattern } from "../lib/protocol/pattern.ts";
import type { EventInfo } from "../lib/protocol/responses.ts";
import { brokerAccess, brokerFlags, connectWithHint } from "./shared/broker_flags.ts";
import { defineCommand, toggle } from "./command.ts";
import { titleOf } from "./commands.ts";
import { printable } from "./shared/format.ts";
import { suggest } from "./shared/suggestions.ts";
import { NAME } from "./shared/operands.ts";
import { printableLines, pubLine, shapeOf } from "./events/schema_text.ts";

const flags = {
  ...brokerFlags,
  json: toggle("Print one JSON object per line: {pattern, description, schema, example}."),
};

export const events = defineCommand({
  ...titleOf("events"),
  description:
    "Prints each event with its description, the properties of its data (* is required) and an example command.\n" +
    "With a NAME it prints the complete schema of that event. Descriptions and schemas come from the broker's\n" +
    "catalog: mq server --events FILE.",
  operands: { form: "[NAME]", min: 0, max: 1, kinds: [NAME] },
  flags,
  examples: [
    ["mq events", "all events"],
    ["mq events order.paid", "one event, with its complete schema"],
    ["mq events --json", "as JSON"],
  ],
  permissions: ["net"],
  async run({ flags, operands: [name] }, io) {
    const access = brokerAccess(flags, io, "events");
    await using client = await connectWithHint({ ...access, reconnect: false, signal: io.signal });
    const all = await client.events(io.signal);
    const shown = name === undefined ? all : [find(all, name)];
    for (const info of shown) {
      if (flags.json) io.stdout.line(JSON.stringify(info));
      else for (const line of name === undefined ? brief(info) : full(info, name)) io.stdout.line(line);
    }
    return 0;
  },
});

/** The first entry that matches, which is the one the broker uses. */
function find(all: readonly EventInfo[], name: string): EventInfo {
  const found = all.find(({ pattern }) => new Pattern(pattern).matches(name));
  if (found) return found;
  const near = suggest(name, all.map(({ pattern }) => pattern).filter((pattern) => !/[*>]/.test(pattern)));
  const meant = near === undefined ? "" : `; did you mean ${near}?`;
  throw new MqError(
    "unrecognized",
    `the broker does not recognize ${name}${meant}; mq events lists what it recognizes`,
  );
}

/** An event in at most three lines. */
function brief({ pattern, description = "", schema, example }: EventInfo): string[] {
  return [
    `${bold(printable(pattern))}  ${printable(description.split("\n")[0])}`.trimEnd(),
    ...schema === undefined ? [] : [`  ${shapeOf(schema)}`],
    ...example === undefined ? [] : [dim(`  ${pubLine(pattern, example)}`)],
  ];
}

/** An event with its complete schema. */
function full({ pattern, description, schema, example }: EventInfo, name: string): string[] {
  const by = pattern === name ? "" : dim(`  recognized by ${printable(pattern)}`);
  return [
    bold(name) + by,
    ...description === undefined ? [] : description.split("\n").map(printable),
    ...schema === undefined ? [] : ["", ...printableLines(schema)],
    ...example === undefined ? [] : ["", dim(pubLine(name, example))],
  ];
}
