/** Messages of classic clients: what is taken apart is what was sent, however it was cut. */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { FanOut } from "../../lib/broker/fan_out.ts";
import { ClassicCodec } from "../../lib/protocol/classic.ts";
import { MessageScanner } from "../../lib/net/message_reader.ts";
import { Router } from "../../lib/broker/router.ts";
import { decodeData } from "../../lib/protocol/data.ts";

const someObject = fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 });
const someSpace = fc.constantFrom("", " ", "\n", "\r\n", "\t ");

Deno.test("MessageScanner separates any objects, with any layout and split at any point", () => {
  const objects = fc.array(fc.tuple(someObject, fc.constantFrom(0, 2), someSpace), { maxLength: 5 });
  fc.assert(fc.property(objects, fc.array(fc.nat()), (objects, cuts) => {
    const texts = objects.map(([object, indent]) => JSON.stringify(object, null, indent));
    const stream = texts.map((text, index) => text + objects[index][2]).join("");
    const places = [...new Set(cuts.map((cut) => cut % (stream.length + 1)))].sort((a, b) => a - b);
    const scanner = new MessageScanner();
    const chunks = [0, ...places].map((place, index) => stream.slice(place, places[index]));
    assertEquals([...chunks.flatMap((chunk) => scanner.push(chunk)), ...scanner.end()], texts);
  }));
});

Deno.test("MessageScanner preserves any text except surrounding white space, line feeds and nulls", () => {
  fc.assert(fc.property(fc.array(fc.string()), (chunks) => {
    const scanner = new MessageScanner();
    for (const chunk of chunks.map((chunk) => chunk.replaceAll("{", "("))) {
      const wanted = chunk.replaceAll("\0", "\n").split("\n").map((line) => line.trim()).filter((line) => line !== "");
      assertEquals(scanner.push(chunk), wanted);
    }
  }));
});

Deno.test("an object from a classic client is delivered as that object, and its value to modern clients", () => {
  fc.assert(fc.property(fc.jsonValue(), (payload) => {
    const object = JSON.stringify({ event: "create", payload });
    const codec = new ClassicCodec({ form: "json" }, new Router(["create"], new FanOut()));
    const message = codec.read(object);
    assertEquals(codec.write(message), object);
    assertEquals(JSON.stringify(decodeData(message.text)), JSON.stringify(payload));
    const again = codec.write({ ...message, form: "text" });
    assertEquals(JSON.parse(again), JSON.parse(object));
  }));
});

Deno.test("the value of an object is its original text, for any layout of the object", () => {
  const number = fc.stringMatching(/^-?[1-9]\d{0,30}(?:\.\d{1,30})?$/);
  const values = fc.tuple(fc.string(), fc.string(), fc.array(number), someSpace);
  fc.assert(fc.property(values, ([key, text, numbers, space]) => {
    const value = `{${space}${JSON.stringify(key)}:[${numbers.join(`,${space}`)}${space}],"x":${JSON.stringify(text)}}`;
    const codec = new ClassicCodec({ form: "json" }, new Router(["create"], new FanOut()));
    const message = codec.read(`{"event":${space}"create",${space}"payload"${space}:${value}${space}}`);
    assertEquals(message.text, `{${JSON.stringify(key)}:[${numbers}],"x":${JSON.stringify(text)}}`);
  }));
});
