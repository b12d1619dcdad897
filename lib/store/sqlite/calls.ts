/**
 * What the threads of a store say to each other.
 *
 * @module
 */
import type { LogCursor } from "../inspect.ts";
import type { PullRequest, Transaction } from "../store.ts";
import type { EngineOptions } from "./engine.ts";

/** A call of a method of {@linkcode Engine}, or, behind `inspect`, of {@linkcode Inspector}. */
export type Call =
  | { readonly method: "open"; readonly options: EngineOptions }
  | { readonly method: "inspect"; readonly folder: string }
  | { readonly method: "commit"; readonly transaction: Transaction }
  | { readonly method: "read"; readonly after: string; readonly patterns: readonly string[] }
  | { readonly method: "pull"; readonly requests: readonly PullRequest[] }
  | { readonly method: "giveBack"; readonly group: string; readonly keys: readonly number[] }
  | { readonly method: "salvage"; readonly cursor: LogCursor; readonly patterns: readonly string[] }
  | {
    readonly method: "peek";
    readonly group: string;
    readonly state: "ready" | "delayed" | "dead";
    readonly which: number | string;
  }
  | { readonly method: "maintain"; readonly now: number }
  | { readonly method: "describeGroups" | "due" | "sync" | "mend" | "check" | "describe" | "close" };

/** What a call comes to. */
export type Reply =
  & { readonly id: number }
  & (
    | { readonly result: unknown; readonly error?: undefined }
    | { readonly error: { readonly code: string; readonly message: string } }
  );
