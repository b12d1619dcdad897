/**
 * The list of commands: their names, summaries and modules. Only the module of the command that is called is loaded.
 *
 * @module
 */
import type { Command } from "./command.ts";

/** The name and summary of a command. */
export interface Title {
  /** One or two words. */
  readonly name: string;
  /** Words that are not accepted; the error for them suggests this command. */
  readonly suggestFor?: readonly string[];
  /** What it does, on one line. */
  readonly summary: string;
}

/** A command of the list. */
export interface ListedCommand extends Title {
  /** Loads its module. */
  load(): Promise<Command>;
}

/** The commands, in the order of the help. */
export const COMMANDS: readonly ListedCommand[] = [
  {
    name: "server",
    suggestFor: ["start", "broker", "serve", "daemon", "run", "up", "host"],
    summary: "runs the broker, which forwards events to the clients that subscribe to them",
    load: async () => (await import("./server.ts")).server,
  },
  {
    name: "logger",
    suggestFor: [
      "sub",
      "subscribe",
      "listen",
      "listener",
      "tail",
      "watch",
      "consume",
      "receive",
      "recv",
      "follow",
      "monitor",
      "connect",
    ],
    summary: "subscribes to events and prints them",
    load: async () => (await import("./logger.ts")).logger,
  },
  {
    name: "app",
    suggestFor: ["bark", "generate", "simulate", "client"],
    summary: "a sample application that publishes random events",
    load: async () => (await import("./app.ts")).app,
  },
  {
    name: "pub",
    suggestFor: ["publish", "emit", "send", "produce", "push", "post", "trigger", "fire", "notify"],
    summary: "publishes one event, or one event per line of stdin",
    load: async () => (await import("./pub.ts")).pub,
  },
  {
    name: "cancel",
    suggestFor: ["unpublish", "undo", "withdraw", "unschedule"],
    summary: "takes back events that were to be published later",
    load: async () => (await import("./cancel.ts")).cancel,
  },
  {
    name: "events",
    suggestFor: ["catalog", "schema", "schemas", "list", "topics", "names"],
    summary: "lists the events that a broker recognizes, and their schemas",
    load: async () => (await import("./events.ts")).events,
  },
  {
    name: "on",
    suggestFor: ["handle", "handler", "exec", "lambda", "when"],
    summary: "runs a command for each event, like AWS Lambda",
    load: async () => (await import("./on.ts")).on,
  },
  {
    name: "request",
    suggestFor: ["req", "ask", "query", "call", "rpc"],
    summary: "publishes a request, and prints the reply",
    load: async () => (await import("./request.ts")).request,
  },
  {
    name: "reply",
    suggestFor: ["respond", "responder", "answer", "service"],
    summary: "runs a command for each request, and replies with its output",
    load: async () => (await import("./reply.ts")).reply,
  },
  {
    name: "why",
    suggestFor: ["explain", "route", "routes", "trace", "who"],
    summary: "explains which connections receive an event, and why",
    load: async () => (await import("./why.ts")).why,
  },
  {
    name: "top",
    suggestFor: ["ls", "clients", "status", "stats", "ps", "connections", "info"],
    summary: "shows the connections, rates and queues of a broker",
    load: async () => (await import("./top.ts")).top,
  },
  {
    name: "log",
    suggestFor: ["logs", "history", "journal", "replay", "past", "cat", "read"],
    summary: "prints the events that a broker has stored",
    load: async () => (await import("./log.ts")).log,
  },
  {
    name: "groups",
    suggestFor: ["queues", "queue", "consumers", "workers", "lag"],
    summary: "shows the groups of a broker, and how far they are",
    load: async () => (await import("./groups.ts")).groups,
  },
  {
    name: "groups forget",
    suggestFor: ["forget"],
    summary: "discards a group with all its jobs",
    load: async () => (await import("./groups/forget.ts")).groupsForget,
  },
  {
    name: "dead list",
    suggestFor: ["dlq", "deadletter", "dead-letter", "dead-letters", "failed"],
    summary: "lists the jobs that a group has given up",
    load: async () => (await import("./dead/list.ts")).deadList,
  },
  {
    name: "dead show",
    suggestFor: ["peek", "inspect"],
    summary: "shows a dead job with its data, and why it is dead",
    load: async () => (await import("./dead/show.ts")).deadShow,
  },
  {
    name: "dead kick",
    suggestFor: ["kick", "retry", "requeue", "redrive", "redeliver"],
    summary: "has dead jobs delivered again",
    load: async () => (await import("./dead/kick.ts")).deadKick,
  },
  {
    name: "dead purge",
    suggestFor: ["purge", "discard"],
    summary: "discards the dead jobs of a group",
    load: async () => (await import("./dead/purge.ts")).deadPurge,
  },
  {
    name: "store check",
    suggestFor: ["check", "verify", "fsck", "doctor", "integrity"],
    summary: "checks a store whose broker does not run, and shows what is in it",
    load: async () => (await import("./store/check.ts")).storeCheck,
  },
  {
    name: "store export",
    suggestFor: ["export", "dump", "backup"],
    summary: "prints all events of a store whose broker does not run",
    load: async () => (await import("./store/export.ts")).storeExport,
  },
  {
    name: "demo",
    suggestFor: ["example", "try", "tour", "init", "quickstart", "tutorial"],
    summary: "runs the broker, a logger and two apps in one terminal",
    load: async () => (await import("./demo.ts")).demo,
  },
  {
    name: "bench throughput",
    suggestFor: ["benchmark", "perf", "speed", "load"],
    summary: "measures how many events per second a broker receives and delivers",
    load: async () => (await import("./bench/throughput.ts")).benchThroughput,
  },
  {
    name: "bench latency",
    summary: "measures the time from publisher to listener at a fixed rate",
    load: async () => (await import("./bench/latency.ts")).benchLatency,
  },
  {
    name: "bench connect",
    summary: "compares one connection for all events with one for each event",
    load: async () => (await import("./bench/connect.ts")).benchConnect,
  },
  {
    name: "completions",
    suggestFor: ["completion", "autocomplete"],
    summary: "prints the completion script for bash, zsh or fish",
    load: async () => (await import("./completion/completions.ts")).completions,
  },
];

/** All commands, including the one that only shells call, which the help does not list. */
export const ALL: readonly ListedCommand[] = [
  ...COMMANDS,
  {
    name: "complete",
    summary: "prints completions for a word of a command line",
    load: async () => (await import("./completion/complete.ts")).complete,
  },
];

/** The name and summary of a command, for the module that defines it. */
export function titleOf(name: string): Title {
  const { load: _, ...title } = ALL.find((command) => command.name === name)!;
  return title;
}

/** The words of a command's name. */
export function wordsOf({ name }: Title): string[] {
  return name.split(" ");
}

/** The command with whose name the arguments begin: that with the longest name, since `groups forget` begins with `groups`. */
export function commandOf<T extends Title>(commands: readonly T[], argv: readonly string[]): T | undefined {
  const called = commands.filter((command) => wordsOf(command).every((word, index) => argv[index] === word));
  return called.toSorted((a, b) => wordsOf(b).length - wordsOf(a).length)[0];
}

/** The commands with two words whose first word this is; none if that word is a command itself. */
export function membersOf(word: string): ListedCommand[] {
  if (COMMANDS.some(({ name }) => name === word)) return [];
  return COMMANDS.filter(({ name }) => name.startsWith(`${word} `));
}

/** Loads every command that the help lists. */
export function loadAll(): Promise<Command[]> {
  return Promise.all(COMMANDS.map((command) => command.load()));
}
