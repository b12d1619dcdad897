/**
 * The help of a command, made from its table of flags. Everything here is pure.
 *
 * @module
 */
import { type Command, flagsOf } from "../command.ts";
import { columns, HELP_COLUMNS, paragraphs, wrapCommand } from "./help_layout.ts";
import { wrapPlain } from "./wrap.ts";

export function helpOf(command: Command, width: number = HELP_COLUMNS): string {
  const { name, summary, description, operands, examples } = command;
  const { form, commandLine } = operands;
  const usage = ["Usage: mq", name, form, "[flags]", commandLine && `-- ${commandLine}`].filter(Boolean).join(" ");
  const flags = Object.entries(flagsOf(command)).map(([name, flag]) =>
    [
      flagForm(name, flag),
      flag.defaultText ? `${flag.help} Default: ${flag.defaultText}.` : flag.help,
    ] as const
  );
  return [
    ...wrapPlain(`mq ${name}: ${summary}`, width, "  "),
    "",
    ...wrapPlain(usage, width, "  "),
    "",
    ...paragraphs(description, width),
    "",
    "Flags:",
    ...columns(flags, width),
    "",
    "Examples:",
    ...columns(examples, width, wrapCommand),
  ].join("\n");
}

function flagForm(name: string, { short, placeholder }: { short?: string; placeholder?: string }): string {
  return `${short ? `-${short}, ` : "    "}--${name}${placeholder ? ` ${placeholder}` : ""}`;
}
