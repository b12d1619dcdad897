/**
 * Compiles mq for every release target into dist/, and lists what it made in dist/SHA256SUMS:
 *
 *     deno task compile:all [linux-x86_64 ...]
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import config from "../deno.json" with { type: "json" };
import { compile } from "./compile.ts";

const TARGETS: Record<string, string> = {
  "linux-x86_64": "x86_64-unknown-linux-gnu",
  "linux-arm64": "aarch64-unknown-linux-gnu",
  "macos-x86_64": "x86_64-apple-darwin",
  "macos-arm64": "aarch64-apple-darwin",
  "windows-x86_64": "x86_64-pc-windows-msvc",
};

const names = Deno.args.length ? Object.keys(TARGETS).filter((name) => Deno.args.includes(name)) : Object.keys(TARGETS);
const unknown = Deno.args.find((name) => !Object.hasOwn(TARGETS, name));
if (unknown !== undefined) {
  console.error(`There is no target "${unknown}"; the targets are ${Object.keys(TARGETS).join(", ")}.`);
  Deno.exit(2);
}

let sums = "";
for (const name of names) {
  const file = `mq-${config.version}-${name}${name.startsWith("windows") ? ".exe" : ""}`;
  try {
    const bytes = await compile(file, TARGETS[name]);
    sums += `${encodeHex(await crypto.subtle.digest("SHA-256", bytes))}  ${file}\n`;
  } catch (error) {
    console.error(`Could not compile for ${name}: ${(error as Error).message}.`);
    Deno.exitCode = 1;
  }
}
// Only what this run has made is listed; where that is nothing, the list of an earlier run stays with its files.
if (sums !== "") await Deno.writeTextFile("dist/SHA256SUMS", sums);
