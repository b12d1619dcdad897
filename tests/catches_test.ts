/** Every error that is caught is looked at, or a comment says why it cannot matter. */
import { assertEquals } from "@std/assert";

const root = new URL("../", import.meta.url);

/** A handler of errors that is given none, from its parentheses on: `() =>` after `.catch(` or as the second of `.then(`. */
const DEAF_HANDLER = /(?:\.catch\(|\.then\([^()]*(?:\([^()]*\)[^()]*)*, )(?:async )?\((?:_\w*)?\) =>/g;

/** The block of a catch, and the name of its error, if it has one. */
const CATCH = /\bcatch (?:\((\w+)[^)]*\) )?\{/g;

/** Places of a program that pass over an error and do not say why, each as the number of a line. */
function unexplained(code: string): number[] {
  const deafBlocks = [...code.matchAll(CATCH)].filter((found) => {
    const [whole, name] = found;
    return name === undefined || !new RegExp(`\\b${name}\\b`).test(blockAt(code, found.index + whole.length));
  });
  const deafHandlers = [...code.matchAll(DEAF_HANDLER)].map((found) => ({
    ...found,
    index: found.index + found[0].length,
  }));
  return [...deafBlocks, ...deafHandlers]
    .map(({ index }) => code.slice(0, index).split("\n").length)
    .filter((line) => !isExplained(code.split("\n"), line))
    .sort((a, b) => a - b);
}

/** What stands between the braces, the first of which is before a place. */
function blockAt(code: string, start: number): string {
  let end = start;
  for (let depth = 1; depth > 0 && end < code.length; end++) depth += { "{": 1, "}": -1 }[code[end]] ?? 0;
  return code.slice(start, end);
}

/** Whether a comment stands on a line, which counts from 1, or on the first of the block that it opens. */
function isExplained(lines: readonly string[], line: number): boolean {
  const opens = lines[line - 1].endsWith("{");
  return lines.slice(line - 1, opens ? line + 1 : line).some((text) => / \/\/ \S/.test(` ${text}`));
}

function* programs(folder: URL): Generator<URL> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* programs(new URL(`${name}/`, folder));
    else if (/\.m?ts$|\.mjs$/.test(name)) yield new URL(name, folder);
  }
}

Deno.test("every caught error is used, or a comment explains why it can be ignored", () => {
  const places = ["lib/", "cmd/", "web/", ".ci/"].flatMap((name) => [...programs(new URL(name, root))]).flatMap((
    file,
  ) => unexplained(Deno.readTextFileSync(file)).map((line) => `${file.pathname.replace(root.pathname, "")}:${line}`));
  assertEquals(places, []);
});

for (
  const [code, lines] of [
    ["try { a(); } catch {\n}", [1]],
    ["try { a(); } catch { // It is closed.\n}", []],
    ["try { a(); } catch {\n  // It is closed.\n}", []],
    ["try { a(); } catch {\n  return false; // It is closed.\n}", []],
    ["try { a(); } catch {\n  b();\n  c(); // It is closed.\n}", [1]],
    ["try { a(); } catch (error) {\n  tell({ error });\n}", []],
    ["\ntry { a(); } catch (error) {\n  if (b) { c(); }\n}\ntell(error);", [2]],
    ["try { a(); } catch (error: unknown) {\n  b();\n}", [1]],
    ["a().catch(() => {});", [1]],
    ["a().catch(() => {}); // It is closed.", []],
    ["a().catch((_) => null);", [1]],
    ["a().catch(() => null);\nb(); // It is closed.", [1]],
    ["a().catch((error) => tell(error));", []],
    ["a().then((b) => b.close(), () => {});", [1]],
    ["a().then(b, tell);", []],
    ["a()\n  .catch(() => {})\n  .finally(b);", [2]],
  ] as [string, number[]][]
) {
  Deno.test(`an ignored error is found: ${JSON.stringify(code)}`, () => assertEquals(unexplained(code), lines));
}
