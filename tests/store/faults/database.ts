/**
 * A program with a SQLite database, in the mode of mq's store. Its argument is the path. It runs each line of stdin as
 * a statement of SQL, and answers with a line of JSON: `{"rows":[...]}` or `{"error":"..."}`. As in SQLite's own shell,
 * `.open PATH` closes the database and opens another.
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { TextLineStream } from "@std/streams/text-line-stream";

let database = open(Deno.args[0]);
const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
for await (const line of lines) console.log(JSON.stringify(answer(line)));
database.close();

function open(path: string): DatabaseSync {
  const opened = new DatabaseSync(path);
  opened.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  return opened;
}

function answer(line: string): { rows: unknown[] } | { error: string } {
  try {
    return { rows: run(line) };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

function run(line: string): unknown[] {
  const [, path] = /^\.open (.+)$/.exec(line) ?? [];
  if (path === undefined) return database.prepare(line).all();
  database.close();
  database = open(path);
  return [];
}
