/**
 * The codec of classic clients, which do not use lines: each `socket.write` is a message, without a mark at its end.
 * docs/protocol.md specifies it in section 12.
 *
 * @module
 */
import {
  ClassicCodec,
  type ClassicForm,
  type ClassicKeys,
  type ClassicMessage,
  type ClassicOptions,
  lineOf,
  MAX_MESSAGE_BYTES,
  MESSAGE_PACE_MS,
  messageOf,
} from "../protocol/classic.ts";
import { FatalProtocolError, MqError } from "../protocol/errors.ts";
import { CLASSIC_OUTBOX_BYTES } from "../protocol/limits.ts";
import { isFirstWord, isLongerThan } from "../protocol/text.ts";
import type { CodecFactory, Decoded, EventFormat, MessageCodec, Notice, Outgoing } from "./codec.ts";
import { MessageReader } from "./message_reader.ts";

const NO_CONTROL_LINES =
  "This port is for classic clients, which send no lines: connect to the broker's other port, if it has one";

/**
 * Makes a port for classic clients: pass it to {@linkcode Broker.listen} as `codec`.
 *
 * @param options The form of outgoing messages, or all options.
 * @returns The factory of the port's codec. It throws an {@linkcode MqError} with the code `classic`, if the broker has
 * tokens or a certificate, which classic clients do not support, or if it does not recognize the default name.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Broker } from "../broker.ts";
 *
 * await using broker = new Broker();
 * await broker.listen({ hostname: "127.0.0.1", port: 0, codec: classic("json") });
 * const { port } = broker.addr!;
 * using socket = await Deno.connect({ hostname: "127.0.0.1", port });
 * await socket.write(new TextEncoder().encode('{"event":"create","payload":"hello"}'));
 * const buffer = new Uint8Array(100);
 * const count = await socket.read(buffer);
 * assertEquals(new TextDecoder().decode(buffer.subarray(0, count!)), '{"event":"create","payload":"hello"}\n');
 * ```
 */
export function classic(options: ClassicForm | ClassicOptions): CodecFactory {
  const given = typeof options === "string" ? { form: options } : options;
  return (host) => {
    if (host.isProtected) {
      const why = "Cannot listen for classic clients where there are tokens or TLS: they know neither";
      throw new MqError("classic", why);
    }
    return codecOf(new ClassicCodec(given, host));
  };
}

function codecOf(messages: ClassicCodec): MessageCodec {
  const format: EventFormat = {
    key: messages.id,
    write(event) {
      const text = messages.write(sourceOf(event));
      return isLongerThan(MAX_MESSAGE_BYTES, text) ? undefined : text;
    },
  };
  return {
    info: { classic: messages.form },
    format,
    decode: (text) => decode(text, messages),
    reader: (source, { lineBytes }, memory) =>
      new MessageReader(source, Math.min(lineBytes, MAX_MESSAGE_BYTES), memory),
    queueOptions({ outboxBytes }) {
      // The longest message always fits. It may be longer than the line that it is made from.
      const limitBytes = Math.max(MAX_MESSAGE_BYTES + 1, Math.min(outboxBytes, CLASSIC_OUTBOX_BYTES));
      return { limitBytes, paceMs: MESSAGE_PACE_MS };
    },
  };
}

function decode(text: string, messages: ClassicCodec): Decoded {
  if (isFirstWord("/hello", text)) throw new FatalProtocolError("bad-message", NO_CONTROL_LINES);
  const { keys } = messages;
  const message = messages.read(text);
  const notices: Notice[] = [];
  if (messages.keys !== keys) notices.push(keysNotice(messages.keys));
  const event = messages.findGlued(message);
  if (event !== undefined) notices.push({ name: "mq.glued", data: { event }, key: "glued" });
  return { line: lineOf(message), source: message, isGuess: message.isGuess === true, notices };
}

/** Says that the keys of outgoing objects have become those of the last object that was received. */
function keysNotice({ name, data }: ClassicKeys): Notice {
  return { name: "mq.keys", data: { keys: [name, data] }, key: `keys ${name} ${data}` };
}

/** The message of an event: the one it was received as, or one made from its line, once for all connections. */
function sourceOf(event: Outgoing): ClassicMessage {
  return (event.source ??= messageOf(event.line)) as ClassicMessage;
}
