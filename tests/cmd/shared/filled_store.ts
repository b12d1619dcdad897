/** A store with something of everything, for the tests of the commands that show it. */
import { connect, type JobHandler } from "../../../mod.ts";
import { until } from "../../helpers.ts";

/** The ids of what is in it. */
export interface Filled {
  /** `order.paid {"id":1}`: a dead job of the group `mail`, by its handler's own word. */
  readonly dead: string;
  /** `order.sent 2`: done by the group `mail`. */
  readonly done: string;
  /** `create hello`: no job of it. */
  readonly other: string;
  /** `create later`: published in an hour. */
  readonly delayed: string;
}

/** What the handler of the dead job says of it. */
export const WHY = "TypeError: no address\n    at send (mail.ts:3:4)";

/** Publishes events as `shop`, and has a group work on them that has no members any more when this returns. */
export async function fillStore(port: number): Promise<Filled> {
  await using client = await connect({ hostname: "127.0.0.1", port, name: "shop" });
  const { id: dead } = await client.publishConfirmed("order.paid", { id: 1 });
  const { id: done } = await client.publishConfirmed("order.sent", 2, { hops: 2 });
  const { id: other } = await client.publishConfirmed("create", "hello");
  const { id: delayed } = await client.publishLater("create", "later", 3_600_000);
  await work(port);
  return { dead, done, other, delayed };
}

async function work(port: number): Promise<void> {
  await using client = await connect({ hostname: "127.0.0.1", port, name: "worker" });
  const handler: JobHandler = ({ name }, job) => name === "order.paid" ? job.bury(WHY) : undefined;
  client.consume("mail", "order.*", handler, { from: "first" });
  await until(async () => {
    const [group] = await client.store.groups();
    return group?.dead === 1 && group.lag + group.inFlight === 0;
  }, "the group has done its work");
}
