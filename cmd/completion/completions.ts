/**
 * `mq completions`: prints the completion script for a shell.
 *
 * @module
 */
import { defineCommand } from "../command.ts";
import { titleOf } from "../commands.ts";
import { oneOf } from "../shared/operands.ts";
import { BASH, FISH, ZSH } from "./shells.ts";

const SCRIPTS: ReadonlyMap<string, string> = new Map([["bash", BASH], ["zsh", ZSH], ["fish", FISH]]);
const FORM = [...SCRIPTS.keys()].join("|");

export const completions = defineCommand({
  ...titleOf("completions"),
  description:
    "The script completes commands, flags and their values, and asks the broker for the names of events and\n" +
    "groups, and the ids of dead jobs.\n" +
    "In the current shell:\n" +
    "  bash  source <(mq completions bash)\n" +
    "  zsh   source <(mq completions zsh)\n" +
    "  fish  mq completions fish | source\n" +
    "In every new shell:\n" +
    "  bash  echo 'source <(mq completions bash)' >> ~/.bashrc\n" +
    "  zsh   echo 'autoload -U compinit; compinit; source <(mq completions zsh)' >> ~/.zshrc\n" +
    '        or write it to a file _mq in a directory of $fpath, such as "${fpath[1]}/_mq"\n' +
    "  fish  mq completions fish > ~/.config/fish/completions/mq.fish",
  operands: { form: FORM, min: 1, max: 1, kinds: [oneOf(...SCRIPTS.keys())] },
  flags: {},
  examples: [
    ["mq completions bash", "the script for bash"],
    ["mq completions zsh", "the script for zsh"],
    ["mq completions fish", "the script for fish"],
  ],
  permissions: [],
  run({ operands: [shell] }, io) {
    io.stdout.line(SCRIPTS.get(shell)!);
    return Promise.resolve(0);
  },
});
