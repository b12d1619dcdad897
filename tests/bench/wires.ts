/** The protocols of the peers, as much of them as a load needs. */
import type { Exchange, Wire } from "../../cmd/bench/load.ts";

const encoder = new TextEncoder();
const exchange = (send: string, reply: string): Exchange => ({
  send: encoder.encode(send),
  reply: encoder.encode(reply),
});

/** The client protocol of NATS: https://docs.nats.io/reference/reference-protocols/nats-protocol */
export const natsWire: Wire = {
  publisher: exchange('CONNECT {"verbose":false}\r\nPING\r\n', "PONG\r\n"),
  listener: (name) => exchange(`CONNECT {"verbose":false}\r\nSUB ${name} 1\r\nPING\r\n`, "PONG\r\n"),
  sync: exchange("PING\r\n", "PONG\r\n"),
  publish: (name, data) => encoder.encode(`PUB ${name} ${data.length}\r\n${data}\r\n`),
  deliver: (name, data) => encoder.encode(`MSG ${name} 1 ${data.length}\r\n${data}\r\n`),
};

/** RESP2, the protocol of Redis: https://redis.io/docs/latest/develop/reference/protocol-spec/ */
export const redisWire: Wire = {
  // Without replies to each PUBLISH, which the publisher would have to read.
  publisher: exchange("PING\r\nCLIENT REPLY OFF\r\n", "+PONG\r\n"),
  listener: (name) => exchange(`SUBSCRIBE ${name}\r\n`, ":1\r\n"),
  sync: exchange("CLIENT REPLY ON\r\n", "+OK\r\n"),
  publish: (name, data) => encoder.encode(respArray("PUBLISH", name, data)),
  deliver: (name, data) => encoder.encode(respArray("message", name, data)),
};

function respArray(...strings: string[]): string {
  return `*${strings.length}\r\n` + strings.map((text) => `$${text.length}\r\n${text}\r\n`).join("");
}

const MQTT_CONNECT = [0x10, 12, 0, 4, ...encoder.encode("MQTT"), 4, 2, 0, 0, 0, 0];

/** MQTT 3.1.1 with QoS 0: https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/mqtt-v3.1.1.html */
export const mqttWire: Wire = {
  publisher: { send: new Uint8Array(MQTT_CONNECT), reply: new Uint8Array([0x20, 2, 0, 0]) },
  listener: (name) => {
    const subscribe = [0, 1, ...mqttString(name), 0];
    return {
      send: new Uint8Array([...MQTT_CONNECT, 0x82, ...mqttLength(subscribe.length), ...subscribe]),
      reply: new Uint8Array([0x90, 3, 0, 1, 0]),
    };
  },
  sync: { send: new Uint8Array([0xc0, 0]), reply: new Uint8Array([0xd0, 0]) },
  publish: mqttPublish,
  deliver: mqttPublish,
};

function mqttPublish(name: string, data: string): Uint8Array {
  const body = [...mqttString(name), ...encoder.encode(data)];
  return new Uint8Array([0x30, ...mqttLength(body.length), ...body]);
}

function mqttString(text: string): number[] {
  const bytes = encoder.encode(text);
  return [bytes.length >> 8, bytes.length & 0xff, ...bytes];
}

/** The "remaining length": seven bits a byte, the lowest first, the eighth set while more follow. */
function mqttLength(length: number): number[] {
  return length < 128 ? [length] : [length % 128 | 0x80, ...mqttLength(Math.floor(length / 128))];
}
