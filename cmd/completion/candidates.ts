/**
 * What a shell may offer at a place of a command line: found in the table of commands, so that nothing is said twice.
 * Everything here is pure.
 *
 * @module
 */
import { ProtocolError } from "../../lib/protocol/errors.ts";
import { Pattern } from "../../lib/protocol/pattern.ts";
import { type Command, type Flag, type Flags, flagsOf, isFlag, isSwitch, takeApart } from "../command.ts";
import { type Title, wordsOf } from "../commands.ts";

/** A word that may be typed, and what it means. */
export interface Candidate {
  readonly word: string;
  readonly help: string;
}

/** What may be offered, or who knows it: the broker its events, the shell its files and programs. */
export type Offer =
  | { readonly from: "table"; readonly candidates: readonly Candidate[] }
  | { readonly from: "shell"; readonly what: "files" | "commands" }
  | EventOffer;

/** What the broker recognizes may be offered. */
export interface EventOffer {
  readonly from: "broker";
  /** The broker that the command line names. */
  readonly server: string | undefined;
  /** Whether any pattern will do, or names only. */
  readonly patterns: boolean;
  readonly typed: Typed;
}

/** The word that is being typed: what has been typed so far, and what stands before it in the same word. */
interface Typed {
  readonly prefix: string;
  readonly text: string;
}

/** What a part of a command line holds. */
interface Part {
  /** The flags, with their values. */
  readonly given: ReadonlyMap<string, string | undefined>;
  /** How many words are operands. */
  readonly operands: number;
  /** The flag at its end, if its value is still to come. */
  readonly open?: string;
  /** How many words stand behind a bare `--`, if there is one. */
  readonly behind?: number;
}

/** What mq takes that is not in the table. */
const BESIDES: readonly Candidate[] = [
  { word: "help", help: "what a command takes, with examples" },
  { word: "--help", help: "what mq can do" },
  { word: "--version", help: "which mq this is" },
];

const NOTHING: Offer = { from: "table", candidates: [] };

/**
 * What may be offered for a word of a command line.
 *
 * @param words The command line behind `mq`.
 * @param index Which of the words is being typed.
 * @param commands How the commands are called that there are.
 * @param command The one that the words before call, if they do.
 */
export function offerAt(
  words: readonly string[],
  index: number,
  commands: readonly Title[],
  command: Command | undefined,
): Offer {
  const before = words.slice(0, index);
  const typed = { prefix: "", text: words[index] ?? "" };
  if (command) return offerBehind(command, before.slice(wordsOf(command).length), typed, words.slice(index + 1));
  if (before[0] === "help") return matching(typed, commandWords(before.slice(1), commands));
  const besides = index === 0 ? BESIDES.filter(({ word }) => isFlag(word) === typed.text.startsWith("-")) : [];
  return matching(typed, [...commandWords(before, commands), ...besides]);
}

/** The next words of the commands that begin with some words. Of a word of several commands, theirs is the help. */
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

function offerBehind(command: Command, before: readonly string[], typed: Typed, after: readonly string[]): Offer {
  const flags = flagsOf(command);
  const [part, rest] = [readPart(flags, before), readPart(flags, after)];
  const given = new Map([...rest.given, ...part.given]);
  const server = given.get("server");
  const value = valueAt(flags, part, typed);
  if (part.behind !== undefined) return { from: "shell", what: part.behind === 0 ? "commands" : "files" };
  if (value) return offerFor(value.flag.placeholder!, value.typed, server, value.flag.read.words);
  const place = placeAt(command.operands.form, part.operands);
  const wantsFlag = typed.text.startsWith("-") || place === undefined;
  return wantsFlag ? matching(typed, flagWords(flags, given, typed)) : offerFor(place, typed, server);
}

/** Reads what it can of a part of a command line: it is not finished, so nothing in it is refused. */
function readPart(flags: Flags, words: readonly string[]): Part {
  const given = new Map<string, string | undefined>();
  let operands = 0;
  let open: string | undefined;
  for (const [index, word] of words.entries()) {
    if (open !== undefined) {
      given.set(open, word);
      open = undefined;
    } else if (word === "--") {
      return { given, operands, behind: words.length - index - 1 };
    } else if (isFlag(word)) {
      const [name, value] = takeApart(flags, word) ?? [];
      if (name === undefined) continue;
      given.set(name, value);
      if (!isSwitch(flags[name]) && value === undefined) open = name;
    } else operands++;
  }
  return { given, operands, open };
}

/** The flag whose value is being typed, behind it or behind its `=`. */
function valueAt(flags: Flags, { open }: Part, typed: Typed): { flag: Flag<unknown>; typed: Typed } | undefined {
  if (open !== undefined) return { flag: flags[open], typed };
  const [, prefix, text] = /^(--[^=]+=)([^]*)$/.exec(typed.text) ?? [];
  const [name] = prefix === undefined ? [] : takeApart(flags, prefix) ?? [];
  return name === undefined || isSwitch(flags[name]) ? undefined : { flag: flags[name], typed: { prefix, text } };
}

/** What a command takes at some place, as its help writes it: the last one that may be repeated stands for all to come. */
function placeAt(form: string, index: number): string | undefined {
  const places = form.split(" ").filter((place) => place !== "");
  return places[index] ?? places.findLast((place) => place.includes("..."));
}

/** The flags that are not given yet; short ones only where one is being typed. */
function flagWords(flags: Flags, given: ReadonlyMap<string, unknown>, { text }: Typed): Candidate[] {
  return Object.entries(flags).filter(([name]) => !given.has(name)).flatMap(([name, { short, help }]) => [
    { word: `--${name}`, help },
    ...short !== undefined && text !== "" ? [{ word: `-${short}`, help }] : [],
  ]);
}

/**
 * What may be offered for a placeholder.
 *
 * @param place The placeholder: what it holds of NAME, PATTERN and FILE, and words in lower case, say what it takes.
 * @param typed The word that is being typed.
 * @param server The broker that the command line names.
 * @param words All that it takes, where that is known.
 */
function offerFor(place: string, typed: Typed, server: string | undefined, words = wordsIn(place)): Offer {
  if (words.length > 0) return matching(typed, words.map((word) => ({ word, help: "" })));
  const patterns = /\bPATTERN\b/.test(place);
  const isEvent = patterns || /\bNAME\b/.test(place);
  if (!isEvent) return /\bFILE\b/.test(place) ? { from: "shell", what: "files" } : NOTHING;
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
 * The candidates among the events that a broker recognizes. What is no pattern is left out, and what mq would take for a
 * flag: a shell must be able to trust them.
 *
 * @param offer Which will do.
 * @param events What the broker says it recognizes.
 */
export function eventCandidates({ patterns, typed }: EventOffer, events: readonly string[]): readonly Candidate[] {
  const readable = events.filter((event) => !isFlag(event)).map(readPattern).filter((pattern) => pattern !== undefined);
  const wanted = readable.filter(({ isLiteral }) => patterns || isLiteral);
  return startingWith(
    typed,
    wanted.map(({ text, isLiteral }) => ({ word: text, help: isLiteral ? "event" : "events" })),
  );
}

function readPattern(text: string): Pattern | undefined {
  try {
    return new Pattern(text);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined; // A broker of another version has other patterns.
    throw error;
  }
}

function matching(typed: Typed, candidates: readonly Candidate[]): Offer {
  return { from: "table", candidates: startingWith(typed, candidates) };
}

function startingWith({ prefix, text }: Typed, candidates: readonly Candidate[]): Candidate[] {
  return candidates.filter(({ word }) => word.startsWith(text)).map(({ word, help }) => ({
    word: prefix + word,
    help,
  }));
}
