/** What there is at each path, which requests are refused, and how the gateway closes. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { MqError, serveWeb, type Token } from "../../mod.ts";
import { has, soon, startBroker, until } from "../helpers.ts";
import { lintMetrics, PAGE, refusalIn, startWeb, type TestWeb, UPGRADE } from "./fixtures.ts";

const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

const TOKENS: Token[] = [
  { token: "everything", scope: "all" },
  { token: "publishes", scope: "publish" },
  { token: "listens", scope: "listen" },
];

Deno.test("13.12 the page comes with headers that protect it", async () => {
  await using test = await startWeb();
  const parts: [path: string, type: string, text: string][] = [
    ["/", "text/html; charset=utf-8", PAGE.html],
    ["/page.js", "text/javascript; charset=utf-8", PAGE.script],
    ["/page.css", "text/css; charset=utf-8", PAGE.style],
    ["/favicon.svg", "image/svg+xml", PAGE.icon],
  ];
  for (const [path, type, text] of parts) {
    const { status, headers, body } = await test.ask(path);
    assertEquals([status, body], [200, text]);
    for (
      const [name, value] of [
        ["content-type", type],
        ["content-security-policy", CSP],
        ["x-content-type-options", "nosniff"],
        ["referrer-policy", "no-referrer"],
        ["cross-origin-opener-policy", "same-origin"],
        ["cross-origin-resource-policy", "same-origin"],
        ["cache-control", "no-cache"],
      ]
    ) assertEquals(headers.get(name), value, `${path} ${name}`);
    const head = await test.ask(path, { method: "HEAD" });
    assertEquals([head.status, head.headers.get("content-type"), head.body], [200, type, ""]);
  }
});

Deno.test("a gateway without a page responds 404", async () => {
  await using test = await startWeb({}, { page: undefined });
  assertEquals(await test.refused("/"), [404, "not-found"]);
});

Deno.test("13.7 /healthz and /stats report the broker's state", async () => {
  await using test = await startWeb();
  const { status, body } = await test.ask("/healthz");
  assertEquals([status, body], [200, "ok\n"]);
  await test.pub("create", "1");
  const stats = await test.ask("/stats");
  const { published, connections } = JSON.parse(stats.body);
  assertEquals([stats.headers.get("content-type"), published, connections], ["application/json", 1, 0]);
  assertEquals(Object.keys(JSON.parse(stats.body)), Object.keys(test.server.broker.stats()));
});

Deno.test("13.8 the refusal of another path or method lists those that exist", async () => {
  await using test = await startWeb();
  for (const path of ["/nope", "/pub", "/page.js/", "/..%2fetc/passwd", "/constructor"]) {
    assertEquals(await test.refused(path), [404, "not-found"], path);
  }
  const wrong: [method: string, path: string, allowed: string][] = [
    ["POST", "/", "GET, HEAD, OPTIONS"],
    ["DELETE", "/stats", "GET, HEAD, OPTIONS"],
    ["GET", "/pub/create", "POST, OPTIONS"],
    ["HEAD", "/pub/create", "POST, OPTIONS"],
    ["PUT", "/pub/create", "POST, OPTIONS"],
    ["POST", "/events", "GET, HEAD, OPTIONS"],
    ["POST", "/ws", "GET, OPTIONS"],
  ];
  for (const [method, path, allowed] of wrong) {
    const { status, headers } = await test.ask(path, { method });
    assertEquals([status, headers.get("allow")], [405, allowed], `${method} ${path}`);
    const options = await test.ask(path, { method: "OPTIONS" });
    assertEquals([options.status, options.headers.get("allow")], [204, allowed], `OPTIONS ${path}`);
  }
  const { message } = JSON.parse((await test.ask("/stats/")).body);
  const there = "/, /page.js, /page.css, /favicon.svg, /ws, /healthz, /stats, /metrics, /events, /pub/NAME";
  assertEquals(message, `There is nothing at "/stats/"; the paths are ${there}`);
  const { status, headers } = await test.ask("/ws");
  assertEquals([status, headers.get("upgrade")], [426, "websocket"]);
  assertEquals(await test.refused("/ws"), [426, "no-upgrade"]);
});

Deno.test("13.10 a page of an allowed origin may send any header, also those of EventSource polyfills", async () => {
  await using test = await startWeb({}, { origins: ["https://a.example"] });
  const origin = "https://a.example";
  for (const headers of ["cache-control,last-event-id", "accept, authorization, content-type", "traceparent"]) {
    const asked = { "access-control-request-method": "GET", "access-control-request-headers": headers };
    const answer = await test.forged("OPTIONS /events", { origin, ...asked });
    assertEquals([answer.status, answer.headers.get("access-control-allow-headers")], [204, headers]);
    assertEquals(answer.headers.get("access-control-allow-origin"), origin);
    const other = await test.forged("OPTIONS /events", { origin: "https://b.example", ...asked });
    assertEquals([other.status, other.headers.get("access-control-allow-headers")], [403, null]);
  }
});

Deno.test("13.9 13.10 the refusal of a Host or an Origin names the flag that would allow it", async () => {
  await using test = await startWeb();
  const message = async (headers: Record<string, string>) =>
    JSON.parse((await test.forged("GET /stats", headers)).body).message;
  const refusedHost = (host: string) =>
    `Refused: the Host "${host}" is none of this gateway's, which are IP addresses, localhost, the host that it ` +
    "listens on, and the hosts of the origins that it allows";
  assertEquals(
    await message({ host: "teacher.local:8080" }),
    `${refusedHost("teacher.local:8080")}; to allow it, start the broker with --web-origin http://teacher.local:8080`,
  );
  assertEquals(await message({ host: "a b" }), refusedHost("a b"));
  for (const host of ["a;reboot", "a$(reboot)", "a&b", "a'b", "a`b`"]) {
    assertEquals(await message({ host }), refusedHost(host));
  }
  const refused = (origin: string) => `Refused: this gateway does not allow pages of the origin ${origin}`;
  assertEquals(
    await message({ origin: "http://localhost:5173" }),
    `${refused('"http://localhost:5173"')}; to allow it, start the broker with --web-origin http://localhost:5173`,
  );
  assertEquals(await message({ origin: "null" }), refused('"null"'));
  assertEquals(await message({ origin: "http://a.example;reboot" }), refused('"http://a.example;reboot"'));
  assertEquals((await message({ origin: `http://${"x".repeat(3000)}` })).length < 200, true);
});

Deno.test("13.14 an unknown parameter is refused by its name, at every path", async () => {
  await using test = await startWeb({}, { page: PAGE });
  const message = async (path: string, init?: RequestInit) => {
    const answer = await test.ask(path, init);
    assertEquals(refusalIn(answer), [400, "bad-parameter"], path);
    return JSON.parse(answer.body).message;
  };
  const taken = (name: string, path: string, known: string) =>
    `Cannot take the parameter "${name}": "${path}" takes ${known}`;
  for (const path of ["/", "/page.js", "/ws", "/healthz", "/stats", "/metrics"]) {
    assertEquals(await message(`${path}?x=1`), taken("x", path, "none"));
  }
  assertEquals(await message("/events?patterns=create"), taken("patterns", "/events", "pattern, since, lastEventId"));
  assertEquals(
    await message("/events?pattern=create&Pattern=x"),
    taken("Pattern", "/events", "pattern, since, lastEventId"),
  );
  assertEquals(await message("/pub/create?x", { method: "POST" }), taken("x", "/pub/create", "none"));
  assertEquals(test.server.told("mq.connect"), []);
  assertEquals((await test.ask("/healthz?")).status, 200);
});

/** Requests every path that does something, with forged headers. */
async function requestAll(test: TestWeb, headers: Record<string, string>): Promise<[status: number, code: string][]> {
  const answers = [
    await test.forged("GET /", headers),
    await test.forged("POST /pub/create", headers, "1"),
    await test.forged("GET /events", headers),
    await test.forged("GET /stats", headers),
    await test.forged("GET /ws", { ...UPGRADE, ...headers, connection: "upgrade, close" }),
  ];
  return answers.map(refusalIn);
}

Deno.test("13.10 a page of another origin can neither publish, nor subscribe, nor open a WebSocket, nor read anything", async () => {
  await using test = await startWeb();
  for (const origin of ["http://evil.example", "http://127.0.0.1:1", `https://${test.host}`, "null"]) {
    assertEquals(await requestAll(test, { origin }), Array(5).fill([403, "bad-origin"]), origin);
  }
  const image = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" };
  assertEquals(await requestAll(test, image), Array(5).fill([403, "bad-origin"]));
  assertEquals(test.server.broker.stats().published, 0);
  assertEquals(test.server.told("mq.connect"), []);
});

Deno.test("13.9 a request for a host name that is not the gateway's is refused at every path", async () => {
  await using test = await startWeb();
  for (const host of ["evil.example", `evil.example:${test.port}`, "localhost.evil.example", ""]) {
    assertEquals(await requestAll(test, { host, origin: `http://${host}` }), Array(5).fill([421, "bad-host"]), host);
  }
  assertEquals(test.server.told("mq.connect"), []);
});

Deno.test("13.10 the gateway's own page is allowed everything", async () => {
  await using test = await startWeb();
  for (const host of [test.host, `localhost:${test.port}`, `[::1]:${test.port}`]) {
    const { status } = await test.forged("POST /pub/create", { host, origin: `http://${host}` }, "1");
    assertEquals(status, 202, host);
  }
  const socket = await test.upgraded({ origin: `http://${test.host}` });
  assertEquals(await socket.lines.next(), "HTTP/1.1 101 Switching Protocols\r");
});

Deno.test("13.10 a page of an allowed origin is allowed everything, too, with CORS headers", async () => {
  await using test = await startWeb({}, { origins: ["https://A.example"] });
  const origin = "https://a.example";
  const answer = await test.forged("POST /pub/create", { origin }, "1");
  assertEquals([answer.status, answer.headers.get("access-control-allow-origin")], [202, origin]);
  assertStringIncludes(answer.headers.get("vary") ?? "", "origin");
  const refused = await test.forged("POST /pub/archive", { origin }, "1");
  assertEquals([refused.status, refused.headers.get("access-control-allow-origin")], [404, origin]);
  const asked = await test.forged("OPTIONS /pub/create", { origin, "access-control-request-method": "POST" });
  assertEquals([asked.status, asked.headers.get("access-control-allow-methods")], [204, "POST, OPTIONS"]);
  const socket = await test.upgraded({ origin });
  assertEquals(await socket.lines.next(), "HTTP/1.1 101 Switching Protocols\r");
  assertEquals((await test.forged("GET /stats", { origin: "https://b.example" })).status, 403);
});

Deno.test("13.11 without a valid token, if the broker has tokens, only the page and /healthz respond", async () => {
  await using test = await startWeb({ tokens: TOKENS });
  for (const authorization of [undefined, "Bearer guess", "Basic everything", "Bearer everything2"]) {
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    for (const path of ["/stats", "/metrics", "/events"]) {
      const answer = await test.ask(path, { headers });
      assertEquals(refusalIn(answer), [401, "unauthorized"], `${path} ${authorization}`);
      assertEquals(answer.headers.get("www-authenticate"), "Bearer");
    }
    assertEquals(await test.refused("/pub/create", { method: "POST", headers }), [401, "unauthorized"]);
  }
  for (const path of ["/", "/page.js", "/healthz"]) assertEquals((await test.ask(path)).status, 200, path);
});

Deno.test("13.11 a token allows what its scope permits", async () => {
  await using test = await startWeb({ tokens: TOKENS });
  const headers = (token: string) => ({ authorization: `Bearer ${token}` });
  const post = (token: string) => test.ask("/pub/create", { method: "POST", headers: headers(token), body: "1" });
  assertEquals((await post("everything")).status, 202);
  assertEquals((await post("publishes")).status, 202);
  assertEquals(refusalIn(await post("listens")), [403, "forbidden"]);
  assertEquals(await test.refused("/events", { headers: headers("publishes") }), [403, "forbidden"]);
  for (const token of ["everything", "listens"]) {
    const response = await fetch(`http://${test.host}/events`, { headers: headers(token) });
    assertEquals(response.status, 200);
    await response.body!.cancel();
  }
  for (const { token } of TOKENS) {
    assertEquals((await test.ask("/stats", { headers: headers(token) })).status, 200);
    assertEquals((await test.ask("/metrics", { headers: headers(token) })).status, 200);
  }
});

Deno.test("a gateway with a certificate uses TLS", async () => {
  const read = (name: string) => Deno.readTextFileSync(new URL(`../files/${name}`, import.meta.url));
  const tls = { cert: read("cert.pem"), key: read("key.pem") };
  await using test = await startWeb({}, { hostname: "localhost", tls });
  using client = Deno.createHttpClient({ caCerts: [tls.cert] });
  const url = test.web.url;
  assertEquals(url, `https://localhost:${test.port}/`);
  const response = await fetch(`${url}pub/create`, { method: "POST", client, headers: { origin: url.slice(0, -1) } });
  assertEquals([response.status, JSON.parse(await response.text()).receivers], [202, 0]);
});

Deno.test("serveWeb reports invalid addresses and origins", async () => {
  await using test = await startWeb();
  const { broker } = test.server;
  const code = async (options: Parameters<typeof serveWeb>[1]) =>
    (await assertRejects(() => serveWeb(broker, { hostname: "127.0.0.1", port: 0, ...options }), MqError)).code;
  assertEquals(await code({ port: test.port }), "address-in-use");
  assertEquals(await code({ hostname: "192.0.2.1" }), "cannot-listen");
  assertEquals(await code({ origins: ["a.example"] }), "bad-origin");
  assertEquals(await code({ tls: { cert: "x", key: "y" } }), "bad-certificate");
});

Deno.test("on localhost the gateway listens on both loopback addresses, and a browser reaches it by name", async () => {
  await using server = await startBroker();
  await using web = await serveWeb(server.broker, { port: 0 });
  const [{ port }] = web.addrs;
  assertEquals(web.url, `http://localhost:${port}/`);
  assertEquals(web.addrs.every((addr) => addr.port === port), true);
  for (const { hostname } of web.addrs) {
    const host = hostname.includes(":") ? `[${hostname}]` : hostname;
    assertEquals(await (await fetch(`http://${host}:${port}/healthz`)).text(), "ok\n");
  }
});

Deno.test({
  name: "13.7 promtool accepts /metrics while events are published",
  ignore: !has("promtool"),
  fn: async () => {
    await using test = await startWeb({ limits: { lineBytes: 50_000, outboxBytes: 64 * 1024 }, slow: "drop" });
    const [publisher, slow] = await test.server.connect(2);
    await slow.ask("/hello");
    await publisher.ask("/unsub >");
    const events = `${`create ${"x".repeat(1000)}\n`.repeat(20)}archive 1\nbad..name\n/ping\n`;
    while (test.server.broker.stats().dropped === 0) {
      await publisher.send(events);
      await publisher.lines.find("/pong");
    }
    const { headers, body } = await test.ask("/metrics");
    assertEquals(headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assertEquals(await lintMetrics(body), "");
    const value = (name: string) => Number(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, "m").exec(body)?.[1]);
    for (
      const name of [
        "mq_events_published_total",
        "mq_events_delivered_total",
        "mq_events_unrecognized_total",
        "mq_events_dropped_total",
        "mq_lines_refused_total",
        "mq_slow_consumers_total",
        "mq_connections",
        "mq_queued_bytes",
        "mq_build_info",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
      ]
    ) assert(value(name) > 0, name);
    assertStringIncludes(body, "\nmq_dropped_bytes_total ");
    assert(value("mq_events_published_total") <= test.server.broker.stats().published);
  },
});

Deno.test("13.7 /metrics reads the broker's counters each time", async () => {
  await using test = await startWeb();
  const published = async () => /^mq_events_published_total (\d+)$/m.exec((await test.ask("/metrics")).body)?.[1];
  assertEquals(await published(), "0");
  await test.pub("create");
  await test.pub("create");
  assertEquals([await published(), await published()], ["2", "2"]);
});

Deno.test("closing the gateway ends its WebSockets and event streams, but not the broker", async () => {
  const test = await startWeb();
  const [listener] = await test.server.connect(1);
  const socket = await test.socket();
  assertEquals(await socket.ask("/ping"), "/pong");
  const events = await fetch(`http://${test.host}/events`);
  await until(() => test.server.broker.stats().connections === 3, "all are connected");
  const closing = test.web.close();
  await closing;
  assertEquals((await socket.closed).code, 1000);
  await events.text().catch(() => {});
  await until(() => test.server.broker.stats().connections === 1, "only the listener is connected");
  assertEquals(await listener.ask("/ping"), "/pong");
  assertEquals(test.web.close(), closing);
  await test[Symbol.asyncDispose]();
});

for (const trigger of ["mq.connect", "mq.subscribe", "mq.http", "mq.disconnect", "mq.drain", "a published event"]) {
  Deno.test(`the gateway can be closed from a callback of the broker: at ${trigger}`, async () => {
    const closings = new Set<Promise<void>>();
    const close = () => void closings.add(test.web.close()).add(test.web.close());
    const test = await startWeb({
      limits: { drainMs: 60_000 }, // Nothing may have to be cut off.
      onSystemEvent: (name, data) => {
        test.server.activities.push({ name, data });
        if (name === trigger) close();
      },
      onPublish: () => trigger === "a published event" && close(),
    });
    const asked = Promise.allSettled([test.ask("/events"), test.pub("create")]);
    await until(() => test.server.told("mq.http").length === 1 || closings.size > 0, "the event is published");
    if (trigger === "mq.disconnect") {
      const [client] = await test.server.connect(1);
      await client.line("/quit");
    }
    if (trigger === "mq.drain") await test.server.broker.close();
    await soon(asked, "the end of both requests");
    assertEquals(closings.size, 1);
    await Promise.all(closings);
    await assertRejects(() => fetch(`http://${test.host}/healthz`));
    await test[Symbol.asyncDispose]();
  });
}

Deno.test("13.13 closing the broker ends WebSockets and event streams, and later requests are refused", async () => {
  await using test = await startWeb();
  const socket = await test.socket();
  await socket.ask("/ping");
  const events = await fetch(`http://${test.host}/events?pattern=create`);
  await test.server.broker.close();
  await socket.expect("/bye The broker is going down", undefined);
  assertEquals(await events.text(), ": The broker is going down\n\n");
  assertEquals(refusalIn(await test.pub("create", "1")), [503, "draining"]);
  assertEquals(await test.refused("/events"), [503, "draining"]);
  assertEquals((await test.ask("/healthz")).status, 200);
});

Deno.test("closing takes no longer than the drain time, even if clients do not read or finish a request", async () => {
  const test = await startWeb({ limits: { drainMs: 100, lineBytes: 50_000, outboxBytes: 64 * 1024 } });
  const silent = await test.upgraded();
  await silent.lines.find("101");
  const listening = await test.raw();
  await listening.send(`GET /events HTTP/1.1\r\nhost: ${test.host}\r\n\r\n`);
  await listening.lines.find("200 OK");
  const uploading = await test.raw();
  await uploading.send(`POST /pub/create HTTP/1.1\r\nhost: ${test.host}\r\ncontent-length: 100\r\n\r\nhalf`);
  await until(() => test.server.broker.stats().connections === 2, "both are connected");
  await test[Symbol.asyncDispose]();
  assertEquals(test.server.broker.stats().connections, 0);
});
