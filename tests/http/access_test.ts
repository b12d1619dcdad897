import { assertEquals, assertThrows } from "@std/assert";
import { type AccessPolicy, bearerToken, checkAccess, parseOrigin } from "../../lib/http/access.ts";
import { MqError } from "../../mod.ts";

const POLICY: AccessPolicy = { isSecure: false, hostname: "localhost", origins: [] };

/** The other origin that is allowed, undefined, or the code of the refusal. */
function check(
  headers: Record<string, string>,
  policy: Partial<AccessPolicy> = {},
  method = "GET",
): string | undefined {
  try {
    return checkAccess({ method, headers: new Headers(headers) }, { ...POLICY, ...policy });
  } catch (error) {
    return (error as MqError).code;
  }
}

Deno.test("checkAccess accepts the gateway's addresses, localhost and the given host names", () => {
  for (const host of ["127.0.0.1:8080", "10.1.2.3", "[::1]:8080", "localhost", "LOCALHOST:8080", "mq.localhost:80"]) {
    assertEquals(check({ host }), undefined, host);
  }
  for (
    const host of ["evil.example", "localhost.evil.example", "xlocalhost", "127.0.0.1.evil.example", "", "a b", "@"]
  ) {
    assertEquals(check({ host }), "bad-host", host);
  }
  assertEquals(check({}), "bad-host");
  assertEquals(check({ host: "teacher.local:8080" }, { hostname: "Teacher.local" }), undefined);
  assertEquals(check({ host: "teacher.local:8080" }, { origins: ["http://teacher.local:8080"] }), undefined);
});

Deno.test("checkAccess allows the gateway's own page and allowed origins, and no other", () => {
  const from = (origin: string, policy?: Partial<AccessPolicy>) => check({ host: "localhost:8080", origin }, policy);
  assertEquals(from("http://localhost:8080"), undefined);
  for (
    const origin of [
      "http://localhost:3000",
      "http://localhost",
      "https://localhost:8080",
      "http://127.0.0.1:8080",
      "http://evil.example",
      "null",
      "",
    ]
  ) assertEquals(from(origin), "bad-origin", origin);
  assertEquals(from("https://localhost:8080", { isSecure: true }), undefined);
  assertEquals(from("https://a.example", { origins: ["https://a.example"] }), "https://a.example");
  assertEquals(from("https://b.example", { origins: ["https://a.example"] }), "bad-origin");
  assertEquals(from("null", { origins: ["https://a.example"] }), "bad-origin");
  assertEquals(check({ host: "localhost", origin: "http://localhost" }), undefined);
});

Deno.test("checkAccess refuses a cross-site image, but allows a link", () => {
  const site = (site: string, mode: string) =>
    check({ host: "localhost:8080", "sec-fetch-site": site, "sec-fetch-mode": mode });
  assertEquals(site("same-origin", "cors"), undefined);
  assertEquals(site("none", "navigate"), undefined);
  assertEquals(site("cross-site", "navigate"), undefined);
  assertEquals(site("cross-site", "no-cors"), "bad-origin");
  assertEquals(site("same-site", "no-cors"), "bad-origin");
});

Deno.test("checkAccess refuses a form of another site, which is sent as a navigation", () => {
  const post = (site: string) =>
    check({ host: "localhost:8080", "sec-fetch-site": site, "sec-fetch-mode": "navigate" }, {}, "POST");
  assertEquals(["cross-site", "same-site", "same-origin", "none"].map(post), [
    "bad-origin",
    "bad-origin",
    undefined,
    undefined,
  ]);
});

Deno.test("parseOrigin reads an origin as browsers write it, and nothing else", () => {
  assertEquals(parseOrigin("http://LOCALHOST:3000"), "http://localhost:3000");
  assertEquals(parseOrigin("http://a.example:80"), "http://a.example");
  for (const text of ["", "*", "null", "a.example", "ftp://a.example", "http://a.example/x", "http://u@a.example"]) {
    assertEquals(assertThrows(() => parseOrigin(text), MqError).code, "bad-origin", text);
  }
});

Deno.test("bearerToken returns what follows Bearer", () => {
  const token = (authorization: string) => bearerToken(new Headers({ authorization }));
  assertEquals(token("Bearer s3cret"), "s3cret");
  assertEquals(token("bearer  s3cret"), "s3cret");
  assertEquals(token("Basic s3cret"), undefined);
  assertEquals(token("Bearer"), undefined);
  assertEquals(token("Bearer \t s3cret"), "s3cret");
  assertEquals(token("Bearers3cret"), undefined);
  assertEquals(token("Bearer two words"), "two words"); // Which no token is.
  assertEquals(bearerToken(new Headers()), undefined);
});
