/**
 * Reads a lesson: what is typed in which terminal, what is shown there, and the files that it has its reader write.
 *
 * In docs/lessons the word behind a fence's language names a terminal (`sh server`, `text server`) or a file
 * (`js ignore client.mjs`). What stands behind `if` names the program that the block needs.
 *
 * @module
 */

/** A fenced block of a lesson that a test carries out. */
export interface Step {
  /** `type`: lines to type. `expect`: lines that the terminal shows, others between them. `write`: a file. */
  readonly kind: "type" | "expect" | "write";
  /** The name of the terminal or of the file. */
  readonly name: string;
  readonly lines: readonly string[];
  /** The number of its first line in the lesson. */
  readonly line: number;
  /** The program without which it is left out. */
  readonly needs: string | undefined;
}

const FENCE = /^```(\w+)(?: (.+))?\n([^]*?)^```$/gm;

/**
 * Reads a lesson.
 *
 * @param text The lesson, in Markdown.
 * @returns Its steps, in order.
 * @throws {SyntaxError} If a block of commands is in no terminal: it could not be tried.
 */
export function parseLesson(text: string): Step[] {
  const steps: Step[] = [];
  for (const { index, 1: language, 2: info = "", 3: body } of text.matchAll(FENCE)) {
    const line = text.slice(0, index).split("\n").length + 1;
    const [words, needs] = info.split(" if ");
    const name = words.split(" ").findLast((word) => word !== "ignore" && word !== "");
    const kind = kindOf(language, name);
    if (kind === undefined && language === "sh") throw new SyntaxError(`line ${line}: these commands have no terminal`);
    if (kind) steps.push({ kind, name: name!, lines: body.trimEnd().split("\n"), line, needs });
  }
  return steps;
}

/**
 * Reads the commands of a document whose blocks name no terminal, and the files that it has its reader write.
 *
 * @param text The document, in Markdown.
 * @returns Its commands, without what is said of them behind `#`, and its files.
 */
export function parseCommands(text: string): { commands: string[]; files: Map<string, string> } {
  const commands: string[] = [];
  const files = new Map<string, string>();
  for (const { 1: language, 2: info = "", 3: body } of text.matchAll(FENCE)) {
    const name = info.split(" ").at(-1)!;
    if (language !== "sh" && name.includes(".")) files.set(name, body);
    if (language !== "sh") continue;
    const lines = body.trimEnd().replaceAll(/\\\n\s*/g, "").split("\n");
    commands.push(...lines.map((line) => line.replace(/ +# .*$/, "")));
  }
  return { commands, files };
}

function kindOf(language: string, name: string | undefined): Step["kind"] | undefined {
  if (name === undefined) return undefined;
  if (language === "sh") return "type";
  if (language === "text") return "expect";
  return name.includes(".") ? "write" : undefined;
}

/**
 * Whether a terminal shows a line that a lesson has: `…` stands for anything.
 *
 * @param expected The line of the lesson.
 * @param shown The line of the terminal.
 * @returns True if it does.
 */
export function isShown(expected: string, shown: string): boolean {
  const parts = expected.trimEnd().split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(shown.trimEnd());
}
