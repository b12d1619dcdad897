/**
 * The values of `format` in a schema that mq holds data to.
 *
 * @module
 */
/** A format, as ajv takes it: what tells whether a string or a number is of it, or true if any is. */
export type Format = true | ((text: string) => boolean) | { type: "number"; validate: (value: number) => boolean };

const MAX_INT32 = 2 ** 31;

/** What OpenAPI adds to the formats of JSON Schema. Many a schema for AsyncAPI has it, too. */
const OF_OPENAPI: Record<string, Format> = {
  byte: (text: string) => /^[A-Za-z\d+/]*={0,2}$/.test(text) && text.length % 4 === 0,
  binary: true,
  password: true,
  int32: { type: "number", validate: (value) => Number.isInteger(value) && value >= -MAX_INT32 && value < MAX_INT32 },
  int64: { type: "number", validate: (value) => Number.isInteger(value) },
  float: { type: "number", validate: () => true },
  double: { type: "number", validate: () => true },
};

/**
 * Loads the formats: those of JSON Schema 2020-12, all nineteen, with `url` and those of OpenAPI.
 *
 * @returns Each by its name, as ajv takes it.
 */
export async function loadFormats(): Promise<Record<string, Format>> {
  const { Entries } = await import("typebox/format");
  return { ...Object.fromEntries(Entries()), ...OF_OPENAPI };
}
