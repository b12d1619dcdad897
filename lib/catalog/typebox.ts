/**
 * JSON Schema through TypeBox, which holds to all that the standard says.
 *
 * @module
 */
import type { Json } from "../protocol/data.ts";
import { quote } from "../protocol/errors.ts";
import { formatPatterns } from "../protocol/pattern.ts";
import type { ValidationError, Validator } from "./schema.ts";
import { subschemas } from "./schema_lint.ts";

/** The library. */
type Library = typeof import("typebox/schema");

/** How it keeps account of where it is in a schema: of `$id`, and of anchors. */
type Stack = ReturnType<Library["Stack"]>;

/** Schemas that may be referred to, by their URIs. */
type Context = Parameters<Library["Errors"]>[0] & Record<string, object>;

/** An error of it. */
type Fault = ReturnType<Library["Errors"]>[1][number];

/** A schema, as it takes them. */
export type Schema = { [key: string]: Json } | boolean;

/**
 * How long data may be, as JSON, for TypeBox to say what is wrong with it: it then looks at all of it, a quarter of a
 * second for 1 MiB, where to see that it does not fit takes no time.
 */
const MAX_EXPLAINED_CHARACTERS = 8192;

const UNEXPLAINED: ValidationError = { pointer: "", rule: "must fit its schema" };

/** How many errors it notes. The one that counts may be the last: that of a choice comes after those of its branches. */
const MAX_ERRORS = 1000;

/** Keywords under which errors gather, those of every branch of a choice, say; their own says it for all of them. */
const SUMMARIES: ReadonlySet<string> = new Set(["anyOf", "oneOf", "contains", "propertyNames"]);

/**
 * Schemas to which data is shown in another form: to TypeBox, objects have what they inherit (`toString`), and properties
 * of arrays may be unevaluated.
 */
const NEEDS_BARE = new RegExp(
  `"(?:${["unevaluatedProperties", ...Object.getOwnPropertyNames(Object.prototype)].join("|")})"`,
);

/** The library, loaded. Make one with {@linkcode TypeBox.load}. */
export class TypeBox {
  readonly #library: Library;

  private constructor(library: Library) {
    this.#library = library;
  }

  /**
   * Loads the library.
   *
   * @returns It.
   */
  static async load(): Promise<TypeBox> {
    const [library, { Settings }] = await Promise.all([import("typebox/schema"), import("typebox/system")]);
    Settings.Set({ maxErrors: MAX_ERRORS });
    return new TypeBox(library);
  }

  /**
   * Looks where the references of a schema lead: within it, or to a schema of the standard.
   *
   * @param schema The schema.
   * @returns The first reference that leads nowhere; undefined if there is none.
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
        const target = this.#follow(part, keyword, stack);
        if (target === undefined) return ref;
        pending.push(target);
      }
    }
  }

  /**
   * Compiles a schema.
   *
   * @param schema The schema; its references lead somewhere.
   * @returns What judges values by it.
   * @throws {Error} If it cannot be used.
   */
  compile(schema: Schema): Validator {
    const { Build, Errors } = this.#library;
    const context = this.#contextOf(schema);
    const check = Build(context, schema).Evaluate();
    const judge: Validator = (value) => {
      if (check.Check(value)) return undefined;
      if (JSON.stringify(value)?.length > MAX_EXPLAINED_CHARACTERS) return UNEXPLAINED;
      const [, faults] = Errors(context, schema, value);
      return faults.length === 0 ? UNEXPLAINED : misfitOf(faults);
    };
    return NEEDS_BARE.test(JSON.stringify(schema)) ? (value) => judge(bare(value)) : judge;
  }

  #stackOf(schema: Schema): Stack {
    return this.#library.Stack(this.#contextOf(schema), schema);
  }

  /** The schemas of the standard are at hand only where they are referred to: with them, judging takes longer. */
  #contextOf(schema: Schema): Context {
    return JSON.stringify(schema).includes("//json-schema.org/") ? this.#library.Meta : {};
  }

  #follow(schema: object, keyword: string, stack: Stack): [schema: Json, stack: Stack] | undefined {
    const { Resolve } = this.#library;
    const target = keyword === "$ref"
      ? Resolve.Ref(stack, schema as Parameters<typeof Resolve.Ref>[1])
      : { schema: Resolve.DynamicRef(stack, schema as Parameters<typeof Resolve.DynamicRef>[1]), stack };
    return target.schema === undefined ? undefined : [target.schema as Json, target.stack];
  }
}

/**
 * The references of a schema itself.
 *
 * @param schema The schema.
 * @returns Each with its keyword.
 */
export function refsOf(schema: Json): [keyword: string, ref: string][] {
  const entries = ["$ref", "$dynamicRef"].map((keyword) => [keyword, (schema as { [key: string]: Json })[keyword]]);
  return entries.filter((entry): entry is [string, string] => typeof entry[1] === "string");
}

/** Has an array keep its elements, but no properties that could be listed. */
const UNLISTED: ProxyHandler<unknown[]> = { ownKeys: () => ["length"] };

/** A value whose objects inherit nothing, and whose arrays have no properties. */
function bare(value: unknown): unknown {
  if (Array.isArray(value)) return new Proxy(value.map(bare), UNLISTED);
  if (typeof value !== "object" || value === null) return value;
  const copy = Object.create(null);
  for (const [key, part] of Object.entries(value)) copy[key] = bare(part);
  return copy;
}

/**
 * The error that says it for all, where errors of several branches have gathered.
 *
 * @param errors What is wrong, in the order in which it was found.
 * @returns The error; undefined if there is none of this kind.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(summaryOf([{ keyword: "type" }, { keyword: "anyOf" }])?.keyword, "anyOf");
 * ```
 */
export function summaryOf<T extends { keyword: string }>(errors: readonly T[]): T | undefined {
  return errors.findLast(({ keyword }) => SUMMARIES.has(keyword));
}

function misfitOf(faults: Fault[]): ValidationError {
  const fault = summaryOf(faults) ??
    faults.find(({ keyword }) => keyword !== "boolean") ?? faults[0]; // What is false says less than what made it so.
  return { pointer: fault.instancePath, rule: `${ruleOf(fault)}${detailOf(fault)}` };
}

/** What must be, in the words of ajv where the two have others. */
function ruleOf({ keyword, params, message }: Fault): string {
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

/** What the library's own words leave out. */
function detailOf({ keyword, params }: Fault): string {
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
