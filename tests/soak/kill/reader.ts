/** Readers of the log: one that reads it once, and one that follows it live over all kills. */
import type { GroupState, Logged } from "./account.ts";
import type { Stage } from "./stage.ts";
import type { Wire } from "./wire.ts";

/**
 * Reads a part of the log.
 *
 * @param stage The trial.
 * @param from Where it begins: `first`, or the id of the event before.
 * @returns The events.
 */
export async function readLog(stage: Stage, from: string): Promise<Logged[]> {
  const events: Logged[] = [];
  const end = Promise.withResolvers<string>();
  const wire = await stage.connect((line) => {
    if (line.startsWith("/replayed ")) end.resolve(line);
    else events.push(parse(stage, line));
  });
  if (wire === undefined) return [];
  void wire.ended.then(() => end.resolve("the end of the connection"));
  await wire.ask("replay", `/replay ${from} >`);
  const line = await end.promise;
  const { events: count, error } = line.startsWith("/replayed ") ? JSON.parse(line.slice("/replayed ".length)) : {};
  if (count !== events.length || error !== undefined) {
    stage.account.fault("unexpected", `A replay of ${events.length} events ended with: ${line}`);
  }
  wire.drop();
  await wire.ended;
  return events;
}

/**
 * Asks what the groups have.
 *
 * @param wire A connection.
 * @returns The groups.
 */
export async function readGroups(wire: Wire): Promise<(GroupState & Record<string, unknown>)[]> {
  const response = await wire.ask("groups", "/groups");
  return response === undefined ? [] : JSON.parse(response.slice("/ok groups ".length));
}

/** Follows the log by `/replay` with `live`, and goes on behind its last event whenever its connection has ended. */
export class Follower {
  readonly #stage: Stage;
  #last = "first";

  /** @param stage The trial. */
  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** The id of the last event that came. */
  get last(): string {
    return this.#last;
  }

  /** Follows until the trial is over. */
  async run(): Promise<void> {
    while (!this.#stage.isOver) {
      const wire = await this.#stage.connect((line) => this.#take(line));
      if (wire === undefined) return;
      await wire.ask("hello", '/hello {"meta":true}');
      await wire.ask("replay", `/replay ${this.#last} {"live":true} >`);
      await wire.ended;
    }
  }

  #take(line: string): void {
    if (line.startsWith("/replayed ")) return;
    const { id } = parse(this.#stage, line);
    this.#stage.account.follow(id);
    this.#last = id;
  }
}

/** Reads the line of an event. */
function parse({ account }: Stage, line: string): Logged {
  const [, id, name, data = ""] = /^\/(?:past|event) (\w{26}) \S+ (\S+)(?: (.*))?$/.exec(line) ?? [];
  if (id !== undefined) return { id, name, data };
  account.fault("unexpected", `A reader was sent: ${line.slice(0, 200)}`);
  return { id: "", name: "", data: "" };
}
