/**
 * `--events`: a list of names or patterns, or a file with a catalog of events.
 *
 * @module
 */
import { type Catalog, MqError, parseCatalog } from "../mod.ts";
import { type Flag, list, option, textFile, UsageError } from "./command.ts";

/** A file with a catalog, read but not understood yet. */
export interface CatalogFile {
  readonly path: string;
  readonly text: string;
}

/** What `--events` says. */
export type Events = string[] | CatalogFile;

/** `--events LIST`, `--events FILE.json`; a list is of what the placeholder says. */
export function eventsFlag(placeholder: string, help: string, fallback: readonly string[]): Flag<Events> {
  return option<Events, Events>(`${placeholder}|FILE.json`, help, listOrFile, {
    fallback: [fallback.join(","), [...fallback]],
    aliases: ["event", "e", "names", "topics", "patterns", "catalog", "schema", "recognize"],
    looks: /[,.*>]/,
  });
}

function listOrFile(text: string): Events {
  const isFile = text.endsWith(".json") && !text.includes(",");
  return isFile ? { path: text, text: textFile(text) } : list(text);
}

/** Whether it is a list. */
export function isList(events: Events): events is string[] {
  return Array.isArray(events);
}

/** The flag as it is typed. */
export function eventsArgument(events: Events): string {
  return `--events ${isList(events) ? `'${events.join(",")}'` : events.path}`;
}

/**
 * Reads a catalog.
 *
 * @throws {UsageError} If it cannot be used.
 */
export async function readCatalog({ path, text }: CatalogFile): Promise<Catalog> {
  try {
    return await parseCatalog(text, path);
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
    throw new UsageError(error.message, "mq server --help, which shows what a catalog is like");
  }
}
