import { assertEquals } from "@std/assert";
import { mq, Program, startBroker } from "../helpers.ts";

Deno.test("mq pub publishes data byte for byte, and says nothing when somebody listens", async () => {
  await using server = await startBroker();
  const [listener] = await server.connect(1);
  const to = ["-s", `127.0.0.1:${server.port}`];
  for (const data of ['{ "id" : 1.0 }', "two  words", "12345678901234567890", '"', "null", "é🦕"]) {
    assertEquals(await mq(["pub", "create", data, ...to]), { code: 0, stdout: "", stderr: "" });
    await listener.expect(`create ${data}`);
  }
  await mq(["pub", "create", ...to]);
  await listener.expect("create");
});

Deno.test("mq pub puts data of many lines on one", async () => {
  await using server = await startBroker();
  const [listener] = await server.connect(1);
  const to = ["-s", `127.0.0.1:${server.port}`];
  await mq(["pub", "create", '{\n  "id": 1\n}\n', ...to]);
  await mq(["pub", "create", "two\nlines", ...to]);
  await listener.expect('create {"id": 1}', 'create "two\\nlines"');
});

Deno.test("mq pub - publishes one event for each line of stdin, in order", async () => {
  await using server = await startBroker();
  const [listener] = await server.connect(1);
  const lines = Array.from({ length: 3000 }, (_, index) => `{"id":${index}}`);
  const outcome = await mq(["pub", "create", "-", "-s", `127.0.0.1:${server.port}`], { stdin: lines.join("\n") });
  assertEquals(outcome, { code: 0, stdout: "", stderr: "" });
  await listener.expect(...lines.map((line) => `create ${line}`));
});

Deno.test("mq pub - ends on Ctrl-C, and when the broker goes, though stdin goes on", async () => {
  await using server = await startBroker();
  const [listener] = await server.connect(1);
  const start = () => new Program(["pub", "create", "-", "-s", `127.0.0.1:${server.port}`]);
  await using interrupted = start();
  await interrupted.write("1\n");
  await listener.expect("create 1");
  interrupted.kill("SIGINT");
  assertEquals(await interrupted.outcome(), { code: 1, stdout: "", stderr: "" });

  await using abandoned = start();
  await abandoned.write("2\n");
  await listener.expect("create 2");
  listener.close();
  await server.broker.close();
  assertEquals(await abandoned.outcome(), { code: 1, stdout: "", stderr: "mq pub: The broker is going down\n" });
});

Deno.test("mq pub - goes on after a line that is refused, and fails in the end", async () => {
  await using server = await startBroker({ limits: { lineBytes: 100 } });
  const [listener] = await server.connect(1);
  const stdin = `1\n${"x".repeat(200)}\n3\n`;
  const { code, stderr } = await mq(["pub", "create", "-", "-s", `127.0.0.1:${server.port}`], { stdin });
  assertEquals(code, 1);
  assertEquals(stderr, "mq pub: Cannot publish 207 bytes: the broker takes lines of 100\n");
  await listener.expect("create 1", "create 3");
});
