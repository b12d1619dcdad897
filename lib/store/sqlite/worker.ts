/**
 * The worker of a store: it alone reads and writes the database, so that nothing else waits for the disk.
 *
 * @module
 */
import { MqError } from "../../protocol/errors.ts";
import { Engine } from "./engine.ts";
import { Inspector } from "./inspector.ts";
import type { Call, Reply } from "./calls.ts";

/** This worker, whose types are those of the main thread otherwise. */
const worker = globalThis as unknown as {
  onmessage: (message: { data: { id: number; call: Call } }) => void;
  postMessage(reply: Reply): void;
};

let engine: Engine | undefined;

/** What reads a store that no broker has open. */
let inspector: Inspector | undefined;

worker.onmessage = ({ data: { id, call } }) => {
  try {
    worker.postMessage({ id, result: carryOut(call) });
  } catch (error) {
    worker.postMessage({ id, error: describe(error) });
  }
};

function carryOut(call: Call): unknown {
  if (call.method === "open") return (engine = new Engine(call.options, Date.now())).opened;
  if (call.method === "inspect") return void (inspector = new Inspector(call.folder));
  if (inspector !== undefined) return inspect(call, inspector);
  if (engine === undefined) throw notOpen();
  switch (call.method) {
    case "commit":
      return engine.commit(call.transaction);
    case "read":
      return engine.read(call.after, call.patterns);
    case "pull":
      return engine.pull(call.requests, Date.now());
    case "giveBack":
      return engine.giveBack(call.group, call.keys);
    case "describeGroups":
      return engine.describeGroups(Date.now());
    case "peek":
      return engine.peek(call.group, call.state, call.which, Date.now());
    case "due":
      return engine.due(Date.now());
    case "maintain":
      return engine.maintain(call.now);
    case "sync":
      return engine.sync(Date.now());
    case "mend":
      return engine.mend(Date.now());
    case "close":
      return engine.close();
    default:
      throw notOpen();
  }
}

function inspect(call: Call, inspector: Inspector): unknown {
  switch (call.method) {
    case "check":
      return inspector.check();
    case "describe":
      return inspector.describe(Date.now());
    case "salvage":
      return inspector.read(call.cursor, call.patterns);
    case "close":
      return inspector.close();
    default:
      throw notOpen();
  }
}

function notOpen(): MqError {
  return new MqError("store-failed", "The store is not open for that");
}

function describe(error: unknown): { code: string; message: string } {
  if (error instanceof MqError) return { code: error.code, message: error.message };
  return { code: "store-failed", message: error instanceof Error ? error.message : String(error) };
}
