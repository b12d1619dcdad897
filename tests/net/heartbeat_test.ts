import { assertEquals } from "@std/assert";
import { Heartbeat, tickMs } from "../../lib/net/heartbeat.ts";

class FakePulse {
  receivedBytes = 0;
  readonly log: string[] = [];

  ping(): void {
    this.log.push("ping");
  }

  onTimeout(): void {
    this.log.push("timeout");
  }
}

function beat(pulse: FakePulse): (ticks: number) => string[] {
  const heartbeat = new Heartbeat(pulse, { silenceMs: 30, answerMs: 20 }, 10);
  return (ticks) => {
    for (let tick = 0; tick < ticks; tick++) heartbeat.tick();
    return pulse.log;
  };
}

Deno.test("Heartbeat pings after the silence and times out after the response time, each once", () => {
  const pass = beat(new FakePulse());
  assertEquals(pass(2), []);
  assertEquals(pass(1), ["ping"]);
  assertEquals(pass(1), ["ping"]);
  assertEquals(pass(1), ["ping", "timeout"]);
  assertEquals(pass(100), ["ping", "timeout"]);
});

Deno.test("Heartbeat restarts whenever bytes are received", () => {
  const pulse = new FakePulse();
  const pass = beat(pulse);
  for (let times = 0; times < 10; times++) {
    assertEquals(pass(2), []);
    pulse.receivedBytes++;
    assertEquals(pass(1), []);
  }
  assertEquals(pass(4), ["ping"]);
  pulse.receivedBytes++;
  assertEquals(pass(3), ["ping"]);
  assertEquals(pass(2), ["ping", "ping"]);
});

Deno.test("tickMs is a quarter of the shortest time, at least 1 ms and at most 1 s", () => {
  assertEquals([tickMs(1), tickMs(100, 40), tickMs(3_600_000)], [1, 10, 1000]);
});
