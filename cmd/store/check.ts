/**
 * `mq store check`: checks a store whose broker does not run, and shows what is in it.
 *
 * @module
 */
import type { StoreContents, StoreInspection } from "../../lib/store/inspect.ts";
import { MqError, quote } from "../../lib/protocol/errors.ts";
import { defineCommand, toggle } from "../command.ts";
import { titleOf } from "../commands.ts";
import { FOLDER } from "../shared/operands.ts";
import { aborted, type Io } from "../shared/stdio.ts";
import { STORE_PERMISSIONS } from "../shared/store_permissions.ts";
import { describeStore, formatStoreJson } from "./contents.ts";
import { openToInspect } from "./open.ts";
import { showProgress } from "./progress.ts";

/** What is wrong with a store, and what is in it, as far as that can be read. */
interface Findings {
  readonly problems: readonly string[];
  readonly contents: StoreContents | undefined;
}

const flags = {
  json: toggle("Print one JSON object, with ok, the problems and what is in the store."),
};

export const storeCheck = defineCommand({
  ...titleOf("store check"),
  description:
    "Reads the whole store in the folder DIR, changes nothing, and exits with 1 if it is damaged. DIR is what\n" +
    "mq server --store has. A broker that has the store open must be stopped first.",
  operands: { form: "DIR", min: 1, max: 1, kinds: [FOLDER] },
  flags,
  examples: [
    ["mq store check data", "checks the store in the folder data"],
    ["mq store check data --json", "the same as JSON"],
  ],
  permissions: [],
  openingPermissions: () => STORE_PERMISSIONS,
  async run({ flags, operands: [folder] }, io) {
    await using store = await openToInspect(folder, "stop the broker first, or ask it: mq groups, mq log");
    const findings = await examineUntil(store, io);
    if (findings === undefined) return 1; // Interrupted.
    const { problems, contents } = findings;
    if (flags.json) io.stdout.line(formatStoreJson(folder, problems, contents));
    else for (const line of describeStore(problems, contents, io.terminal?.size().columns)) io.stdout.line(line);
    if (problems.length === 0) return 0;
    throw new MqError("store-failed", `The store in ${quote(folder)} is damaged; ${ADVICE}`);
  },
});

/** Undefined if it is interrupted. */
async function examineUntil(store: StoreInspection, io: Io): Promise<Findings | undefined> {
  using _ = showProgress(io, () => "reading the whole store");
  return await Promise.race([examine(store), aborted(io.signal).then(() => undefined)]);
}

const ADVICE = "mq store export prints what can be read of it";

async function examine(store: StoreInspection): Promise<Findings> {
  const problems = await store.check();
  return { problems, contents: await contentsOf(store, problems) };
}

/** What is in a store; undefined if it is too damaged to tell. */
async function contentsOf(store: StoreInspection, problems: readonly string[]): Promise<StoreContents | undefined> {
  try {
    return await store.describe();
  } catch (error) {
    if (error instanceof MqError && problems.length > 0) return undefined;
    throw error;
  }
}
