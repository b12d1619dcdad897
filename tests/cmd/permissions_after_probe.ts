/**
 * Runs a command of mq with a store, and prints to stderr which permissions it has left: at its end, or when a broker
 * listens. It is run as a program of its own, since permissions that were dropped do not come back.
 *
 * @module
 */
import { main } from "../../cmd/main.ts";
import { type Io, Output, systemIo } from "../../cmd/shared/stdio.ts";

const ALL = ["net", "env", "read", "write", "run", "sys", "ffi"] as const;

const io = systemIo();
const ending = new AbortController();
const stdout = new Output({ write: (bytes) => Promise.resolve(bytes.length) }, { isTerminal: false });
if (Deno.args[0] === "server") stdout.line = () => void setTimeout(() => ending.abort()); // It listens.
const quiet: Io = { ...io, stdout, stderr: stdout, signal: ending.signal };
const code = await main(Deno.args, quiet);
const left = ALL.filter((name) => Deno.permissions.querySync({ name }).state === "granted");
console.error(JSON.stringify(left));
Deno.exit(code);
