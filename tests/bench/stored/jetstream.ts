/** The API of JetStream, as much of it as the comparison needs. */
import type { Address } from "../../../lib/protocol/address.ts";
import { ask } from "./ask.ts";

/** The stream that keeps all events. */
export const STREAM = "bench";

/**
 * Calls the API.
 *
 * @throws {Error} If the response is an error.
 */
export async function callJetStream(address: Address, subject: string, body: unknown): Promise<void> {
  const json = JSON.stringify(body);
  const command =
    `CONNECT {"verbose":false}\r\nSUB _INBOX.api 1\r\nPUB ${subject} _INBOX.api ${json.length}\r\n${json}\r\n`;
  const [, response] = MESSAGE.exec(await ask(address, command, MESSAGE))!;
  if (JSON.parse(response).error) throw new Error(`JetStream refused ${subject}: ${response}`);
}

const MESSAGE = /^MSG .*\r\n(.*)\r\n/m;
