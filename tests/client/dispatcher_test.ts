import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Dispatcher, type Handler } from "../../lib/client/dispatcher.ts";
import { MqEvent } from "../../lib/protocol/event.ts";
import { Pattern } from "../../lib/protocol/pattern.ts";

/** Records what it is handed. */
class Recorder implements Handler {
  readonly patterns: readonly Pattern[];
  readonly events: MqEvent[] = [];

  constructor(...patterns: string[]) {
    this.patterns = patterns.map((text) => new Pattern(text));
  }

  get names(): string[] {
    return this.events.map(({ name }) => name);
  }

  onEvent(event: MqEvent): void {
    this.events.push(event);
  }
}

Deno.test("Dispatcher passes an event to every handler with a pattern that matches", () => {
  const handlers = [new Recorder("order.*"), new Recorder("user.*", "order.paid"), new Recorder("user.*")];
  dispatch(dispatcherOf(...handlers), "order.paid");
  assertEquals(handlers.map(({ names }) => names), [["order.paid"], ["order.paid"], []]);
});

Deno.test("Dispatcher passes the event itself, not a copy", () => {
  const handler = new Recorder("create");
  const event = new MqEvent("create", "1");
  dispatcherOf(handler).dispatch(event);
  assertEquals(handler.events[0] === event, true);
});

Deno.test("Dispatcher passes an event once to a handler with several patterns that match", () => {
  const handler = new Recorder(">", "order.*", "order.paid");
  dispatch(dispatcherOf(handler), "order.paid");
  assertEquals(handler.names, ["order.paid"]);
});

Deno.test("Dispatcher calls handlers in the order in which they were added", () => {
  const called: number[] = [];
  const patterns = [new Pattern(">")];
  const handlers = [1, 2, 3].map((number) => ({ patterns, onEvent: () => void called.push(number) }));
  dispatch(dispatcherOf(...handlers), "create");
  assertEquals(called, [1, 2, 3]);
});

Deno.test("Dispatcher passes the broker's own events only to patterns that begin with mq", () => {
  const handlers = [new Recorder(">"), new Recorder("mq.>")];
  dispatch(dispatcherOf(...handlers), "mq.connect");
  assertEquals(handlers.map(({ names }) => names), [[], ["mq.connect"]]);
});

Deno.test("Dispatcher passes events named like Object properties", () => {
  const handler = new Recorder("constructor", "__proto__");
  dispatch(dispatcherOf(handler), "constructor", "__proto__", "toString");
  assertEquals(handler.names, ["constructor", "__proto__"]);
});

Deno.test("Dispatcher passes a name it knows to a handler added since", () => {
  const dispatcher = dispatcherOf(new Recorder("create"));
  dispatch(dispatcher, "create");
  const late = new Recorder("create");
  dispatcher.add(late);
  dispatch(dispatcher, "create");
  assertEquals(late.names, ["create"]);
});

Deno.test("Dispatcher passes nothing more to a handler that was removed", () => {
  const [gone, kept] = [new Recorder("create"), new Recorder("create")];
  const dispatcher = dispatcherOf(gone, kept);
  dispatch(dispatcher, "create");
  dispatcher.remove(gone);
  dispatch(dispatcher, "create");
  assertEquals([gone.names.length, kept.names.length], [1, 2]);
});

Deno.test("Dispatcher passes an event to the others when a handler removes itself", () => {
  const dispatcher = new Dispatcher();
  const once: Handler = { patterns: [new Pattern(">")], onEvent: () => void dispatcher.remove(once) };
  const other = new Recorder(">");
  dispatcher.add(once);
  dispatcher.add(other);
  dispatch(dispatcher, "create");
  assertEquals(other.names, ["create"]);
});

Deno.test("Dispatcher handles any number of names", () => {
  const handler = new Recorder("*");
  const names = Array.from({ length: 10_001 }, (_, index) => `n${index}`);
  dispatch(dispatcherOf(handler), ...names, ...names);
  assertEquals(handler.names, [...names, ...names]);
});

Deno.test("Dispatcher.patterns keeps a pattern until its last handler is removed", () => {
  const [first, second] = [new Recorder("a", "b"), new Recorder("b", "c")];
  const dispatcher = dispatcherOf(first, second);
  dispatcher.remove(first);
  assertEquals(dispatcher.patterns, ["b", "c"]);
  dispatcher.remove(second);
  assertEquals(dispatcher.patterns, []);
});

Deno.test("Dispatcher.remove of an unknown handler does nothing", () => {
  const [handler, stranger] = [new Recorder("a"), new Recorder("a")];
  const dispatcher = dispatcherOf(handler);
  dispatcher.remove(stranger);
  assertEquals(dispatcher.patterns, ["a"]);
});

Deno.test("Dispatcher.remove of an already removed handler does nothing", () => {
  const [first, second] = [new Recorder("a"), new Recorder("a")];
  const dispatcher = dispatcherOf(first, second);
  dispatcher.remove(first);
  dispatcher.remove(first);
  assertEquals(dispatcher.patterns, ["a"]);
});

Deno.test("Dispatcher.release removes a handler's patterns, but keeps the handler until it is removed", () => {
  const [released, kept] = [new Recorder("a", "b"), new Recorder("b")];
  const dispatcher = dispatcherOf(released, kept);
  dispatcher.release(released);
  dispatcher.release(released);
  assertEquals(dispatcher.patterns, ["b"]);
  dispatch(dispatcher, "a");
  dispatcher.remove(released);
  dispatch(dispatcher, "a", "b");
  assertEquals([released.names, kept.names, dispatcher.patterns], [["a"], ["b"], ["b"]]);
});

Deno.test("Dispatcher.patterns lists each pattern once", () => {
  assertEquals(dispatcherOf(new Recorder("a", "b"), new Recorder("b", "c")).patterns, ["a", "b", "c"]);
});

Deno.test("Dispatcher.patterns is empty without handlers", () => assertEquals(new Dispatcher().patterns, []));

Deno.test("Dispatcher.patterns are those of the handlers that were added and not removed", () => {
  const patterns = fc.uniqueArray(fc.constantFrom("a", "b", "c", "a.*", ">"), { minLength: 1 });
  fc.assert(fc.property(fc.array(fc.tuple(fc.boolean(), patterns, fc.nat()), { maxLength: 30 }), (steps) => {
    const dispatcher = new Dispatcher();
    const handlers: Handler[] = [];
    for (const [adds, patterns, index] of steps) {
      if (adds || handlers.length === 0) {
        const handler = new Recorder(...patterns);
        handlers.push(handler);
        dispatcher.add(handler);
      } else {
        const [handler] = handlers.splice(index % handlers.length, 1);
        dispatcher.remove(handler);
      }
      const expected = new Set(handlers.flatMap(({ patterns }) => patterns.map(({ text }) => text)));
      assertEquals(new Set(dispatcher.patterns), expected);
    }
  }));
});

function dispatcherOf(...handlers: Handler[]): Dispatcher {
  const dispatcher = new Dispatcher();
  for (const handler of handlers) dispatcher.add(handler);
  return dispatcher;
}

function dispatch(dispatcher: Dispatcher, ...names: string[]): void {
  for (const name of names) dispatcher.dispatch(new MqEvent(name, ""));
}
