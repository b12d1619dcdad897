/**
 * `mq events`: prints the catalog of a broker.
 *
 * @module
 */
import { bold, dim } from "@std/fmt/colors";
import { MqError } from "../lib/protocol/errors.ts";
import { Pattern } from "../lib/protocol/pattern.ts";
import type { EventInfo } from "../lib/protocol/responses.ts";
import { brokerAccess, brokerFlags, connectOrSay } from "./shared/broker_flags.ts";
import { defineCommand, toggle } from "./command.ts";
import { titleOf } from "./commands.ts";
import { layOut } from "./shared/format.ts";
import { suggest } from "./shared/mistakes.ts";
import { NAME } from "./shared/operands.ts";
import { layOutLines, pubLine, shapeOf } from "./events/schema_text.ts";

const flags = {
  ...brokerFlags,
  json: toggle("Print one JSON object a line: {pattern, description, schema, example}."),
};

/** The command. */
export const events = defineCommand({
  ...titleOf("events"),
  description:
    "Prints what the broker's catalog says of each: what it is for, the data it carries (* is required), and\n" +
    "an example that can be pasted. Of one NAME it prints the whole schema. A broker has a catalog if it was\n" +
    "started with one: mq server --events FILE.",
  operands: { form: "[NAME]", min: 0, max: 1, kinds: [NAME] },
  flags,
  examples: [
    ["mq events", "all of them"],
    ["mq events order.paid", "which of them recognizes that, and its schema in full"],
    ["mq events --json", "for programs"],
  ],
  permissions: ["net"],
  async run({ flags, operands: [name] }, io) {
    const access = brokerAccess(flags, io, "events");
    await using client = await connectOrSay({ ...access, reconnect: false, signal: io.signal });
    const all = await client.events(io.signal);
    const shown = name === undefined ? all : [find(all, name)];
    for (const info of shown) {
      if (flags.json) io.stdout.line(JSON.stringify(info));
      else for (const line of name === undefined ? brief(info) : full(info, name)) io.stdout.line(line);
    }
    return 0;
  },
});

/** The first that matches: the broker tries them in that order, too. */
function find(all: readonly EventInfo[], name: string): EventInfo {
  const found = all.find(({ pattern }) => new Pattern(pattern).matches(name));
  if (found) return found;
  const near = suggest(name, all.map(({ pattern }) => pattern).filter((pattern) => !/[*>]/.test(pattern)));
  const meant = near === undefined ? "" : `; did you mean ${near}?`;
  throw new MqError("unrecognized", `the broker does not recognize ${name}; mq events lists what it does${meant}`);
}

/** An event in a few lines. */
function brief({ pattern, description = "", schema, example }: EventInfo): string[] {
  return [
    `${bold(layOut(pattern))}  ${layOut(description.split("\n")[0])}`.trimEnd(),
    ...schema === undefined ? [] : [`  ${shapeOf(schema)}`],
    ...example === undefined ? [] : [dim(`  ${pubLine(pattern, example)}`)],
  ];
}

/** All that is known of an event. */
function full({ pattern, description, schema, example }: EventInfo, name: string): string[] {
  const by = pattern === name ? "" : dim(`  recognized by ${layOut(pattern)}`);
  return [
    bold(name) + by,
    ...description === undefined ? [] : description.split("\n").map(layOut),
    ...schema === undefined ? [] : ["", ...layOutLines(schema)],
    ...example === undefined ? [] : ["", dim(pubLine(name, example))],
  ];
}
