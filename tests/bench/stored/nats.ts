/** nats-server with JetStream, by its client protocol. */
import type { Address } from "../../../lib/protocol/address.ts";
import { callJetStream, STREAM } from "./jetstream.ts";
import { natsWorking } from "./nats_working.ts";
import type { PublishWire } from "./publishing.ts";
import { exchange, NAME, type Subject, versionOf } from "./subject.ts";

const SCRIPT = new URL("./nats_server.sh", import.meta.url).pathname;

const ALWAYS = "`sync_interval: always`, which +ACK does not wait for";
const NOT_ALWAYS = "no `sync_interval: always` in this version, and so nothing durable";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * JetStream of nats-server 2.10, from the cache or the package of Debian; else of the nats-server on PATH.
 *
 * @param options With `isCached`, nothing is downloaded.
 */
export async function findNats({ isCached }: { isCached: boolean }): Promise<Subject | undefined> {
  const program = await cachedProgram(isCached) ?? "nats-server";
  const version = await versionOf(program, "--version");
  if (version === undefined) return undefined;
  const isAlways = canSyncAlways(version);
  return {
    name: "nats",
    version,
    settings: `file storage, 1 replica, ${isAlways ? ALWAYS : NOT_ALWAYS}`,
    command(port, folder) {
      const config = `${folder}/nats.conf`;
      Deno.writeTextFileSync(config, configOf(port, folder, isAlways));
      return { program, args: ["--config", config] };
    },
    prepare: createStream,
    publishing,
    working: natsWorking,
  };
}

async function cachedProgram(isCached: boolean): Promise<string | undefined> {
  const args = [SCRIPT, ...isCached ? ["--cached"] : []];
  const { success, stdout } = await new Deno.Command("bash", { args, stderr: "inherit" }).output();
  return success ? decoder.decode(stdout).trim() : undefined;
}

/** Older versions refuse a configuration with it. */
export function canSyncAlways(version: string): boolean {
  const [major, minor] = version.split(".").map(Number);
  return major > 2 || major === 2 && minor >= 10;
}

function configOf(port: number, folder: string, isAlways: boolean): string {
  const sync = isAlways ? "\n  sync_interval: always" : "";
  return `listen: 127.0.0.1:${port}\njetstream {\n  store_dir: "${folder}"${sync}\n}\n`;
}

async function createStream(address: Address): Promise<void> {
  const stream = { name: STREAM, subjects: [NAME], storage: "file", num_replicas: 1, retention: "limits" };
  await callJetStream(address, `$JS.API.STREAM.CREATE.${STREAM}`, stream);
}

/** Publishes with a reply subject, to which JetStream sends its acknowledgement when the event is stored. */
const publishing: PublishWire = {
  hello: (connection) => exchange(`CONNECT {"verbose":false}\r\nSUB _INBOX.p${connection} 1\r\nPING\r\n`, "PONG\r\n"),
  publish: (data, connection) => encoder.encode(`PUB ${NAME} _INBOX.p${connection} ${data.length}\r\n${data}\r\n`),
  // A PING is answered by nobody here: the server allows two, which are two minutes apart.
  replies: { counted: '{"stream"', skipped: ["MSG ", "PING"] },
};
