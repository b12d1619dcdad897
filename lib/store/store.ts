/**
 * What a broker needs of a store: a log of events, groups of consumers that work on it, delayed events, and the keys of
 * events that are published once. A store is told everything in transactions, and does not decide anything: whether an
 * event is stored, whether a job is delivered again or is dead, is for the broker to say.
 *
 * @module
 */

/** Events that follow one another in the log. */
export interface Block {
  /** The id of the first event. */
  readonly first: string;
  /** How many events there are. */
  readonly count: number;
  /** Whether one of them has headers. */
  readonly hasHeaders: boolean;
  /** The records of the events (see record.ts), each with an LF. */
  readonly text: string;
}

/** The options of a group, which its last member that joined alone has set. */
export interface GroupOptions {
  /** How long a member has to acknowledge a job, in milliseconds. */
  readonly ackMs: number;
  /** How often a job is delivered before it is dead. */
  readonly tries: number;
  /** The name of the event that is published for a dead job; null for none. */
  readonly dead: string | null;
}

/** A job that was delivered in vain, and is to be delivered again or dead. */
export interface FailedJob {
  /** Its key. */
  readonly key: number;
  /** How often it was delivered. */
  readonly tries: number;
  /** When it is due again, in milliseconds since 1970, 0 for at once; for a dead one, when it died. */
  readonly at: number;
  /** Why, as its member said; may be empty. */
  readonly why: string;
  /** The record of its event: the log may have it no longer. */
  readonly record: string;
}

/** A change of the store. What {@linkcode Store.commit} resolves to has one result for each, of the type that is said here. */
export type Operation =
  /** Makes a group, which begins behind an id, or changes its patterns and options. Result: whether it is a new one. */
  | {
    readonly do: "group";
    readonly group: string;
    readonly patterns: readonly string[];
    readonly options: GroupOptions;
    readonly after: string;
  }
  /** Jobs of a group were acknowledged, are to be delivered again, or are dead. No result. */
  | {
    readonly do: "settle";
    readonly group: string;
    readonly done: readonly number[];
    readonly again: readonly FailedJob[];
    readonly dead: readonly FailedJob[];
  }
  /** Has dead jobs delivered again: that of one event, or all. Result: how many. */
  | { readonly do: "kick"; readonly group: string; readonly id: string | undefined }
  /** Discards the jobs of a group that are ready or delayed, or those that are dead. Result: {@linkcode Purged}. */
  | { readonly do: "purge"; readonly group: string; readonly state: "ready" | "dead" }
  /** Discards a group. Result: whether there was one. */
  | { readonly do: "forget"; readonly group: string }
  /** Keeps an event for later. No result. */
  | { readonly do: "delay"; readonly id: string; readonly due: number; readonly record: string }
  /** Discards an event that was kept for later. Result: whether there was one. */
  | { readonly do: "cancel"; readonly id: string }
  /** Remembers the receipt of a key. No result. */
  | { readonly do: "key"; readonly key: string; readonly at: number; readonly receipt: string };

/** What is written at once: all of it or nothing. */
export interface Transaction {
  /** The events, in the order of the log. */
  readonly blocks: readonly Block[];
  /** The changes, in their order; they come after the events. */
  readonly operations: readonly Operation[];
}

/** A part of the log. */
export interface Page {
  /** The records that match, each with an LF. */
  readonly text: string;
  /** How many there are. */
  readonly count: number;
  /** Whether one of the blocks that were read has headers. */
  readonly hasHeaders: boolean;
  /** The id of the last event that was looked at, whether it matches or not; undefined if there is none behind `after`. */
  readonly last: string | undefined;
}

/** A job that is delivered to a member of a group. */
export interface Job {
  /** Identifies the job in its group. */
  readonly key: number;
  /** How often it was delivered before. */
  readonly tries: number;
  /** The record of its event. */
  readonly record: string;
}

/** What a group is asked for. */
export interface PullRequest {
  /** The group's name. */
  readonly group: string;
  /** How many jobs are taken at most. */
  readonly most: number;
}

/** The jobs of a group that were taken. */
export interface Pulled {
  /** The jobs. */
  readonly jobs: readonly Job[];
  /** When the next delayed job is due, in milliseconds since 1970; undefined if none waits. */
  readonly nextDue: number | undefined;
  /** Whether there may be more jobs than were taken. */
  readonly hasMore: boolean;
  /** How many events of the log were deleted before the group has looked at them. */
  readonly expired: number;
}

/** What is known of a group. */
export interface GroupInfo {
  /** Its name. */
  readonly group: string;
  /** The patterns of the events that are its jobs. */
  readonly patterns: readonly string[];
  /** Its options. */
  readonly options: GroupOptions;
  /** How many events of the log the group has not looked at yet, whether they match or not. */
  readonly lag: number;
  /** How many jobs are to be delivered again now. */
  readonly ready: number;
  /** How many jobs are delivered and not settled. */
  readonly inFlight: number;
  /** How many jobs are to be delivered again later. */
  readonly delayed: number;
  /** How many jobs are dead. */
  readonly dead: number;
  /** The id of the last event that it has looked at; undefined if there is none or it was deleted. */
  readonly last: string | undefined;
}

/** What was discarded. */
export interface Purged {
  /** How many jobs that had been looked at. */
  readonly jobs: number;
  /** How many events of the log that the group had not looked at, whether they match or not. */
  readonly events: number;
}

/** A job as `/peek` shows it. */
export interface PeekedJob extends Omit<Job, "key"> {
  /** When it is due, or when it died, in milliseconds since 1970; undefined for one that is to be delivered at once. */
  readonly at: number | undefined;
  /** Why it was not acknowledged. */
  readonly why: string;
}

/** An event that is kept for later. */
export interface DelayedEvent {
  /** The id under which it is kept; it gets another when it is published. */
  readonly id: string;
  /** In milliseconds since 1970. */
  readonly due: number;
  /** The record of the event. */
  readonly record: string;
}

/** Some of the events whose time has come. */
export interface DueEvents {
  /** The events, in the order of their times. */
  readonly events: readonly DelayedEvent[];
  /** When the next one is due, in milliseconds since 1970; undefined if there is none. */
  readonly nextDue: number | undefined;
}

/** What is known of the log. */
export interface LogInfo {
  /** The id of the oldest event; undefined if there is none. */
  readonly first: string | undefined;
  /** The id of the newest event that is on disk; undefined if there was none yet. */
  readonly last: string | undefined;
  /** How many events there are. */
  readonly events: number;
  /** How many events were deleted since the store was made. */
  readonly deleted: number;
  /** The size of the records. */
  readonly bytes: number;
}

/** A key of an event that was published once, with its receipt. */
export interface PublishedKey {
  /** The key. */
  readonly key: string;
  /** In milliseconds since 1970. */
  readonly at: number;
  /** The JSON of the receipt. */
  readonly receipt: string;
}

/**
 * A store. Its methods reject with an {@linkcode MqError} of the code `store-failed`, if it cannot read or write; of the code
 * `store-damaged`, if what they need is not as it was written. Calls are carried out in their order.
 *
 * @internal It changes with what stores there are; {@linkcode openStore} opens one.
 */
export interface Store {
  /** How long a receipt may be ahead of the disk, in milliseconds; 0 if every receipt is on disk. */
  readonly syncMs: number;
  /** What is known of the log, as of the last transaction that was committed. */
  readonly log: LogInfo;
  /** The groups that it had when it was opened, and the keys that were younger than it keeps them. */
  readonly groups: readonly GroupInfo[];
  readonly keys: readonly PublishedKey[];
  /**
   * Writes a transaction. At most one may be under way.
   *
   * @param transaction What is written.
   * @returns The results of the operations, once all of it is on disk.
   */
  commit(transaction: Transaction): Promise<readonly unknown[]>;
  /**
   * Reads a part of the log.
   *
   * @param after The id behind which to begin; empty for the beginning.
   * @param patterns The patterns of the events that match.
   */
  read(after: string, patterns: readonly string[]): Promise<Page>;
  /**
   * Takes jobs of groups: of each first those that are to be delivered again, then the next ones of the log.
   *
   * @param requests What is taken; at least one.
   * @returns What was taken for the first ones: as many as one call looks at without keeping others waiting.
   */
  pull(requests: readonly PullRequest[]): Promise<readonly Pulled[]>;
  /**
   * Gives jobs back that were taken and not delivered: they are taken again, as if they had not been.
   *
   * @param group The group's name.
   * @param keys The keys of the jobs.
   */
  giveBack(group: string, keys: readonly number[]): Promise<void>;
  /** What is known of all groups. */
  describeGroups(): Promise<GroupInfo[]>;
  /**
   * Shows jobs of a group, and takes none. Of those that are ready and not delivered yet only the next ones of the log are
   * looked at, about 1 MiB.
   *
   * @param group The group's name.
   * @param state Which jobs.
   * @param which How many at most, or the id of the event of a dead one.
   */
  peek(group: string, state: "ready" | "delayed" | "dead", which: number | string): Promise<PeekedJob[]>;
  /** The events that were kept for later and are due, as many as one call takes without keeping others waiting. */
  due(): Promise<DueEvents>;
  /**
   * Deletes some of what is older, or more, than is kept.
   *
   * @param now The time, in milliseconds since 1970.
   * @returns Whether there is more to delete.
   */
  maintain(now: number): Promise<boolean>;
  /** After a commit that failed: finds out whether the store can write again, and makes sure of what it has. */
  mend(): Promise<void>;
  /** Writes all to the database itself, and closes it. */
  close(): Promise<void>;
}
