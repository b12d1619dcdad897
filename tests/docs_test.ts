/** What the documentation states is held to the code. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import denoJson from "../deno.json" with { type: "json" };
import jsrJson from "../deno.jsr.json" with { type: "json" };
import { V8_FLAGS } from "../cmd/bench/subject.ts";
import { limitFlags, limitsOf } from "../cmd/server/limit_flags.ts";
import { patternOfAddress } from "../lib/catalog/asyncapi.ts";
import { STATUSES } from "../lib/http/responses.ts";
import { DEFAULT_EVENTS, type Limits, parseCatalog, ProtocolError, WIRE_CODES } from "../mod.ts";
import {
  CLIENTS_PER_PAGE,
  DEFAULT_LIMITS,
  DEFAULT_PORT,
  EVENT_HEAD_BYTES,
  LINGER_MS,
  MAX_CLIENT_NAME_CHARACTERS,
  MAX_GREETING_BYTES,
  MAX_NAME_BYTES,
  RESPONSE_BYTES,
} from "../lib/protocol/limits.ts";
import { HELP } from "../lib/protocol/lines.ts";
import { VERSION } from "../lib/protocol/version.ts";

const root = new URL("../", import.meta.url);
const read = (path: string) => Deno.readTextFile(new URL(path, root));

Deno.test("docs/protocol.md states the broker's actual limits", async () => {
  const protocol = await read("docs/protocol.md");
  const { lineBytes, outboxBytes, connections, patterns, helloMs, silenceMs, answerMs, drainMs } = DEFAULT_LIMITS;
  for (
    const sentence of [
      `at most ${inThousands(lineBytes)} bytes long`,
      `more than ${inThousands(outboxBytes)} bytes wait`,
      `more than ${inThousands(RESPONSE_BYTES)} bytes of responses wait`,
      `: ${CLIENTS_PER_PAGE}, or all if there are fewer`,
      `at most ${inThousands(connections)} connections`,
      `A connection may have ${inThousands(patterns)} patterns`,
      `within ${inThousands(helloMs)} ms`,
      `nothing for ${inThousands(silenceMs)} ms`,
      `${inThousands(answerMs)} ms more`,
      `not read it within ${inThousands(drainMs)} ms`,
      `closed ${LINGER_MS} ms after the last write`,
      `\`lineBytes\` and ${EVENT_HEAD_BYTES} or more`,
      `may be ${inThousands(MAX_GREETING_BYTES)} bytes long until then`,
      `at most ${MAX_NAME_BYTES} bytes long`,
      `one word of at most ${MAX_CLIENT_NAME_CHARACTERS} characters`,
      `port ${DEFAULT_PORT} unless told otherwise`,
    ]
  ) assert(protocol.replaceAll(/\s+/g, " ").includes(sentence), sentence);
});

Deno.test("docs/protocol.md lists every limit with its default and its flag", async () => {
  const [, table] = /^## 11\. Limits$([^]*)/m.exec(await read("docs/protocol.md"))!;
  const rows = [...table.matchAll(/^\| `(\w+)` +\| ([\w,]+) +\| `--([\w-]+)`/gm)].map(([, ...cells]) => cells);
  assertEquals(rows.map(([limit]) => limit), Object.keys(DEFAULT_LIMITS));
  assertEquals(rows.map(([, , flag]) => flag), Object.keys(limitFlags));
  const defaults = Object.fromEntries(
    Object.entries(limitFlags).map(([flag, { defaultValue }]) => [flag, defaultValue]),
  );
  for (const [limit, value, flag] of rows as [keyof Limits, string, string][]) {
    assertEquals(value, DEFAULT_LIMITS[limit] === null ? "unlimited" : inThousands(DEFAULT_LIMITS[limit]), limit);
    const other = limit === "outboxBytes" ? 2 ** 21 : limit === "memoryBytes" ? 2 ** 28 : 7; // They need room for a line.
    const changed = limitsOf({ ...defaults, [flag]: other } as Parameters<typeof limitsOf>[0]);
    assertEquals(changed, { ...DEFAULT_LIMITS, [limit]: other });
  }
});

function inThousands(value: number): string {
  return value.toLocaleString("en-US");
}

Deno.test("docs/protocol.md lists every error code of the broker, and no other", async () => {
  const protocol = await read("docs/protocol.md");
  const [, table] = /^## 8\. Codes$([^]*?)^## /m.exec(protocol)!;
  assertEquals([...table.matchAll(/^\| `([\w-]+)`/gm)].map(([, code]) => code), [...WIRE_CODES]);
});

Deno.test("docs/protocol.md lists the HTTP status of each error", async () => {
  const [, table] = /^13\.8 ([^]*?)^13\.9 /m.exec(await read("docs/protocol.md"))!;
  const rows = [...table.matchAll(/^\| `([\w-]+)` +\| (\d+) /gm)].map(([, code, status]) => [code, Number(status)]);
  assertEquals(rows, [...STATUSES].map(([code, [status]]) => [code, status]));
});

Deno.test("docs/protocol.md has a section for every verb that /help names", async () => {
  const protocol = await read("docs/protocol.md");
  const verbs = HELP.match(/(?<=[# ] )\/\w+(?= |$)/gm)!.filter((verb) => verb !== "/help");
  assert(verbs.length >= 9, verbs.join());
  for (const verb of verbs) {
    assert(new RegExp(`^### 5\\.\\d+ ${verb}\\b`, "m").test(protocol), verb);
  }
});

Deno.test("docs/protocol.md lists the events that are recognized by default", async () => {
  const protocol = (await read("docs/protocol.md")).replaceAll(/\s+/g, " ");
  const names = DEFAULT_EVENTS.map((name) => `\`${name}\``);
  assert(protocol.includes(`${names.slice(0, -1).join(", ")} and ${names.at(-1)} unless`));
});

Deno.test("CHANGELOG.md begins with this version", async () => {
  const [, version] = /^## (\S+)$/m.exec(await read("CHANGELOG.md"))!;
  assertEquals(version, VERSION);
});

Deno.test("deno.jsr.json differs from deno.json only in where the standard library comes from", () => {
  assertEquals(Object.keys(jsrJson.imports), Object.keys(denoJson.imports));
  const { tasks: _, compilerOptions: __, ...rest } = denoJson;
  assertEquals({ ...jsrJson, imports: {} }, { ...rest, imports: {} });
  for (const [name, target] of Object.entries(jsrJson.imports)) {
    assertEquals(target.startsWith("jsr:"), name.startsWith("@std/"), name);
  }
});

Deno.test("the README's catalog is valid, and refuses the data that the README says", async () => {
  const readme = await read("README.md");
  const [, json] = /^```json catalog.json\n([^]*?)^```$/m.exec(readme)!;
  const [, name, data, reason] = /^mq pub (\S+) '(.*?)' +# is refused: (.*)$/m.exec(readme)!;
  const catalog = await parseCatalog(json);
  assertThrows(() => catalog.check(name, `${name} ${data}`), ProtocolError, `Cannot take ${name}: ${reason}`);
});

Deno.test("the catalog in docs/catalog.md is valid and has no warnings", async () => {
  const [, yaml] = /^```yaml shop.yml\n([^]*?)^```$/m.exec(await read("docs/catalog.md"))!;
  const { entries, warnings } = await parseCatalog(yaml, "shop.yml");
  assertEquals([entries.map(({ pattern }) => pattern), warnings], [["order.created", "order.*"], []]);
});

Deno.test("docs/catalog.md lists the patterns for AsyncAPI addresses", async () => {
  const rows = [...(await read("docs/catalog.md")).matchAll(/^\| `(\S.*?)` +\| (?:`(\S+)`|the channel's key) +\|$/gm)];
  assertEquals(rows.length, 8);
  for (const [, address, pattern] of rows) assertEquals(patternOfAddress(address), pattern);
});

Deno.test("docs/catalog.md quotes an actual warning", async () => {
  const [, warning] = /^mq server: warning: (shop\.yml, .*)$/m.exec(await read("docs/catalog.md"))!;
  const yaml = "a:\n  schema:\n\n\n\n\n    requird: [id]";
  assertEquals((await parseCatalog(yaml, "shop.yml")).warnings, [warning]);
});

Deno.test("every task that runs a broker sets the same V8 memory options", () => {
  const tasks: Record<string, { command: string }> = denoJson.tasks;
  for (const name of ["demo", "mq", "server"]) assert(tasks[name].command.includes(` ${V8_FLAGS} `), name);
});

Deno.test("every task of deno.json has a description, and the README's tasks exist", async () => {
  const tasks: Record<string, { description: string }> = denoJson.tasks;
  for (const [name, { description }] of Object.entries(tasks)) assert(description.length > 0, name);
  for (const [, name] of (await read("README.md")).matchAll(/deno(?:@\S+)? task ([\w:]+)/g)) {
    assert(Object.hasOwn(tasks, name), name);
  }
});
