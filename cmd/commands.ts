/**
 * The commands that there are, as plain data: how each is called, what it does, and from where it is loaded. A program that
 * runs one command loads that one alone.
 *
 * @module
 */
import type { Command } from "./command.ts";

/** How a command is called. */
export interface Title {
  /** One word, or two. */
  readonly name: string;
  /** Other words for it, which are no commands: who types one is told its name. */
  readonly aliases?: readonly string[];
  /** What it does, in one line. */
  readonly summary: string;
}

/** A command that can be loaded. */
export interface Listed extends Title {
  /** Loads it, and what it needs. */
  load(): Promise<Command>;
}

/** The commands, in the order of the help. */
export const COMMANDS: readonly Listed[] = [
  {
    name: "server",
    aliases: ["start", "broker", "serve", "daemon", "run", "up", "host"],
    summary: "runs the broker, which forwards events to the clients that subscribe to them",
    load: async () => (await import("./server.ts")).server,
  },
  {
    name: "logger",
    aliases: [
      "sub",
      "subscribe",
      "listen",
      "listener",
      "tail",
      "watch",
      "log",
      "logs",
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
    aliases: ["bark", "generate", "simulate", "client"],
    summary: "a sample application that publishes random events",
    load: async () => (await import("./app.ts")).app,
  },
  {
    name: "pub",
    aliases: ["publish", "emit", "send", "produce", "push", "post", "trigger", "fire", "notify"],
    summary: "publishes one event, or one event per line of stdin",
    load: async () => (await import("./pub.ts")).pub,
  },
  {
    name: "events",
    aliases: ["catalog", "schema", "schemas", "list", "topics", "names"],
    summary: "lists the events that a broker recognizes, and their schemas",
    load: async () => (await import("./events.ts")).events,
  },
  {
    name: "on",
    aliases: ["handle", "handler", "exec", "lambda", "when"],
    summary: "runs a command for each event, like AWS Lambda",
    load: async () => (await import("./on.ts")).on,
  },
  {
    name: "request",
    aliases: ["req", "ask", "query", "call", "rpc"],
    summary: "publishes a request, and prints the reply",
    load: async () => (await import("./request.ts")).request,
  },
  {
    name: "reply",
    aliases: ["respond", "responder", "answer", "service"],
    summary: "runs a command for each request, and replies with its output",
    load: async () => (await import("./reply.ts")).reply,
  },
  {
    name: "why",
    aliases: ["explain", "route", "routes", "trace", "who"],
    summary: "explains which connections receive an event, and why",
    load: async () => (await import("./why.ts")).why,
  },
  {
    name: "top",
    aliases: ["ls", "clients", "status", "stats", "ps", "connections", "info"],
    summary: "shows the connections, rates and queues of a broker",
    load: async () => (await import("./top.ts")).top,
  },
  {
    name: "demo",
    aliases: ["example", "try", "tour", "init", "quickstart", "tutorial"],
    summary: "runs the broker, a logger and two apps in one terminal",
    load: async () => (await import("./demo.ts")).demo,
  },
  {
    name: "bench throughput",
    aliases: ["benchmark", "perf", "speed", "load"],
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
    aliases: ["completion", "autocomplete"],
    summary: "prints the completion script for bash, zsh or fish",
    load: async () => (await import("./completion/completions.ts")).completions,
  },
];

/** All that runs: also what shells call and people do not, which the help leaves out. */
export const ALL: readonly Listed[] = [
  ...COMMANDS,
  {
    name: "complete",
    summary: "prints completions for a word of a command line",
    load: async () => (await import("./completion/complete.ts")).complete,
  },
];

/** How a command is called, by its name: for the file that defines it. */
export function titleOf(name: string): Title {
  const { load: _, ...title } = ALL.find((command) => command.name === name)!;
  return title;
}

/** The words that call a command. */
export function wordsOf({ name }: Title): string[] {
  return name.split(" ");
}

/** The command whose name an argument list begins with. */
export function commandOf<T extends Title>(commands: readonly T[], argv: readonly string[]): T | undefined {
  return commands.find((command) => wordsOf(command).every((word, index) => argv[index] === word));
}

/** The commands of two words of which this is the first. */
export function membersOf(word: string): Listed[] {
  return COMMANDS.filter(({ name }) => name.startsWith(`${word} `));
}

/** Loads every command that the help lists. */
export function loadAll(): Promise<Command[]> {
  return Promise.all(COMMANDS.map((command) => command.load()));
}
