/** The router does what telling each listener of each event by itself would do. */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Pattern } from "../../lib/protocol/pattern.ts";
import { WriteQueue } from "../../lib/net/write_queue.ts";
import { lineFormat } from "../../lib/broker/publication.ts";
import type { Subscriber, SubscriberGroup } from "../../lib/broker/subscriber_group.ts";
import type { Route } from "../../lib/broker/router.ts";
import { Routing } from "../broker/routing.ts";
import { afterCurrentTick } from "../../lib/net/ticks.ts";
import { runs } from "./arbitraries.ts";
import { matches } from "./reference.ts";

const MEMBERS = 6;
const EVENTS = ["a", "ab", "a.b", "b", "b.b", "mq"];
const BROKER = { name: "mq" };

/** In what form a listener is in the router. */
interface Form {
  patterns: string[];
  /** How many other patterns it has besides. */
  others: number;
  meta: boolean;
  echo: boolean;
}

/** An event; what it is padded with makes some batches too long to wait for the end of the turn. */
interface Publication {
  name: string;
  space: string;
  padding: string;
}

type Step =
  | { publishes: number; event: Publication }
  | { joins: number; form: Form }
  | { leaves: number }
  | { isAnswered: number }
  | "flush"
  | "end of turn";

const member = fc.nat({ max: MEMBERS - 1 });
const form = fc.record<Form>({
  patterns: fc.subarray(["a", "b", "ab", "*", ">", "a.*", "*.b", "b.>", "mq.>", "mq.c", "bogus"], { maxLength: 3 }),
  others: fc.constantFrom(0, 0, 0, 64, 65, 66),
  meta: fc.boolean(),
  echo: fc.boolean(),
});
const event = fc.record<Publication>({
  name: fc.constantFrom(...EVENTS, "bogus", "mq.c"),
  space: fc.constantFrom(" ", "\t"),
  padding: fc.oneof(
    { weight: 50, arbitrary: fc.constantFrom("", "é") },
    { weight: 1, arbitrary: fc.constant("x".repeat(200_000)) },
  ),
});
const someStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ publishes: member, event }) },
  { weight: 3, arbitrary: fc.record({ joins: member, form }) },
  { weight: 1, arbitrary: fc.record({ leaves: member }) },
  { weight: 1, arbitrary: fc.record({ isAnswered: member }) },
  { weight: 2, arbitrary: fc.constantFrom<Step>("flush", "end of turn") },
);

Deno.test("Router behaves like sending each event to each subscriber separately", async () => {
  const property = fc.asyncProperty(fc.array(someStep, { maxLength: 80, size: "max" }), async (steps) => {
    const broadcast = new Broadcast();
    for (const [number, step] of steps.entries()) await broadcast.take(step, number);
    await broadcast.assertHeard();
  });
  await fc.assert(property, runs(1500));
});

/** A listener, and what it should hear. */
class Member implements Subscriber {
  readonly id: string;
  readonly name: string;
  patterns: ReadonlyMap<string, Pattern> = new Map();
  meta = false;
  echo = true;
  group: SubscriberGroup | undefined;
  readonly queue: WriteQueue;
  delivered = 0;
  isIn = false;
  /** The route of the event that it published last, as the broker keeps it. */
  route: Route | undefined;
  /** How many events it should hear. */
  events = 0;
  expected = "";
  readonly #decoder = new TextDecoder();
  #written = "";

  constructor(index: number) {
    this.id = `id-${index}`;
    this.name = `name-${index}`;
    const write = (chunk: Uint8Array) => void (this.#written += this.#decoder.decode(chunk, { stream: true }));
    this.queue = new WriteQueue({ writable: new WritableStream({ write }) }, { limitBytes: Infinity });
  }

  get format(): Subscriber["format"] {
    return lineFormat({ meta: this.meta, hops: false, reply: false });
  }

  overflow(): void {
    throw new Error("There is no end to what may wait here");
  }

  onTooLong(): void {
    throw new Error("No line is too long");
  }

  take({ patterns, others, meta, echo }: Form): void {
    const more = Array.from({ length: others }, (_, index) => `other.${index}`);
    this.patterns = new Map([...patterns, ...more].map((text) => [text, new Pattern(text)]));
    Object.assign(this, { meta, echo });
  }

  hears(name: string): boolean {
    return this.isIn && [...this.patterns.keys()].some((pattern) => matches(pattern, name));
  }

  async written(): Promise<string> {
    await this.queue.drained();
    return this.#written;
  }
}

/** A router, and beside it what it is to do, told to each listener by itself. */
class Broadcast {
  readonly #router = new Routing(EVENTS);
  readonly #members = Array.from({ length: MEMBERS }, (_, index) => new Member(index));

  async take(step: Step, number: number): Promise<void> {
    if (step === "flush") this.#router.flush();
    else if (step === "end of turn") await new Promise<void>((resolve) => afterCurrentTick(resolve));
    else if ("joins" in step) this.#join(this.#members[step.joins], step.form);
    else if ("leaves" in step) this.#leave(this.#members[step.leaves]);
    else if ("isAnswered" in step) this.#send(this.#members[step.isAnswered], `/ok ${number}\n`);
    else this.#publish(this.#members[step.publishes], step.event, number);
  }

  async assertHeard(): Promise<void> {
    this.#router.flush();
    for (const member of this.#members) {
      assertEquals(await member.written(), member.expected);
      assertEquals(member.delivered, member.events);
    }
    assertEquals(this.#router.delivered, this.#members.reduce((sum, { events }) => sum + events, 0));
  }

  #join(member: Member, form: Form): void {
    this.#leave(member);
    member.take(form);
    this.#router.join(member);
    member.isIn = true;
  }

  #leave(member: Member): void {
    this.#router.leave(member);
    member.isIn = false;
  }

  #send(member: Member, text: string): void {
    this.#router.send(member, text);
    member.expected += text;
  }

  #publish(member: Member, { name, space, padding }: Publication, number: number): void {
    const isOwn = name.startsWith("mq.");
    const sender = isOwn ? BROKER : member;
    const [line, id] = [`${name}${space}${number}${padding}`, `ID-${number}`];
    const route = isOwn ? this.#router.route(name, true) : this.#router.routeAfter(member.route, line);
    const isRecognized = EVENTS.includes(name);
    assertEquals(route.recognizedBy, isRecognized ? name : undefined);
    if (isRecognized) member.route = route;
    else if (!isOwn) return;
    const hearers = this.#members.filter((hearer) => hearer.hears(name) && (hearer.echo || hearer !== sender));
    assertEquals(this.#router.publish(route, line, sender, id), hearers.length);
    for (const hearer of hearers) {
      hearer.expected += (hearer.meta ? `/event ${id} ${sender.name} ${line}` : line) + "\n";
      hearer.events++;
    }
  }
}
