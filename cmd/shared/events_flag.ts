/**
 * `--events`: a list of names or patterns, or a file with a catalog of events.
 *
 * @module
 */
import { type Catalog, parseCatalog } from "../../lib/catalog/catalog.ts";
import { MqError } from "../../lib/protocol/errors.ts";
import { eventsFlagText } from "./format.ts";
import { type Flag, list, option, textFile, UsageError } from "../command.ts";
import type { Io } from "./stdio.ts";

/** How many warnings about a catalog are printed. */
const MAX_SHOWN_WARNINGS = 20;

/** A catalog file, not yet parsed. */
export interface CatalogFile {
  readonly path: string;
  readonly text: string;
}

/** The value of `--events`. */
export type Events = string[] | CatalogFile;

/** `--events LIST` or `--events FILE`; the placeholder says what the list consists of. */
export function eventsFlag(placeholder: string, help: string, defaultNames: readonly string[]): Flag<Events> {
  return option<Events, Events>(`${placeholder}|FILE`, help, listOrFile, {
    defaultValue: [defaultNames.join(","), [...defaultNames]],
    suggestFor: ["event", "e", "names", "topics", "patterns", "catalog", "schema", "recognize"],
    suggestForValue: /[,.*>]/,
  });
}

function listOrFile(text: string): Events {
  return isPath(text) ? { path: text, text: textFile(text) } : list(text);
}

/** A path has a slash in it or ends in .json, .yml or .yaml; a list of names or patterns does neither. */
function isPath(text: string): boolean {
  return /[/\\]/.test(text) || /^[^,]+\.(?:json|ya?ml)$/i.test(text);
}

export function isList(events: Events): events is string[] {
  return Array.isArray(events);
}

/** The flag as it stands on a command line. */
export function eventsArgument(events: Events): string {
  return isList(events) ? eventsFlagText(events) : `--events ${events.path}`;
}

/**
 * Parses a catalog file, and prints its warnings to stderr.
 *
 * @throws {UsageError} If it is not a valid catalog.
 */
export async function readCatalog({ path, text }: CatalogFile, command: string, io: Io): Promise<Catalog> {
  const catalog = await parse(path, text);
  const { warnings } = catalog;
  for (const warning of warnings.slice(0, MAX_SHOWN_WARNINGS)) io.stderr.line(`${command}: warning: ${warning}`);
  const more = warnings.length - MAX_SHOWN_WARNINGS;
  if (more > 0) io.stderr.line(`${command}: warning: ${path} has ${more} more warnings`);
  return catalog;
}

async function parse(path: string, text: string): Promise<Catalog> {
  try {
    return await parseCatalog(text, path);
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
    throw new UsageError(error.message, "mq server --help, which describes the format");
  }
}
