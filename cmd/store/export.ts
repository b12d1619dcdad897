/**
 * `mq store export`: prints the events of a store whose broker does not run.
 *
 * @module
 */
import { MqEvent } from "../../lib/protocol/event.ts";
import { parseReplayStart } from "../../lib/protocol/replay_start.ts";
import { takeWord } from "../../lib/protocol/text.ts";
import type { LogCursor, SalvagedPage, StoreInspection } from "../../lib/store/inspect.ts";
import { parseRecord } from "../../lib/store/record.ts";
import { defineCommand } from "../command.ts";
import { titleOf } from "../commands.ts";
import { count, formatJson } from "../shared/format.ts";
import { FOLDER, PATTERN } from "../shared/operands.ts";
import { sinceFlag, untilFlag, untilId } from "../shared/since.ts";
import type { Io } from "../shared/stdio.ts";
import { STORE_PERMISSIONS } from "../shared/store_permissions.ts";
import { openToInspect } from "./open.ts";
import { showProgress } from "./progress.ts";

const flags = {
  since: sinceFlag("Begin there: all, an id, a time, or a duration such as 1h.", ["all", "first"]),
  until: untilFlag,
};

export const storeExport = defineCommand({
  ...titleOf("store export"),
  description:
    "Prints one JSON object per line, {id, at, from, event, data}, with hops and reply if the event has them. DIR\n" +
    "is what mq server --store has. The store is not changed. A broker that has it open must be stopped first, or asked:\n" +
    "mq log --json. A time without a zone is the local time.\n" +
    "What cannot be read of a damaged store is told on stderr, and left out; the exit code is 1 then.",
  operands: { form: "DIR [PATTERN...]", min: 1, max: Infinity, kinds: [FOLDER, PATTERN] },
  flags,
  examples: [
    ["mq store export data", "all events of the store in the folder data"],
    ["mq store export data 'order.>' --since 2026-11-28", "the orders from that day on"],
    ["mq store export data | head -n 3", "the first three events"],
  ],
  permissions: [],
  openingPermissions: () => STORE_PERMISSIONS,
  async run({ flags, operands: [folder, ...patterns] }, io) {
    const after = parseReplayStart(flags.since, Date.now());
    const until = untilId(flags.until);
    await using store = await openToInspect(folder, "stop the broker first, or ask it: mq log --json");
    let [exported, isWhole] = [0, true];
    const onLost = (lost: string) => {
      isWhole = false;
      io.stderr.line(`mq store export: ${lost}`);
    };
    using _ = showProgress(io, () => `${exported.toLocaleString("en-US")} events exported`);
    const wanted = patterns.length > 0 ? patterns : [">"];
    for await (const record of records(store, after, wanted, onLost)) {
      if (until !== undefined && record.slice(0, until.length) > until) break;
      io.stdout.line(formatRecord(record));
      exported++;
      if (io.stdout.isFull) await io.stdout.flush();
      if (io.signal.aborted) return interrupted(exported, io);
    }
    return isWhole ? 0 : 1;
  },
});

/** The records of the log, page by page. What cannot be read is told, and passed over. */
async function* records(
  store: StoreInspection,
  after: string,
  patterns: readonly string[],
  onLost: (lost: string) => void,
): AsyncGenerator<string> {
  for (let cursor: LogCursor | undefined = { after }; cursor !== undefined;) {
    const page: SalvagedPage = await store.read(cursor, patterns);
    yield* page.text.split("\n").slice(0, -1);
    if (page.lost !== undefined) onLost(page.lost);
    cursor = page.next;
  }
}

function formatRecord(record: string): string {
  const { id, from, headers, line } = parseRecord(record);
  const [name, text] = takeWord(line);
  return formatJson(new MqEvent(name, text, { id, from }), { ...headers });
}

function interrupted(events: number, io: Io): number {
  if (io.stdout.failure === undefined) io.stderr.line(`mq store export: ended after ${count(events, "event")}`);
  return 1;
}
