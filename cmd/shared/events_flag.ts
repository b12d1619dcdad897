/**
 * `--events`: a list of names or patterns, or a file with a catalog of events.
 *
 * @module
 */
import { type Catalog, parseCatalog } from "../../lib/catalog/catalog.ts";
import { MqError } from "../../lib/protocol/errors.ts";
import { admittingFlag } from "./format.ts";
import { type Flag, list, option, textFile, UsageError } from "../command.ts";
import type { Io } from "./stdio.ts";

/** How many warnings of a catalog are shown. */
const MAX_SHOWN_WARNINGS = 20;

/** A file with a catalog, read but not understood yet. */
export interface CatalogFile {
  readonly path: string;
  readonly text: string;
}

/** What `--events` says. */
export type Events = string[] | CatalogFile;

/** `--events LIST`, `--events FILE`; a list is of what the placeholder says. */
export function eventsFlag(placeholder: string, help: string, fallback: readonly string[]): Flag<Events> {
  return option<Events, Events>(`${placeholder}|FILE`, help, listOrFile, {
    fallback: [fallback.join(","), [...fallback]],
    aliases: ["event", "e", "names", "topics", "patterns", "catalog", "schema", "recognize"],
    looks: /[,.*>]/,
  });
}

function listOrFile(text: string): Events {
  return isPath(text) ? { path: text, text: textFile(text) } : list(text);
}

/** No name or pattern has a slash in it, and none of a list ends as the files do that catalogs are kept in. */
function isPath(text: string): boolean {
  return /[/\\]/.test(text) || /^[^,]+\.(?:json|ya?ml)$/i.test(text);
}

/** Whether it is a list. */
export function isList(events: Events): events is string[] {
  return Array.isArray(events);
}

/** The flag as it is typed. */
export function eventsArgument(events: Events): string {
  return isList(events) ? admittingFlag(events) : `--events ${events.path}`;
}

/**
 * Reads a catalog, and says on stderr what may be a slip in it.
 *
 * @throws {UsageError} If it cannot be used.
 */
export async function readCatalog({ path, text }: CatalogFile, command: string, io: Io): Promise<Catalog> {
  const catalog = await understood(path, text);
  const { warnings } = catalog;
  for (const warning of warnings.slice(0, MAX_SHOWN_WARNINGS)) io.stderr.line(`${command}: warning: ${warning}`);
  const more = warnings.length - MAX_SHOWN_WARNINGS;
  if (more > 0) io.stderr.line(`${command}: warning: ${path} has ${more} more like these`);
  return catalog;
}

async function understood(path: string, text: string): Promise<Catalog> {
  try {
    return await parseCatalog(text, path);
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
    throw new UsageError(error.message, "mq server --help, which shows what a catalog is like");
  }
}
