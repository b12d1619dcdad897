/**
 * JSON Schema: checks the schemas of a catalog, and compiles them into validators.
 *
 * @module
 */
import type { Ajv, ErrorObject, Options } from "ajv";
import type { Json } from "../protocol/data.ts";
import { MqError, quote } from "../protocol/errors.ts";
import { formatPatterns } from "../protocol/pattern.ts";
import { explain, TOO_DEEP, type ValidationError, type Validator } from "./catalog.ts";
import { ExpressionError, Expressions, isSimple } from "./expression.ts";
import { isObject, type JsonSource, type LocatedValue, parsePointer, type Path } from "./json_source.ts";
import { allSchemas, lint } from "./schema_lint.ts";
import { loadFormats, refsOf, type Schema, summaryOf, TypeBox } from "./typebox.ts";

/** The dialect of schemas without `$schema`: JSON Schema 2020-12, or that of AsyncAPI, which is based on draft-07. */
export type Dialect = "2020-12" | "asyncapi";

/** The supported versions of JSON Schema. */
export type Version = "2020-12" | "draft-07";

/** One value of each type. A schema that exhausts the stack even for one of these refers to itself endlessly. */
const SHALLOW_VALUES: readonly Json[] = [null, true, 0, "", [], {}];

/** The `$schema` of JSON Schema 2020-12. */
export const SCHEMA_2020_12 = "https://json-schema.org/draft/2020-12/schema";

/** The version of each `$schema`, without a `#` at its end. Draft-07 includes draft-06. */
const VERSIONS: ReadonlyMap<string, Version> = new Map([
  [SCHEMA_2020_12, "2020-12"],
  ["http://json-schema.org/draft-07/schema", "draft-07"],
  ["http://json-schema.org/draft-06/schema", "draft-07"],
]);

/**
 * Keywords in which ajv differs from the standard, or is slow: it compares all items with each other for `uniqueItems`.
 * `$async` and `nullable` are its own additions.
 */
const NOT_FOR_AJV: ReadonlySet<string> = new Set([
  ...["$dynamicRef", "$dynamicAnchor", "unevaluatedItems", "unevaluatedProperties", "uniqueItems"],
  ...["$async", "nullable", "__proto__"],
]);

/** Keywords that compare data with their value. */
const EQUALITY_KEYWORDS: ReadonlySet<string> = new Set(["const", "enum"]);

/** Makes ajv follow the standard, not require types, and write nothing to the console. */
const AJV_OPTIONS: Options = { strict: false, ownProperties: true, logger: false };

/** Keywords whose value is data, and no schema. */
const DATA_KEYWORDS: ReadonlySet<string> = new Set(["const", "enum", "default", "examples", "example"]);

/** Compiles schemas. {@linkcode SchemaCompiler.load} makes one. */
export class SchemaCompiler {
  readonly #dialect: Dialect;
  readonly #formats: ReadonlySet<string>;
  readonly #ajvs: Record<Version, Ajv>;
  readonly #typeBox: TypeBox;
  readonly #expressions: Expressions;
  /** The validators by their schemas in JSON: several events of a catalog may have the same schema. */
  readonly #validators = new Map<string, Validator>();

  private constructor(
    dialect: Dialect,
    formats: ReadonlySet<string>,
    ajvs: Record<Version, Ajv>,
    typeBox: TypeBox,
    expressions: Expressions,
  ) {
    this.#dialect = dialect;
    this.#formats = formats;
    this.#ajvs = ajvs;
    this.#typeBox = typeBox;
    this.#expressions = expressions;
  }

  /**
   * Imports ajv and TypeBox. Ajv compiles most schemas, and TypeBox those in which ajv differs from the standard: it
   * validates as fast, but is slow to explain an error.
   *
   * @param dialect The dialect of schemas without `$schema`. Unknown keywords are warned of, except in AsyncAPI, which
   * allows extensions.
   * @returns A compiler.
   */
  static async load(dialect: Dialect): Promise<SchemaCompiler> {
    const [{ Ajv }, { Ajv2020 }, formats, expressions] = await Promise.all([
      import("ajv"),
      import("ajv/2020"),
      loadFormats(),
      Expressions.load(),
    ]);
    const regExp = Object.assign((pattern: string) => expressions.make(pattern), { code: "new RegExp" });
    const options = { ...AJV_OPTIONS, formats, code: { regExp } };
    const ajvs = { "2020-12": new Ajv2020(options), "draft-07": new Ajv(options) };
    return new SchemaCompiler(dialect, new Set(Object.keys(formats)), ajvs, await TypeBox.load(), expressions);
  }

  /**
   * Compiles a schema. Likely mistakes in it become warnings of its source.
   *
   * @param schema The schema.
   * @param parts The schemas in the source that it is made of; usually one, the schema itself.
   * @param source The text that has them.
   * @returns Its validator.
   * @throws {MqError} With the code `bad-catalog`, if the schema is not valid.
   */
  compile(schema: Json, parts: readonly LocatedValue[], source: JsonSource): Validator {
    const [{ path }] = parts;
    try {
      for (const part of parts) this.#check(part, source);
      const text = JSON.stringify(schema);
      const validator = this.#validators.get(text) ?? this.#compile(schema as Schema, parts, source);
      this.#validators.set(text, validator);
      return validator;
    } catch (error) {
      if (error instanceof MqError) throw error;
      throw source.error(path, `the schema cannot be used: ${(error as Error).message}`);
    }
  }

  #check({ value, path }: LocatedValue, source: JsonSource): void {
    const errorAt = (at: Path, why: string) => source.error([...path, ...at], why);
    if (!isObject(value) && typeof value !== "boolean") throw errorAt([], "a schema must be an object or a boolean");
    const version = versionOf(value, this.#dialect);
    if (version === undefined) {
      throw errorAt(["$schema"], "unsupported $schema: mq reads JSON Schema 2020-12 and draft-07");
    }
    const ajv = this.#ajvs[version];
    if (!ajv.validateSchema(without(value, "$schema"))) {
      const [error] = ajv.errors!;
      throw errorAt(parsePointer(error.instancePath), explain("the schema", validationErrorOf(error)));
    }
    for (const [at, pattern] of patternsOf(value)) {
      try {
        this.#expressions.make(pattern);
      } catch (error) {
        throw errorAt(at, (error as Error).message);
      }
    }
    for (const { path: at, why } of lint(value, this.#dialect === "asyncapi", this.#formats)) {
      source.warn([...path, ...at], why);
    }
  }

  #compile(schema: Schema, parts: readonly LocatedValue[], source: JsonSource): Validator {
    const bare = without(schema, "$schema"); // Ajv would try to resolve it.
    const brokenRef = this.#typeBox.findBrokenRef(bare);
    if (brokenRef !== undefined) {
      throw source.error(pathOfRef(brokenRef, parts), `the reference ${quote(brokenRef)} is not found in the schema`);
    }
    const ajv = this.#ajvs[versionOf(schema, this.#dialect)!];
    const validate = (isForAjv(bare) ? compileWithAjv(bare, ajv) : undefined) ??
      this.#typeBox.compile(this.#forTypeBox(bare, parts[0].path, source));
    const validator = withDepthError(validate);
    if (SHALLOW_VALUES.some((value) => validator(value) === TOO_DEEP)) {
      throw source.error(parts[0].path, "the references of the schema form a cycle");
    }
    return validator;
  }

  /** TypeBox takes expressions for `pattern` as well as their text, but makes those of `patternProperties` itself. */
  #forTypeBox<S extends Json>(schema: S, path: Path, source: JsonSource): S {
    if (typeof schema !== "object" || schema === null) return schema;
    if (Array.isArray(schema)) return schema.map((part) => this.#forTypeBox(part, path, source)) as S;
    const entries = Object.entries(schema).map(([key, part]) => {
      if (DATA_KEYWORDS.has(key)) return [key, part];
      if (key === "pattern" && typeof part === "string" && !isSimple(part)) return [key, this.#expressions.make(part)];
      const complex = key === "patternProperties" && isObject(part) &&
        Object.keys(part).find((each) => !isSimple(each));
      if (typeof complex === "string") {
        throw source.error(
          path,
          `the schema has a keyword such as uniqueItems, and so patternProperties may have only simple expressions, which ` +
            `${quote(complex)} is not: it should begin with ^ and have one of * + ? {m,n} at most, outside of groups`,
        );
      }
      return [key, this.#forTypeBox(part, path, source)];
    });
    return Object.fromEntries(entries) as S;
  }
}

/** Returns TOO_DEEP for values that exhaust the stack. */
function withDepthError(validate: Validator): Validator {
  return (value) => {
    try {
      return validate(value);
    } catch (error) {
      if (error instanceof RangeError) return TOO_DEEP;
      throw error;
    }
  };
}

/**
 * Returns the version of JSON Schema that a schema is written in.
 *
 * @param schema The schema.
 * @param dialect The dialect of schemas without `$schema`.
 * @returns The version; undefined if `$schema` has an unsupported one.
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

/** The path of the first reference with this value. */
function pathOfRef(ref: string, parts: readonly LocatedValue[]): Path {
  for (const { value, path } of parts) {
    for (const [at, part] of allSchemas(value)) {
      const entry = refsOf(part).find(([, each]) => each === ref);
      if (entry !== undefined) return [...path, ...at, entry[0]];
    }
  }
  return parts[0].path;
}

/**
 * Returns whether ajv follows the standard in all that a schema has. For ajv, 19.99 is not a multiple of 0.01; and to
 * compare objects it calls their `toString`, which a publisher can have replaced by a number.
 */
function isForAjv(schema: Json, isRoot = true): boolean {
  if (typeof schema !== "object" || schema === null) return true;
  return Object.entries(schema).every(([key, part]) =>
    !NOT_FOR_AJV.has(key) && (key !== "$id" || isRoot) && (key !== "multipleOf" || Number.isInteger(part)) &&
    !(EQUALITY_KEYWORDS.has(key) && JSON.stringify(part).includes("{")) &&
    isForAjv(part, false)
  );
}

function validationErrorOf(error: ErrorObject): ValidationError {
  return { pointer: error.instancePath, rule: `${error.message}${detailOf(error)}` };
}

/** The value in question, which ajv's message leaves out. */
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

/** Compiles a schema with ajv, and removes it there again: another schema may have the same `$id`. */
function compileWithAjv(schema: Schema, ajv: Ajv): Validator | undefined {
  try {
    const validate = ajv.compile(schema);
    return (value) => {
      if (validate(value)) return undefined;
      return validationErrorOf(summaryOf(validate.errors!) ?? validate.errors![0]);
    };
  } catch (error) {
    if (error instanceof ExpressionError) throw error; // It cannot be used, wherever it was referred to.
    return undefined; // Ajv is stricter than the standard in places; TypeBox then compiles or refuses the schema.
  } finally {
    ajv.removeSchema();
  }
}

/** The regular expressions of a schema, with their paths. */
function* patternsOf(schema: Json): Generator<[path: Path, pattern: string]> {
  for (const [path, part] of allSchemas(schema)) {
    const { pattern, patternProperties = {} } = part as { [key: string]: Json };
    if (typeof pattern === "string") yield [[...path, "pattern"], pattern];
    for (const each of Object.keys(patternProperties as object)) yield [[...path, "patternProperties", each], each];
  }
}
