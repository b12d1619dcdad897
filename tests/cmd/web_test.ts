/** `mq server --web` and `mq demo`, from outside. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { mq, Program, RawClient } from "../helpers.ts";

/** Starts a server on free ports; returns it with what it says before it waits, and its page's address. */
async function startServer(...args: string[]): Promise<{ program: Program; head: string[]; url: string }> {
  const program = new Program(["server", "--port", "0", "--web", "0", ...args]);
  const head: string[] = [];
  for (let line = await program.stdout.next(); line !== null; line = await program.stdout.next()) {
    head.push(line);
    if (line.startsWith("Web page: ")) break;
  }
  return { program, head, url: head.at(-1)!.replace("Web page: ", "") };
}

async function text(url: string, init?: RequestInit): Promise<string> {
  return await (await fetch(url, init)).text();
}

Deno.test("mq server --web serves the page on localhost, with all its files", async () => {
  const { program, url } = await startServer();
  await using _ = program;
  assertMatch(url, /^http:\/\/localhost:\d+\/$/);
  const html = await text(url);
  assertMatch(html, /^<!doctype html>/i);
  for (const part of ["page.js", "page.css", "favicon.svg"]) {
    assertStringIncludes(html, part);
    assert((await text(`${url}${part}`)).length > 0, part);
  }
  assertEquals(await text(`${url.replace("localhost", "127.0.0.1")}healthz`), "ok\n");
  assertStringIncludes(await text(`${url}metrics`), "\nmq_connections 0\n");
});

Deno.test("mq server logs what comes over HTTP, and Ctrl-C ends both servers", async () => {
  const { program, url } = await startServer();
  await using _ = program;
  const events = await fetch(`${url}events?pattern=create`);
  await program.stdout.find("client-1 is http");
  const { receivers } = JSON.parse(await text(`${url}pub/create`, { method: "POST", body: "1" }));
  assertEquals(receivers, 1);
  await program.stdout.find(" published create to 1");
  assertEquals(JSON.parse(await text(`${url}pub/archive`, { method: "POST", body: "1" })).error, "unrecognized");
  await program.stdout.find('http: "archive" is not recognized');
  const socket = new WebSocket(`${url}ws`);
  const closed = new Promise((resolve) => socket.onclose = resolve);
  await new Promise((resolve) => socket.onopen = resolve);
  await program.stdout.find("+ client-2 connected");
  program.kill("SIGINT");
  assertMatch(await events.text(), /^event: create\ndata: 1\nid: \w{26}\n\n: The broker is going down\n\n$/);
  await closed;
  const { code, stdout, stderr } = await program.outcome();
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, "Draining 2 connections");
});

Deno.test("mq server --web --json prints the address of the page", async () => {
  await using program = new Program(["server", "--port", "0", "--web", "127.0.0.1:0", "--json"]);
  const { data: { web } } = JSON.parse((await program.stdout.next())!);
  assertEquals(web.length, 1);
  assertEquals(await text(`http://${web[0]}/healthz`), "ok\n");
});

Deno.test("mq server --web that is open to the network says how to secure it", async () => {
  await using program = new Program(["server", "--port", "0", "--web", "0.0.0.0:0"]);
  await program.stdout.find("Web page: http://localhost:");
  assertEquals(await program.stdout.next(), "Anyone on the network can connect and publish. To secure it:");
  assertEquals(
    await program.stdout.next(),
    "  mq server --host localhost --web 0.0.0.0:0 --token-file token.txt --tls-cert cert.pem --tls-key key.pem",
  );
});

Deno.test("mq server --web requires the token and uses TLS like the broker", async () => {
  const file = (name: string) => new URL(`../files/${name}`, import.meta.url).pathname;
  const secret = ["--token-file", file("token.txt"), "--tls-cert", file("cert.pem"), "--tls-key", file("key.pem")];
  const { program, url } = await startServer(...secret);
  await using _ = program;
  assertMatch(url, /^https:\/\/localhost:\d+\/$/);
  using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(file("cert.pem"))] });
  const response = await fetch(`${url}stats`, { client });
  assertEquals([response.status, JSON.parse(await response.text()).error], [401, "unauthorized"]);
});

Deno.test("mq server --web-origin allows the page of that origin, and no other", async () => {
  const { program, url } = await startServer("--web-origin", "http://a.example,https://b.example:8443");
  await using _ = program;
  const { port } = new URL(url);
  for (
    const [origin, status] of [
      ["http://a.example", "202"],
      ["https://b.example:8443", "202"],
      ["https://b.example", "403"],
    ]
  ) {
    const client = await RawClient.connect(Number(port));
    await client.send(
      `POST /pub/create HTTP/1.1\r\nhost: localhost:${port}\r\norigin: ${origin}\r\ncontent-length: 1\r\n\r\n1`,
    );
    assertMatch(await client.lines.next() ?? "", new RegExp(`^HTTP/1.1 ${status} `), origin);
    client.close();
  }
});

Deno.test("mq server reports what is wrong with --web and --web-origin, and what to do", async () => {
  const help = "\nTry: mq server --help\n";
  const rows: [args: string, code: number, stderr: string][] = [
    ["--web", 2, `mq server: --web needs a value: [HOST:]PORT${help}`],
    ["--web x", 2, `mq server: --web takes a port, or HOST:PORT, not "x"${help}`],
    ["--web 65536", 2, `mq server: --web takes a port, or HOST:PORT, not "65536"${help}`],
    [
      "--web http://localhost:1",
      2,
      'mq server: --web takes a port, or HOST:PORT, not "http://localhost:1"; did you mean localhost:1?\n' +
      "Try: mq server --port 0 --web localhost:1\n",
    ],
    [
      "--web 0 --web-origin a.example",
      2,
      'mq server: --web-origin takes origins such as https://example.org, not "a.example"; ' +
      "did you mean http://a.example?\nTry: mq server --port 0 --web 0 --web-origin http://a.example\n",
    ],
    [
      "--web-origin https://a.example",
      2,
      "mq server: --web-origin needs --web\nTry: mq server --web 8080 --web-origin https://a.example\n",
    ],
    [
      "--web 192.0.2.1:0",
      1,
      "mq server: Cannot listen on 192.0.2.1:0: Cannot assign requested address; --web must be a name or an address of this machine\n",
    ],
  ];
  for (const [args, code, stderr] of rows) {
    const outcome = await mq(["server", "--port", "0", ...args.split(" ")]);
    assertEquals([outcome.code, outcome.stderr], [code, stderr], args);
  }
});

Deno.test("mq server reports that the port of --web is in use", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const place = `127.0.0.1:${taken.addr.port}`;
  const { code, stderr } = await mq(["server", "--port", "0", "--web", place]);
  assertEquals([code, stderr], [
    1,
    `mq server: Cannot listen on ${place}: the port is in use; choose another port with --web, or try again when it is free\n`,
  ]);
});

Deno.test("mq demo serves its page at the address that it prints", async () => {
  await using demo = new Program(["demo", "--web", "127.0.0.1:0"]);
  const line = await demo.stdout.find("A page that shows");
  const [url] = /http:\/\/127\.0\.0\.1:\d+\/$/.exec(line)!;
  assertMatch(await text(url), /^<!doctype html>/i);
});
