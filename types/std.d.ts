/**
 * Types for the parts of Deno's standard library that mq uses. The import map takes the library from npm, where it is
 * published as JavaScript without types; these declarations stand in for them.
 */

declare module "@std/assert" {
  export class AssertionError extends Error {}
  export function assert(expr: unknown, msg?: string): asserts expr;
  export function fail(msg?: string): never;
  export function assertEquals<T>(actual: T, expected: T, msg?: string): void;
  export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void;
  export function assertStringIncludes(actual: string, expected: string, msg?: string): void;
  export function assertMatch(actual: string, expected: RegExp, msg?: string): void;
  // deno-lint-ignore no-explicit-any
  type AnyErrorClass<E extends Error> = abstract new (...args: any[]) => E;
  export function assertInstanceOf<E extends Error>(actual: unknown, type: AnyErrorClass<E>): asserts actual is E;
  export function assertThrows<E extends Error = Error>(
    fn: () => unknown,
    errorClass?: AnyErrorClass<E>,
    msgIncludes?: string,
  ): E;
  export function assertRejects<E extends Error = Error>(
    fn: () => PromiseLike<unknown>,
    errorClass?: AnyErrorClass<E>,
    msgIncludes?: string,
  ): Promise<E>;
}

declare module "@std/async/delay" {
  export interface DelayOptions {
    signal?: AbortSignal;
    persistent?: boolean;
  }
  export function delay(ms: number, options?: DelayOptions): Promise<void>;
}

declare module "@std/bytes/concat" {
  export function concat(buffers: readonly Uint8Array[]): Uint8Array<ArrayBuffer>;
}

declare module "@std/cli/parse-args" {
  export interface ParseOptions {
    "--"?: boolean;
    boolean?: string[];
    string?: string[];
    collect?: string[];
    /** Called with each argument that is no declared flag; without `key` it is an operand. `false` leaves it out. */
    unknown?: (argument: string, key?: string, value?: unknown) => unknown;
  }
  export type Parsed = Record<string, string | boolean | (string | boolean)[]> & { _: string[]; "--": string[] };
  export function parseArgs(args: string[], options: ParseOptions): Parsed;
}

declare module "@std/crypto/timing-safe-equal" {
  export function timingSafeEqual(a: Uint8Array, b: Uint8Array): boolean;
}

declare module "@std/data-structures/binary-heap" {
  export class BinaryHeap<T> {
    constructor(compare: (a: T, b: T) => number);
    readonly length: number;
    push(...values: T[]): number;
    pop(): T | undefined;
  }
}

declare module "@std/encoding/hex" {
  export function encodeHex(src: Uint8Array | ArrayBuffer): string;
}

declare module "@std/fmt/bytes" {
  export function format(bytes: number, options?: { binary?: boolean }): string;
}

declare module "@std/fmt/colors" {
  export function bold(text: string): string;
  export function dim(text: string): string;
  export function inverse(text: string): string;
  export function red(text: string): string;
  export function green(text: string): string;
  export function yellow(text: string): string;
  export function blue(text: string): string;
  export function magenta(text: string): string;
  export function cyan(text: string): string;
  export function setColorEnabled(enabled: boolean): void;
  export function stripAnsiCode(text: string): string;
}

declare module "@std/fmt/duration" {
  export function format(ms: number, options?: { ignoreZero?: boolean }): string;
}

declare module "@std/streams/text-line-stream" {
  export class TextLineStream extends TransformStream<string, string> {
    constructor(options?: { allowCR?: boolean });
  }
}

declare module "@std/text/closest-string" {
  export function closestString(word: string, possibleWords: readonly string[]): string;
}

declare module "@std/text/levenshtein-distance" {
  export function levenshteinDistance(a: string, b: string): number;
}

declare module "@std/ulid" {
  /** A new ULID. */
  export function ulid(seedTime?: number): string;
  /** A new ULID, greater than every one made before it in this process. */
  export function monotonicUlid(seedTime?: number): string;
  /** The time within a ULID, in milliseconds since the Unix epoch. */
  export function decodeTime(ulid: string): number;
}
