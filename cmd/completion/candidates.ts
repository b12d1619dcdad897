/**
 * Finds completions for a word of a command line, from the same table of commands as help and parser. Everything here is
 * pure.
 *
 * @module
 */
import { ProtocolError } from "../../lib/protocol/errors.ts";
import { Pattern } from "../../lib/protocol/pattern.ts";
import { ULID } from "../../lib/protocol/replay_start.ts";
import type { PeekedJob } from "../../lib/protocol/responses.ts";
import { type Command, type Flag, type Flags, flagsOf } from "../command.ts";
import { type Title, wordsOf } from "../commands.ts";
import { printable, reasonLine } from "../shared/format.ts";
import { isFlag, isSwitch, splitFlag } from "../shared/flag_syntax.ts";

/** A completion and its description. */
export interface Candidate {
  readonly word: string;
  readonly help: string;
}

/** Completions, or where they come from: the broker knows its events, groups and jobs, the shell its files and commands. */
export type Offer =
  | TableOffer
  | { readonly from: "shell"; readonly what: "files" | "commands" }
  | EventOffer
  | GroupOffer
  | JobOffer;

/** Completions that are known. */
interface TableOffer {
  readonly from: "table";
  readonly candidates: readonly Candidate[];
}

/** Complete with the names of the broker's groups. */
export interface GroupOffer {
  readonly from: "groups";
  /** The value of `--server` on the command line. */
  readonly server: string | undefined;
  readonly typed: Typed;
}

/** Complete with the ids of the dead jobs of a group. */
export interface JobOffer {
  readonly from: "jobs";
  /** The value of `--server` on the command line. */
  readonly server: string | undefined;
  /** The name of the group, as it stands on the command line. */
  readonly group: string;
  readonly typed: Typed;
}

/** Complete with the events that the broker recognizes. */
export interface EventOffer {
  readonly from: "broker";
  /** The value of `--server` on the command line. */
  readonly server: string | undefined;
  /** Whether patterns are offered, too, and not only names. */
  readonly patterns: boolean;
  readonly typed: Typed;
}

/** The word that is being typed. `prefix` is the part of it that is not completed, such as `--events=create,`. */
interface Typed {
  readonly prefix: string;
  readonly text: string;
}

/** The arguments before or after the word that is being typed. */
interface Arguments {
  /** The flags, with their values. */
  readonly given: ReadonlyMap<string, string | undefined>;
  readonly operands: readonly string[];
  /** The flag at the end whose value is missing, if there is one. */
  readonly open?: string;
  /** The number of words after `--`, if there is one. */
  readonly afterDashes?: number;
}

/** What is not in the table of commands. */
const OTHER_WORDS: readonly Candidate[] = [
  { word: "help", help: "shows the help of a command" },
  { word: "--help", help: "lists the commands" },
  { word: "--version", help: "prints the version" },
];

const NOTHING: TableOffer = { from: "table", candidates: [] };

/**
 * The completions for a word of a command line.
 *
 * @param words The command line after `mq`.
 * @param index The index of the word that is being typed.
 * @param commands The names and summaries of all commands.
 * @param command The command that the words before name, if they name one.
 */
export function offerAt(
  words: readonly string[],
  index: number,
  commands: readonly Title[],
  command: Command | undefined,
): Offer {
  const before = words.slice(0, index);
  const typed = { prefix: "", text: words[index] ?? "" };
  if (command) {
    const offer = offerForCommand(command, before.slice(wordsOf(command).length), typed, words.slice(index + 1));
    const isName = before.length === wordsOf(command).length; // It may go on, as that of `groups forget` does.
    return isName ? withMembers(offer, matching(typed, commandWords(before, commands))) : offer;
  }
  if (before[0] === "help") return matching(typed, commandWords(before.slice(1), commands));
  const otherWords = index === 0 ? OTHER_WORDS.filter(({ word }) => isFlag(word) === typed.text.startsWith("-")) : [];
  return matching(typed, [...commandWords(before, commands), ...otherWords]);
}

/** The next words of the commands that begin with the given words. A word that several commands share lists these. */
function commandWords(before: readonly string[], commands: readonly Title[]): Candidate[] {
  const next = new Map<string, string[]>();
  for (const command of commands) {
    const [word, ...rest] = wordsOf(command).slice(before.length);
    const isMember = before.every((word, index) => wordsOf(command)[index] === word);
    if (word === undefined || !isMember) continue;
    next.set(word, [...next.get(word) ?? [], rest.length > 0 ? rest.join(" ") : command.summary]);
  }
  return [...next].map(([word, helps]) => ({ word, help: helps.join(", ") }));
}

function withMembers(offer: Offer, { candidates }: TableOffer): Offer {
  return offer.from === "table" ? { from: "table", candidates: [...candidates, ...offer.candidates] } : offer;
}

function offerForCommand(command: Command, before: readonly string[], typed: Typed, after: readonly string[]): Offer {
  const flags = flagsOf(command);
  const [part, rest] = [parseLeniently(flags, before), parseLeniently(flags, after)];
  const given = new Map([...rest.given, ...part.given]);
  const server = given.get("server");
  const value = valueAt(flags, part, typed);
  if (part.afterDashes !== undefined) return { from: "shell", what: part.afterDashes === 0 ? "commands" : "files" };
  if (value) return offerForValue(value.flag, value.typed, server);
  const { operands } = part;
  const place = placeAt(command.operands.form, operands.length);
  const wantsFlag = typed.text.startsWith("-") || place === undefined;
  if (wantsFlag) return matching(typed, flagWords(flags, given, typed));
  const isJob = /\bID\b/.test(place) && command.operands.form.startsWith("GROUP ");
  return isJob ? { from: "jobs", server, group: operands[0], typed } : offerFor(place, typed, server);
}

/** Parses arguments without refusing any: the command line is not complete yet. */
function parseLeniently(flags: Flags, words: readonly string[]): Arguments {
  const given = new Map<string, string | undefined>();
  const operands: string[] = [];
  let open: string | undefined;
  for (const [index, word] of words.entries()) {
    if (open !== undefined) {
      given.set(open, word);
      open = undefined;
    } else if (word === "--") {
      return { given, operands, afterDashes: words.length - index - 1 };
    } else if (isFlag(word)) {
      const [name, value] = splitFlag(flags, word) ?? [];
      if (name === undefined) continue;
      given.set(name, value);
      if (!isSwitch(flags[name]) && value === undefined) open = name;
    } else operands.push(word);
  }
  return { given, operands, open };
}

/** The flag whose value is being typed, as the next word or after `=`. */
function valueAt(flags: Flags, { open }: Arguments, typed: Typed): { flag: Flag<unknown>; typed: Typed } | undefined {
  if (open !== undefined) return { flag: flags[open], typed };
  const [, prefix, text] = /^(--[^=]+=)([^]*)$/.exec(typed.text) ?? [];
  const [name] = prefix === undefined ? [] : splitFlag(flags, prefix) ?? [];
  return name === undefined || isSwitch(flags[name]) ? undefined : { flag: flags[name], typed: { prefix, text } };
}

/** The placeholder of an operand, from the usage line; the last one with `...` stands for all that follow. */
function placeAt(form: string, index: number): string | undefined {
  const places = form.split(" ").filter((place) => place !== "");
  return places[index] ?? places.findLast((place) => place.includes("..."));
}

/** The flags that are not given yet; short ones only if the word is not empty. */
function flagWords(flags: Flags, given: ReadonlyMap<string, unknown>, { text }: Typed): Candidate[] {
  return Object.entries(flags).filter(([name]) => !given.has(name)).flatMap(([name, { short, help }]) => [
    { word: `--${name}`, help },
    ...short !== undefined && text !== "" ? [{ word: `-${short}`, help }] : [],
  ]);
}

function offerForValue({ placeholder, parse }: Flag<unknown>, typed: Typed, server: string | undefined): Offer {
  return offerFor(placeholder!, typed, server, parse.words ?? parse.offered);
}

/**
 * The completions for a placeholder.
 *
 * @param place The placeholder: NAME, PATTERN, GROUP, FILE or DIR in it, or words in lower case, tell what it takes.
 * @param typed The word that is being typed.
 * @param server The value of `--server` on the command line.
 * @param words The words that it takes, if they are known.
 */
function offerFor(place: string, typed: Typed, server: string | undefined, words = wordsIn(place)): Offer {
  if (words.length > 0) return matching(typed, words.map((word) => ({ word, help: "" })));
  if (/\bGROUP\b/.test(place)) return { from: "groups", server, typed };
  const patterns = /\bPATTERN\b/.test(place);
  const isEvent = patterns || /\bNAME\b/.test(place);
  if (!isEvent) return /\b(?:FILE|DIR)\b/.test(place) ? { from: "shell", what: "files" } : NOTHING;
  return { from: "broker", server, patterns, typed: place.includes(",") ? lastOfList(typed) : typed };
}

/** The words of a placeholder such as `bash|zsh|fish`. */
function wordsIn(place: string): readonly string[] {
  return /^[a-z|]+$/.test(place) ? place.split("|") : [];
}

function lastOfList({ prefix, text }: Typed): Typed {
  const start = text.lastIndexOf(",") + 1;
  return { prefix: prefix + text.slice(0, start), text: text.slice(start) };
}

/**
 * The completions among the events that a broker recognizes. Invalid patterns and words that mq would take for flags are left
 * out, since the broker is not trusted.
 *
 * @param offer What to complete.
 * @param events The events that the broker reports.
 */
export function eventCandidates({ patterns, typed }: EventOffer, events: readonly string[]): readonly Candidate[] {
  const readable = events.filter((event) => !isFlag(event)).map(parsePattern).filter((pattern) =>
    pattern !== undefined
  );
  const wanted = readable.filter(({ isLiteral }) => patterns || isLiteral);
  return startingWith(
    typed,
    wanted.map(({ text, isLiteral }) => ({ word: text, help: isLiteral ? "event" : "events" })),
  );
}

/**
 * The completions among the groups of a broker. Words that mq would take for flags are left out.
 *
 * @param offer What to complete.
 * @param groups The names that the broker reports.
 */
export function groupCandidates({ typed }: GroupOffer, groups: readonly string[]): readonly Candidate[] {
  const readable = groups.filter((group) => /^\w[\w-]*$/.test(group));
  return startingWith(typed, readable.map((word) => ({ word, help: "group" })));
}

/**
 * The completions among the dead jobs of a group.
 *
 * @param offer What to complete.
 * @param jobs The jobs that the broker shows.
 */
export function jobCandidates({ typed }: JobOffer, jobs: readonly PeekedJob[]): readonly Candidate[] {
  const readable = jobs.filter(({ id }) => ULID.test(id));
  const helpOf = ({ event, why = "" }: PeekedJob) => printable(`${event}: ${reasonLine(why)}`);
  return startingWith(typed, readable.map((job) => ({ word: job.id, help: helpOf(job) })));
}

function parsePattern(text: string): Pattern | undefined {
  try {
    return new Pattern(text);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined; // A broker of another version may have other patterns.
    throw error;
  }
}

function matching(typed: Typed, candidates: readonly Candidate[]): TableOffer {
  return { from: "table", candidates: startingWith(typed, candidates) };
}

function startingWith({ prefix, text }: Typed, candidates: readonly Candidate[]): Candidate[] {
  return candidates.filter(({ word }) => word.startsWith(text)).map(({ word, help }) => ({
    word: prefix + word,
    help,
  }));
}
