/** What those who take part in a trial of kills know of it. */
import type { Account, GroupPlan } from "./account.ts";
import type { Wire } from "./wire.ts";

/** The names of the events that are published. */
export const NAMES = ["order.paid", "order.sent", "item.added.blue", "other.seen"] as const;

/** The groups: what is a job of one may be a job of the other, too. */
export const PLANS: readonly GroupPlan[] = [
  { group: "mail", patterns: ["order.*"], names: ["order.paid", "order.sent"], dead: "dead.mail" },
  { group: "stock", patterns: ["order.paid", "item.>"], names: ["order.paid", "item.added.blue"], dead: "dead.stock" },
];

/** What the broker is to recognize. */
export const EVENTS = "order.*,item.>,other.>,dead.*";

/** A trial, as those see it who take part. */
export interface Stage {
  readonly account: Account;
  /** Whether nothing new is to be begun: publishers come to an end, and members do what there is. */
  readonly isCalm: boolean;
  /** Whether the trial is over. */
  readonly isOver: boolean;
  /**
   * Connects to the broker, once it listens. The connection is not subscribed to anything.
   *
   * @param onLine Called with each line that is no response to a question.
   * @returns The connection; undefined if the trial is over.
   */
  connect(onLine: (line: string) => void): Promise<Wire | undefined>;
}
