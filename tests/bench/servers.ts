/** The brokers that are compared: how each is started, and what is read of it from outside. */
import type { Wire } from "../../cmd/bench/load.ts";
import { mqWire } from "../../cmd/bench/mq_wire.ts";
import { V8_FLAGS } from "../../cmd/bench/subject.ts";
import type { Address } from "../../lib/protocol/address.ts";
import { VERSION } from "../../lib/protocol/version.ts";
import { mqttWire, natsWire, redisWire } from "./wires.ts";

const HOSTNAME = "127.0.0.1";
const MAIN = new URL("../../cmd/main.ts", import.meta.url).pathname;

/** How long a server gets to listen, in milliseconds. */
const START_MS = 10_000;

/** A broker that can be started. */
export interface Maker {
  readonly name: string;
  readonly wire: Wire;
  /** The arguments that have it listen on a port of 127.0.0.1, and a configuration file where it needs one. */
  command(port: number): { program: string; args: string[]; config?: string };
  /** What it says of its version; undefined if it is not on this machine. */
  version(): Promise<string | undefined>;
}

/** mq, from this source. */
export const MQ: Maker = {
  name: "mq",
  wire: mqWire(),
  command: (port) => ({
    program: Deno.execPath(),
    args: [
      ...["run", "--quiet", V8_FLAGS, "--allow-net", "--allow-env=MQ_URL,MQ_TOKEN,MQ_TLS_CA,MQ_HOPS", MAIN],
      ...["server", "--host", HOSTNAME, "--port", String(port), "--events", ">", "--json"],
    ],
  }),
  version: () => Promise.resolve(`${VERSION} on Deno ${Deno.version.deno}`),
};

/** The others. */
export const PEERS: readonly Maker[] = [
  {
    name: "nats-server",
    wire: natsWire,
    command: (port) => ({ program: "nats-server", args: ["--addr", HOSTNAME, "--port", String(port)] }),
    version: () => ask("nats-server", ["--version"]),
  },
  {
    name: "redis-server",
    wire: redisWire,
    command: (port) => ({
      program: "redis-server",
      args: ["--bind", HOSTNAME, "--port", String(port), "--save", "", "--appendonly", "no"],
    }),
    version: () => ask("redis-server", ["--version"]),
  },
  {
    name: "mosquitto",
    wire: mqttWire,
    command: (port) => ({
      program: "mosquitto",
      args: ["-c"],
      // It drops what is queued for a listener past the last limit: without one, as the others, it keeps it.
      config: `listener ${port} ${HOSTNAME}\nallow_anonymous true\nset_tcp_nodelay true\nlog_type none\n` +
        "max_queued_messages 0\n",
    }),
    version: () => ask("mosquitto", ["-h"]),
  },
];

/** A broker that runs. */
export interface Server extends AsyncDisposable {
  readonly name: string;
  readonly wire: Wire;
  readonly address: Address;
  /** The memory that it has resident, in bytes. */
  rssBytes(): number;
}

/** Starts a broker, and waits until it listens. */
export async function start({ name, wire, command }: Maker): Promise<Server> {
  const address = { hostname: HOSTNAME, port: freePort() };
  const { program, args, config } = command(address.port);
  const configFile = config === undefined ? [] : [await Deno.makeTempFile()];
  for (const file of configFile) await Deno.writeTextFile(file, config!);
  const child = new Deno.Command(program, {
    args: [...args, ...configFile],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await listening(name, address);
  return {
    name,
    wire,
    address,
    rssBytes: () => residentBytes(child.pid),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      for (const file of configFile) await Deno.remove(file);
    },
  };
}

async function listening(name: string, address: Address): Promise<void> {
  const deadline = Date.now() + START_MS;
  for (;;) {
    try {
      (await Deno.connect(address)).close();
      return;
    } catch (cause) {
      if (Date.now() > deadline) throw new Error(`${name} does not listen`, { cause });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: HOSTNAME, port: 0 });
  return listener.addr.port;
}

function residentBytes(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))!;
  return Number(kib) * 1024;
}

/** The first number with dots that a program says of itself. */
async function ask(program: string, args: string[]): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await new Deno.Command(program, { args }).output();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    return /\d+(?:\.\d+)+/.exec(text)?.[0] ?? "of an unknown version";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
