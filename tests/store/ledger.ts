/** What a test has published, and whether the log has exactly that. */
import { assert, assertEquals, AssertionError, assertMatch } from "@std/assert";
import type { RawClient } from "../helpers.ts";
import { ask, replay, resultOf } from "./server.ts";

/** The events of a test: those with a receipt, and those that were answered with `store-failed`. */
export class Ledger {
  readonly stored: string[] = [];
  readonly refused: string[] = [];
  #count = 0;

  /** The data of the next event: a number, and perhaps something that makes it longer. */
  next(padding = ""): string {
    return `${++this.#count}${padding}`;
  }

  /** Publishes an event with a receipt; returns undefined, or why it was refused. */
  async publish(client: RawClient, padding = ""): Promise<string | undefined> {
    const data = this.next(padding);
    return this.settle(data, await ask(client, "r", `/pub r n ${data}`));
  }

  /** Notes the response to an event; returns undefined, or why it was refused. */
  settle(data: string, response: string): string | undefined {
    if (response.startsWith("/ok ")) {
      assertEquals(resultOf(response).stored, true);
      this.stored.push(data);
      return undefined;
    }
    const [, reason] = /^\/err \S+ store-failed (.+)$/.exec(response) ?? [];
    assert(reason !== undefined, response);
    this.refused.push(data);
    return reason;
  }

  /** Checks that the log has each event with a receipt, and otherwise only such as were refused: all in order, none twice. */
  async check(client: RawClient): Promise<void> {
    const log = await replay(client);
    for (const [index, data] of log.entries()) {
      assert(index === 0 || parseInt(log[index - 1]) < parseInt(data), `The log has ${data} behind ${log[index - 1]}`);
    }
    const refused = new Set(this.refused);
    assertSame(log.filter((data) => !refused.has(data)), this.stored);
  }
}

/** Checks that two long lists are the same: assertEquals takes minutes to describe how they differ. */
export function assertSame(actual: readonly string[], expected: readonly string[]): void {
  const length = Math.max(actual.length, expected.length);
  for (let index = 0; index < length; index++) {
    if (actual[index] === expected[index]) continue;
    const [is, shouldBe] = [actual[index], expected[index]].map((text) => text?.slice(0, 100));
    throw new AssertionError(`At ${index} of ${length} there is ${is}, and should be ${shouldBe}`);
  }
}

/** Checks that a server has refused to start: with exit code 1, and with one sentence. */
export function assertRefused({ code, lines }: { code: number; lines: string[] }, sentence: RegExp): void {
  assertEquals(lines.length, 1, lines.join("\n"));
  assertMatch(lines[0], /^mq server: [A-Z"].*[^.]$/);
  assertMatch(lines[0], sentence);
  assertEquals(code, 1);
}
