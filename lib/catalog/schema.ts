/**
 * JSON Schema: schemas are compiled, and what does not fit is told in a sentence.
 *
 * @module
 */
import type { Ajv, ErrorObject, Options } from "ajv";
import type { Json } from "../protocol/data.ts";
import { MqError, quote, visible } from "../protocol/errors.ts";
import { formatPatterns } from "../protocol/pattern.ts";
import { loadFormats } from "./formats.ts";
import { type Excerpt, isObject, type JsonSource, parsePointer, type Path } from "./json_source.ts";
import { everySchema, lint } from "./schema_lint.ts";
import { refsOf, type Schema, summaryOf, TypeBox } from "./typebox.ts";

/** What schemas are written in unless they say so: JSON Schema 2020-12, or the dialect of AsyncAPI, made from draft-07. */
export type Dialect = "2020-12" | "asyncapi";

/** The versions of the standard that schemas are held to. */
export type Version = "2020-12" | "draft-07";

/** What does not fit. */
export interface ValidationError {
  /** Where in the value that is, as a JSON pointer; empty for the value itself. */
  readonly pointer: string;
  /** What it must be, such as `must be integer`. */
  readonly rule: string;
}

/** Finds what is wrong with a value; nothing, if it fits. */
export type Validator = (value: unknown) => ValidationError | undefined;

/** A schema that refers to itself can be followed only so far: a sender could exhaust the stack. */
const TOO_DEEP: ValidationError = { pointer: "", rule: "must not be nested that deeply" };

/** A value of each type. A schema that cannot be followed even for these leads to itself. */
const SHALLOW: readonly Json[] = [null, true, 0, "", [], {}];

/** How long a sentence on what does not fit may become, in UTF-16 code units. */
const MAX_SENTENCE_CHARACTERS = 300;

/** How `$schema` names JSON Schema 2020-12. */
export const SCHEMA_2020_12 = "https://json-schema.org/draft/2020-12/schema";

/** The versions, by how `$schema` names them; 2020-12 has no `#` behind it, older ones do. Draft-07 includes draft-06. */
const VERSIONS: ReadonlyMap<string, Version> = new Map([
  [SCHEMA_2020_12, "2020-12"],
  ["http://json-schema.org/draft-07/schema", "draft-07"],
  ["http://json-schema.org/draft-06/schema", "draft-07"],
]);

/**
 * Keywords that ajv does not hold as the standard says, or in whose case a sender could keep it busy: what is unique it
 * compares each with each. ($async and nullable are its own additions, which the standard ignores.)
 */
const BEYOND_AJV: ReadonlySet<string> = new Set([
  ...["$dynamicRef", "$dynamicAnchor", "unevaluatedItems", "unevaluatedProperties", "uniqueItems"],
  ...["$async", "nullable", "__proto__"],
]);

/** Keywords that compare data with what stands under them. */
const EQUALITIES: ReadonlySet<string> = new Set(["const", "enum"]);

/** Holds data to what the standard says, asks for no types, and writes nothing to the console. */
const AJV_OPTIONS: Options = {
  strict: false,
  ownProperties: true,
  logger: false,
  code: { regExp: Object.assign(regExp, { code: "new RegExp" }) },
};

/** Compiles schemas. Make one with {@linkcode Schemas.load}. */
export class Schemas {
  readonly #dialect: Dialect;
  readonly #formats: ReadonlySet<string>;
  readonly #ajvs: Record<Version, Ajv>;
  readonly #typeBox: TypeBox;
  /** Those that there are, by their schemas in JSON: the events of a catalog may have one in common. */
  readonly #judges = new Map<string, Validator>();

  private constructor(dialect: Dialect, formats: ReadonlySet<string>, ajvs: Record<Version, Ajv>, typeBox: TypeBox) {
    this.#dialect = dialect;
    this.#formats = formats;
    this.#ajvs = ajvs;
    this.#typeBox = typeBox;
  }

  /**
   * Loads what compiles schemas: most programs never need it. Ajv is for most of them, and TypeBox for those that ajv
   * does not hold as the standard says: it is as fast at telling whether data fits, but not at telling why not.
   *
   * @param dialect What schemas are written in that have no `$schema`. In AsyncAPI anybody may add keywords; otherwise
   * one that is unknown is odd.
   * @returns What compiles them.
   */
  static async load(dialect: Dialect): Promise<Schemas> {
    const [{ Ajv }, { Ajv2020 }, formats] = await Promise.all([import("ajv"), import("ajv/2020"), loadFormats()]);
    const options = { ...AJV_OPTIONS, formats };
    const ajvs = { "2020-12": new Ajv2020(options), "draft-07": new Ajv(options) };
    return new Schemas(dialect, new Set(Object.keys(formats)), ajvs, await TypeBox.load());
  }

  /**
   * Compiles a schema. What is odd about it becomes a warning of its source.
   *
   * @param schema The schema.
   * @param parts The schemas that it is made of, as they stand in its source: of most it is one, the schema itself.
   * @param source Where it was read.
   * @returns What judges values by it.
   * @throws {MqError} With the code `bad-catalog`, if it is none.
   */
  compile(schema: Json, parts: readonly Excerpt[], source: JsonSource): Validator {
    const [{ path }] = parts;
    try {
      for (const part of parts) this.#check(part, source);
      const text = JSON.stringify(schema);
      const judge = this.#judges.get(text) ?? this.#judge(schema as Schema, parts, source);
      this.#judges.set(text, judge);
      return judge;
    } catch (error) {
      if (error instanceof MqError) throw error;
      throw source.fault(path, `the schema cannot be used: ${(error as Error).message}`);
    }
  }

  #check({ value, path }: Excerpt, source: JsonSource): void {
    const fault = (at: Path, why: string) => source.fault([...path, ...at], why);
    if (!isObject(value) && typeof value !== "boolean") throw fault([], "a schema is an object or a boolean");
    const version = versionOf(value, this.#dialect);
    if (version === undefined) {
      throw fault(["$schema"], "mq reads schemas of JSON Schema 2020-12 and draft-07, and this is of another standard");
    }
    const ajv = this.#ajvs[version];
    if (!ajv.validateSchema(without(value, "$schema"))) {
      const [error] = ajv.errors!;
      throw fault(parsePointer(error.instancePath), explain("the schema", misfitOf(error)));
    }
    for (const [at, pattern] of patternsOf(value)) {
      if (!isRegExp(pattern)) throw fault(at, `${quote(pattern)} is no regular expression`);
    }
    for (const { path: at, why } of lint(value, this.#dialect === "asyncapi", this.#formats)) {
      source.warn([...path, ...at], why);
    }
  }

  #judge(schema: Schema, parts: readonly Excerpt[], source: JsonSource): Validator {
    const bare = without(schema, "$schema"); // Ajv would look for what it names.
    const broken = this.#typeBox.findBrokenRef(bare);
    if (broken !== undefined) {
      throw source.fault(placeOf(broken, parts), `nothing in the schema is at ${quote(broken)}`);
    }
    const ajv = this.#ajvs[versionOf(schema, this.#dialect)!];
    const judge = withinReach((isBeyondAjv(bare) ? undefined : byAjv(bare, ajv)) ?? this.#typeBox.compile(bare));
    if (SHALLOW.some((value) => judge(value) === TOO_DEEP)) {
      throw source.fault(parts[0].path, "the references of the schema lead round in a circle");
    }
    return judge;
  }
}

function withinReach(judge: Validator): Validator {
  return (value) => {
    try {
      return judge(value);
    } catch (error) {
      if (error instanceof RangeError) return TOO_DEEP;
      throw error;
    }
  };
}

/**
 * The version of the standard that a schema is to be held to.
 *
 * @param schema The schema.
 * @param dialect What it is written in, unless it says so.
 * @returns The version; undefined if the schema names another.
 */
export function versionOf(schema: Json, dialect: Dialect): Version | undefined {
  const named = isObject(schema) ? schema.$schema : undefined;
  if (named === undefined) return dialect === "asyncapi" ? "draft-07" : "2020-12";
  return VERSIONS.get(String(named).replace(/#$/, ""));
}

function without(schema: Schema, key: string): Schema {
  if (typeof schema === "boolean") return schema;
  return Object.fromEntries(Object.entries(schema).filter(([each]) => each !== key));
}

/** Where a reference stands. */
function placeOf(ref: string, parts: readonly Excerpt[]): Path {
  for (const { value, path } of parts) {
    for (const [at, part] of everySchema(value)) {
      const entry = refsOf(part).find(([, each]) => each === ref);
      if (entry !== undefined) return [...path, ...at, entry[0]];
    }
  }
  return parts[0].path;
}

/**
 * Whether a schema has something that ajv does not hold as the standard says. To it, 19.99 is no multiple of 0.01, and an
 * object that is to be equal to another is asked for its `toString`, which a sender can have made a number.
 */
function isBeyondAjv(schema: Json, isRoot = true): boolean {
  if (typeof schema !== "object" || schema === null) return false;
  return Object.entries(schema).some(([key, part]) =>
    BEYOND_AJV.has(key) || (key === "$id" && !isRoot) || (key === "multipleOf" && !Number.isInteger(part)) ||
    (EQUALITIES.has(key) && JSON.stringify(part).includes("{")) ||
    isBeyondAjv(part, false)
  );
}

function misfitOf(error: ErrorObject): ValidationError {
  return { pointer: error.instancePath, rule: `${error.message}${detailOf(error)}` };
}

/** What ajv's own words leave out. */
function detailOf({ keyword, params }: ErrorObject): string {
  switch (keyword) {
    case "additionalProperties":
      return `: ${quote(params.additionalProperty)}`;
    case "propertyNames":
      return `: ${quote(params.propertyName)}`;
    case "enum":
      return `: ${formatPatterns(params.allowedValues.map((value: Json) => JSON.stringify(value)))}`;
    case "const":
      return `: ${JSON.stringify(params.allowedValue)}`;
    default:
      return "";
  }
}

/** Has ajv compile a schema, by itself: another one may have the same `$id`. */
function byAjv(schema: Schema, ajv: Ajv): Validator | undefined {
  try {
    const validate = ajv.compile(schema);
    return (value) => validate(value) ? undefined : misfitOf(summaryOf(validate.errors!) ?? validate.errors![0]);
  } catch {
    return undefined; // It is stricter than the standard in places; TypeBox then has the last word.
  } finally {
    ajv.removeSchema();
  }
}

/** The regular expressions of a schema, and where they stand. */
function* patternsOf(schema: Json): Generator<[path: Path, pattern: string]> {
  for (const [path, part] of everySchema(schema)) {
    const { pattern, patternProperties = {} } = part as { [key: string]: Json };
    if (typeof pattern === "string") yield [[...path, "pattern"], pattern];
    for (const each of Object.keys(patternProperties as object)) yield [[...path, "patternProperties", each], each];
  }
}

function isRegExp(pattern: string): boolean {
  try {
    regExp(pattern);
    return true;
  } catch {
    return false; // A SyntaxError, whose words are for programmers.
  }
}

/** Patterns are to be read with the flag `u`, but many are written that only work without. */
function regExp(pattern: string): RegExp {
  try {
    return new RegExp(pattern, "u");
  } catch {
    return new RegExp(pattern); // Throws, too, if the pattern is none in either way.
  }
}
/**
 * Says what does not fit.
 *
 * @param what What was judged, such as `its data`.
 * @param misfit What does not fit.
 * @returns A sentence on one line, with nothing in it that would steer a terminal: a sender may have chosen its words.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(explain("its data", { pointer: "/id", rule: "must be integer" }), "its data at /id must be integer");
 * ```
 */
export function explain(what: string, { pointer, rule }: ValidationError): string {
  const where = pointer === "" ? "" : ` at ${quote(pointer).slice(1, -1)}`;
  const sentence = visible(`${what}${where} ${rule}`);
  const isLong = sentence.length > MAX_SENTENCE_CHARACTERS;
  return isLong ? sentence.slice(0, MAX_SENTENCE_CHARACTERS) + "…" : sentence;
}
