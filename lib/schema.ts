/**
 * JSON Schema, through ajv: schemas are compiled, and what does not fit is told in a sentence.
 *
 * @module
 */
import type { Ajv, AnySchema, ErrorObject } from "ajv";
import type { Json } from "./data.ts";
import { MqError, quote, visible } from "./errors.ts";
import { formatPatterns } from "./event.ts";
import { isObject, type JsonSource, parsePointer, type Path } from "./json_source.ts";

/** What schemas are written in: JSON Schema 2020-12, or the dialect of AsyncAPI, which extends draft-07. */
export type Dialect = "2020-12" | "asyncapi";

/** What does not fit. */
export interface Misfit {
  /** Where in the value that is, as a JSON pointer; empty for the value itself. */
  readonly pointer: string;
  /** What it must be, such as `must be integer`. */
  readonly rule: string;
}

/** Finds what is wrong with a value; nothing, if it fits. */
export type Judge = (value: unknown) => Misfit | undefined;

/** A schema that refers to itself can be followed only so far: a sender could exhaust the stack. */
const TOO_DEEP: Misfit = { pointer: "", rule: "must not be nested that deeply" };

/** How long a sentence on what does not fit may become, in UTF-16 code units. */
const MAX_SENTENCE_CHARACTERS = 300;

/** Keywords under which errors gather, those of every branch of a choice, say; their own says it for all of them. */
const SUMMARIES: ReadonlySet<string> = new Set(["anyOf", "oneOf", "contains", "propertyNames"]);

/** Compiles schemas. Make one with {@linkcode Schemas.load}. */
export class Schemas {
  readonly #ajv: Ajv;

  private constructor(ajv: Ajv) {
    this.#ajv = ajv;
  }

  /**
   * Loads ajv: most programs never need it. It knows formats, and writes nothing to the console.
   *
   * @param dialect What the schemas are written in. In AsyncAPI anybody may add keywords; otherwise one that is unknown
   * is a slip.
   * @returns What compiles them.
   */
  static async load(dialect: Dialect): Promise<Schemas> {
    const ajv = dialect === "asyncapi"
      ? new (await import("ajv")).Ajv({ logger: false, strictSchema: false })
      : new (await import("ajv/2020")).Ajv2020({ logger: false });
    (await import("ajv-formats")).default.default(ajv);
    return new Schemas(ajv);
  }

  /**
   * Compiles a schema.
   *
   * @param schema The schema.
   * @param source Where it was read.
   * @param path Where it stands there.
   * @returns What judges values by it.
   * @throws {MqError} With the code `bad-catalog`, if it is none.
   */
  compile(schema: Json, source: JsonSource, path: Path): Judge {
    if (!isObject(schema) && typeof schema !== "boolean") {
      throw source.fault(path, "a schema is an object or a boolean");
    }
    try {
      if (!this.#ajv.validateSchema(schema)) {
        const [error] = this.#ajv.errors!;
        const why = explain("the schema", misfitOf(error));
        throw source.fault([...path, ...parsePointer(error.instancePath)], why);
      }
      return this.#judge(schema);
    } catch (error) {
      if (error instanceof MqError) throw error;
      const { message } = error as Error;
      const [, quoted, referred] = /"([^"]+)"|reference (\S+)/.exec(message) ?? [];
      throw source.fault(path, `the schema cannot be used: ${message}`, quoted ?? referred);
    }
  }

  #judge(schema: AnySchema): Judge {
    const validate = this.#ajv.compile(schema);
    if ("$async" in validate) throw new Error('"$async" has no place in it'); // Its judgement would come too late.
    return (value) => {
      try {
        return validate(value) ? undefined : misfitOf(decisive(validate.errors!));
      } catch (error) {
        if (error instanceof RangeError) return TOO_DEEP;
        throw error;
      }
    };
  }
}

function decisive(errors: ErrorObject[]): ErrorObject {
  return errors.findLast(({ keyword }) => SUMMARIES.has(keyword)) ?? errors[0];
}

function misfitOf(error: ErrorObject): Misfit {
  return { pointer: error.instancePath, rule: `${error.message}${detailOf(error)}` };
}

/** What ajv's own words leave out. */
function detailOf({ keyword, params }: ErrorObject): string {
  switch (keyword) {
    case "additionalProperties":
      return `: ${quote(params.additionalProperty)}`;
    case "unevaluatedProperties":
      return `: ${quote(params.unevaluatedProperty)}`;
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
export function explain(what: string, { pointer, rule }: Misfit): string {
  const where = pointer === "" ? "" : ` at ${quote(pointer).slice(1, -1)}`;
  const sentence = visible(`${what}${where} ${rule}`);
  const isLong = sentence.length > MAX_SENTENCE_CHARACTERS;
  return isLong ? sentence.slice(0, MAX_SENTENCE_CHARACTERS) + "…" : sentence;
}
