/**
 * Reads the scripts of the conformance suite. README.md says how they are written.
 *
 * @module
 */
import { checkText } from "./notation.ts";

/** How a connection is made: as usual, with TLS, or to the port for classic clients. */
export type Way = "plain" | "tls" | "classic";

/** What a step does. */
export type Action =
  | { kind: "connect"; how: Way }
  /** `text` holds its LF, if it has one. */
  | { kind: "send"; text: string }
  /** `skips` says whether other lines may come before it. */
  | { kind: "expect"; text: string; skips: boolean }
  | { kind: "close" | "hang up" | "be closed" | "go down" | "be down" };

/** One line of a script. */
export interface Step {
  /** The number of the line. */
  readonly line: number;
  /** The connection, or `broker`. */
  readonly who: string;
  readonly action: Action;
  /** How many times it is done. */
  readonly times: number;
}

/** A script. */
export interface Script {
  /** The name of its file. */
  readonly file: string;
  /** The number of the rule that it shows. */
  readonly rule: string;
  /** Its first line: what it shows, in one sentence. */
  readonly title: string;
  /** The flags of `mq server` that it needs, as one types them; may be empty. */
  readonly needs: string;
  readonly steps: readonly Step[];
}

const FIRST_LINE = /^# (\d+\.\d+) (\S.*)$/;
const STEP = /^(?:(?<times>[1-9]\d*) times )?(?<who>[a-z]\w*)(?<what>>>|>|<<|<| )(?<rest>.*)$/s;

const VERBS = new Map<string, Action>([
  ["connects", { kind: "connect", how: "plain" }],
  ["connects with TLS", { kind: "connect", how: "tls" }],
  ["connects as a classic client", { kind: "connect", how: "classic" }],
  ["closes", { kind: "close" }],
  ["hangs up", { kind: "hang up" }],
  ["is closed", { kind: "be closed" }],
]);

const BROKER_VERBS = new Map<string, Action>([
  ["goes down", { kind: "go down" }],
  ["is down", { kind: "be down" }],
]);

/**
 * Reads all scripts of the suite.
 *
 * @returns The scripts, in the order of the rules.
 * @throws {SyntaxError} If one is malformed.
 */
export function readScripts(): Script[] {
  const folder = new URL(".", import.meta.url);
  const files = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.endsWith(".txt"));
  const { compare } = new Intl.Collator("en", { numeric: true });
  return files.sort(compare).map((file) => parseScript(file, Deno.readTextFileSync(new URL(file, folder))));
}

/**
 * Reads a script.
 *
 * @param file The name of its file, which begins with the number of its rule.
 * @param text What it says.
 * @returns The script.
 * @throws {SyntaxError} If it is malformed; the message names the file and the line.
 */
export function parseScript(file: string, text: string): Script {
  const lines = text.split("\n").map((text, index) => ({ text, number: index + 1 }));
  const [first, ...rest] = lines;
  const [, rule, title] = at(file, first.number, () => parseFirstLine(file, first.text));
  let needs = "";
  const steps: Step[] = [];
  for (const { text, number } of rest.filter(({ text }) => text !== "" && !text.startsWith("#"))) {
    at(file, number, () => {
      if (!text.startsWith("needs ")) return void steps.push(parseStep(text, number));
      if (needs !== "" || steps.length > 0) throw new SyntaxError("needs stands once, before the first step");
      needs = text.slice("needs ".length);
    });
  }
  if (steps.length === 0) throw new SyntaxError(`${file}:${lines.length}: there is no step in it`);
  return { file, rule, title, needs, steps };
}

/**
 * Splits a command line, in which words with spaces or stars stand between single quotation marks.
 *
 * @param text The command line.
 * @returns Its words.
 */
export function parseWords(text: string): string[] {
  return [...text.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare);
}

/**
 * The port for classic clients, as flags of `mq server` name it.
 *
 * @param flags The flags, as one types them.
 * @returns It; undefined if there is none beside the port for all others.
 */
export function classicPortOf(flags: string): number | undefined {
  const words = parseWords(flags);
  const at = words.indexOf("--classic-port");
  return at === -1 ? undefined : Number(words[at + 1]);
}

/** Whether somebody has to tell the broker to go down. */
export function needsControl({ steps }: Script): boolean {
  return steps.some(({ who }) => who === "broker");
}

/** Has an error say where it is. */
function at<T>(file: string, line: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new SyntaxError(`${file}:${line}: ${(error as Error).message}`);
  }
}

function parseFirstLine(file: string, text: string): RegExpExecArray {
  const match = FIRST_LINE.exec(text);
  if (!match) throw new SyntaxError('the first line is "# RULE SENTENCE", such as: # 4.4 An event comes once');
  if (!file.startsWith(`${match[1]}-`)) throw new SyntaxError(`the name of the file has to begin with "${match[1]}-"`);
  return match;
}

function parseStep(text: string, line: number): Step {
  if (/\s$/.test(text)) throw new SyntaxError("a space at the end of a line is written <SP>");
  const { times = "1", who, what, rest } = STEP.exec(text)?.groups ?? {};
  if (who === undefined) throw unreadable(text);
  const action = what === " " ? parseVerb(who, rest) : who === "broker" ? undefined : parseLine(what, rest);
  if (action === undefined) throw unreadable(text);
  return { line, who, action, times: Number(times) };
}

function parseVerb(who: string, verb: string): Action | undefined {
  return (who === "broker" ? BROKER_VERBS : VERBS).get(verb);
}

function parseLine(what: string, rest: string): Action | undefined {
  if (rest !== "" && !rest.startsWith(" ")) return undefined;
  const text = rest.slice(1);
  const isSent = what.startsWith(">");
  checkText(text, isSent);
  if (isSent) return { kind: "send", text: what === ">" ? text + "\n" : text };
  return { kind: "expect", text, skips: what === "<<" };
}

function unreadable(text: string): SyntaxError {
  const shown = text.length > 60 ? text.slice(0, 60) + "…" : text;
  return new SyntaxError(`${JSON.stringify(shown)} is no step; README.md lists those there are`);
}
