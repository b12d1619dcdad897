/**
 * Compiles JSON Schema with TypeBox, for the schemas in which ajv does not follow the standard; and the formats for both.
 *
 * @module
 */
import type { Json } from "../protocol/data.ts";
import { quote } from "../protocol/errors.ts";
import { formatPatterns } from "../protocol/pattern.ts";
import type { ValidationError, Validator } from "./catalog.ts";
import { subschemas } from "./schema_lint.ts";

/** The TypeBox library. */
type Library = typeof import("typebox/schema");

/** Its resolution scope within a schema: `$id` and anchors. */
type Stack = ReturnType<Library["Stack"]>;

/** The schemas that references may lead to, by their URIs. */
type Context = Parameters<Library["Errors"]>[0] & Record<string, object>;

/** One of its errors. */
type LibraryError = ReturnType<Library["Errors"]>[1][number];

/** A JSON schema. */
export type Schema = { [key: string]: Json } | boolean;

/** A format as ajv takes it: a function that validates a string or a number, or true if any string is valid. */
export type Format = true | ((text: string) => boolean) | { type: "number"; validate: (value: number) => boolean };

const MAX_INT32 = 2 ** 31;

/** The formats that OpenAPI adds to those of JSON Schema; AsyncAPI documents often use them. */
const OPENAPI_FORMATS: Record<string, Format> = {
  byte: (text: string) => /^[A-Za-z\d+/]*={0,2}$/.test(text) && text.length % 4 === 0,
  binary: true,
  password: true,
  int32: { type: "number", validate: (value) => Number.isInteger(value) && value >= -MAX_INT32 && value < MAX_INT32 },
  int64: { type: "number", validate: (value) => Number.isInteger(value) },
  float: { type: "number", validate: () => true },
  double: { type: "number", validate: () => true },
};

/** How long a text of a format may be, in UTF-16 code units: by RFC 5321 and RFC 1035, and of all others. */
const MAX_FORMAT_CHARACTERS: Readonly<Record<string, number>> = { email: 320, "idn-email": 320, hostname: 255 };
const MAX_FORMAT_DEFAULT = 2048;

/**
 * For longer data, in characters of JSON, TypeBox is not asked for the reason: it would collect the errors of the whole
 * value, which takes a quarter of a second for 1 MiB. To find that data is invalid takes almost no time.
 */
const MAX_EXPLAINED_CHARACTERS = 8192;

const UNEXPLAINED: ValidationError = { pointer: "", rule: "must match its schema" };

/** The most errors that TypeBox collects. The error of an `anyOf` comes after those of its branches. */
const MAX_ERRORS = 1000;

/** Keywords with one error for a whole group of others, such as those of the branches of `anyOf`. */
const SUMMARY_KEYWORDS: ReadonlySet<string> = new Set(["anyOf", "oneOf", "contains", "propertyNames"]);

/**
 * Finds schemas whose data must be copied before TypeBox validates it: TypeBox also sees inherited properties
 * (`toString`), and the properties of arrays as unevaluated ones.
 */
const NEEDS_OWN_PROPERTIES = new RegExp(
  `"(?:${["unevaluatedProperties", ...Object.getOwnPropertyNames(Object.prototype)].join("|")})"`,
);

/**
 * Loads the formats: those of JSON Schema 2020-12, `url`, and those of OpenAPI.
 *
 * @returns Each by its name, as ajv takes it.
 */
export async function loadFormats(): Promise<Record<string, Format>> {
  const { Entries } = await import("typebox/format");
  const formats = Entries().map((
    [name, check],
  ): [string, Format] => [name, bounded(check, MAX_FORMAT_CHARACTERS[name])]);
  return { ...Object.fromEntries(formats), ...OPENAPI_FORMATS };
}

/** A text that is longer than a limit is not looked at: some formats are regular expressions that take far longer than it. */
function bounded(check: (text: string) => boolean, characters = MAX_FORMAT_DEFAULT): (text: string) => boolean {
  return (text) => text.length <= characters && check(text);
}

/** Compiles schemas with TypeBox. {@linkcode TypeBox.load} makes one. */
export class TypeBox {
  readonly #library: Library;

  private constructor(library: Library) {
    this.#library = library;
  }

  /**
   * Imports the library.
   *
   * @returns A compiler.
   */
  static async load(): Promise<TypeBox> {
    const [library, { Settings }] = await Promise.all([import("typebox/schema"), import("typebox/system")]);
    Settings.Set({ maxErrors: MAX_ERRORS });
    return new TypeBox(library);
  }

  /**
   * Finds a reference that leads neither to a place in the schema nor to a schema of the standard.
   *
   * @param schema The schema.
   * @returns The first such reference; undefined if there is none.
   */
  findBrokenRef(schema: Schema): string | undefined {
    const seen = new Set<Json>();
    const pending: [part: Json, outer: Stack][] = [[schema, this.#stackOf(schema)]];
    for (const [part, outer] of pending) {
      if (typeof part !== "object" || part === null || seen.has(part)) continue;
      seen.add(part);
      const stack = this.#library.NextStack(outer, part);
      for (const [, below] of subschemas(part)) pending.push([below, stack]);
      for (const [keyword, ref] of refsOf(part)) {
        const target = this.#resolve(part, keyword, stack);
        if (target === undefined) return ref;
        pending.push(target);
      }
    }
  }

  /**
   * Compiles a schema.
   *
   * @param schema The schema; all its references can be resolved.
   * @returns Its validator.
   * @throws {Error} If the schema cannot be compiled.
   */
  compile(schema: Schema): Validator {
    const { Build, Errors } = this.#library;
    const context = this.#contextOf(schema);
    const check = Build(context, schema).Evaluate();
    const validate: Validator = (value) => {
      if (check.Check(value)) return undefined;
      if (JSON.stringify(value)?.length > MAX_EXPLAINED_CHARACTERS) return UNEXPLAINED;
      const [, errors] = Errors(context, schema, value);
      return errors.length === 0 ? UNEXPLAINED : validationErrorOf(errors);
    };
    return NEEDS_OWN_PROPERTIES.test(JSON.stringify(schema))
      ? (value) => validate(withOwnPropertiesOnly(value))
      : validate;
  }

  #stackOf(schema: Schema): Stack {
    return this.#library.Stack(this.#contextOf(schema), schema);
  }

  /** Includes the schemas of the standard only where they are referred to: they make validation slower. */
  #contextOf(schema: Schema): Context {
    return JSON.stringify(schema).includes("//json-schema.org/") ? this.#library.Meta : {};
  }

  #resolve(schema: object, keyword: string, stack: Stack): [schema: Json, stack: Stack] | undefined {
    const { Resolve } = this.#library;
    const target = keyword === "$ref"
      ? Resolve.Ref(stack, schema as Parameters<typeof Resolve.Ref>[1])
      : { schema: Resolve.DynamicRef(stack, schema as Parameters<typeof Resolve.DynamicRef>[1]), stack };
    return target.schema === undefined ? undefined : [target.schema as Json, target.stack];
  }
}

/**
 * Returns the references of a schema, without those of its subschemas.
 *
 * @param schema The schema.
 * @returns Each with its keyword.
 */
export function refsOf(schema: Json): [keyword: string, ref: string][] {
  const entries = ["$ref", "$dynamicRef"].map((keyword) => [keyword, (schema as { [key: string]: Json })[keyword]]);
  return entries.filter((entry): entry is [string, string] => typeof entry[1] === "string");
}

/**
 * Chooses the error that summarizes the others.
 *
 * @param errors All errors, in the order in which they were found.
 * @returns The last error of a keyword such as `anyOf`; undefined if there is none.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(summaryOf([{ keyword: "type" }, { keyword: "anyOf" }])?.keyword, "anyOf");
 * ```
 */
export function summaryOf<T extends { keyword: string }>(errors: readonly T[]): T | undefined {
  return errors.findLast(({ keyword }) => SUMMARY_KEYWORDS.has(keyword));
}

/** Hides all properties of an array but its length from enumeration; its elements can still be read. */
const WITHOUT_PROPERTIES: ProxyHandler<unknown[]> = { ownKeys: () => ["length"] };

/** Copies a value into objects without a prototype and arrays without enumerable properties. */
function withOwnPropertiesOnly(value: unknown): unknown {
  if (Array.isArray(value)) return new Proxy(value.map(withOwnPropertiesOnly), WITHOUT_PROPERTIES);
  if (typeof value !== "object" || value === null) return value;
  const copy = Object.create(null);
  for (const [key, part] of Object.entries(value)) copy[key] = withOwnPropertiesOnly(part);
  return copy;
}

function validationErrorOf(errors: LibraryError[]): ValidationError {
  const error = summaryOf(errors) ??
    errors.find(({ keyword }) => keyword !== "boolean") ?? errors[0]; // The error of a `false` schema says least.
  return { pointer: error.instancePath, rule: `${ruleOf(error)}${detailOf(error)}` };
}

/** The rule that was broken, in ajv's words where those of TypeBox differ. */
function ruleOf({ keyword, params, message }: LibraryError): string {
  switch (keyword) {
    case "required":
      return `must have required property '${params.requiredProperties[0]}'`;
    case "boolean":
      return "boolean schema is false";
    case "propertyNames":
      return "property name must be valid";
    default:
      return message.replace(/^must not/, "must NOT");
  }
}

/** The value in question, which TypeBox's message leaves out. */
function detailOf({ keyword, params }: LibraryError): string {
  switch (keyword) {
    case "additionalProperties":
      return `: ${quote(params.additionalProperties[0])}`;
    case "unevaluatedProperties":
      return `: ${quote(String(params.unevaluatedProperties[0]))}`;
    case "propertyNames":
      return `: ${quote(params.propertyNames[0])}`;
    case "enum":
      return `: ${formatPatterns(params.allowedValues.map((value) => JSON.stringify(value)))}`;
    case "const":
      return `: ${JSON.stringify(params.allowedValue)}`;
    default:
      return "";
  }
}
