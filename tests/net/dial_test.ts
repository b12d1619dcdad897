import { assertEquals, assertRejects } from "@std/assert";
import { dial } from "../../lib/net/dial.ts";
import { unreachableError } from "../../lib/net/connection_errors.ts";
import { ConnectionError, TimeoutError } from "../../lib/protocol/errors.ts";
import { mq, Program } from "../helpers.ts";

const LOOKUP = "failed to lookup address information: ";

/** What the runtime throws, on several systems and in several versions; and what is said of it. */
const FAILURES: [cause: Error, code: string, message: string][] = [
  [
    new Deno.errors.ConnectionRefused("Connection refused (os error 111)"),
    "unreachable",
    "No broker answers at shop:1",
  ],
  [new TimeoutError("timeout", "No answer within 5000 ms"), "unreachable", "No answer from shop:1 within 5 s"],
  [
    new Error("No route to host (os error 113)"),
    "unreachable",
    "No broker answers at shop:1: No route to host",
  ],
  [
    new Error(`${LOOKUP}Name or service not known`),
    "no-such-host",
    'Cannot find the host "shop": Name or service not known',
  ],
  [
    new Error(`${LOOKUP}nodename nor servname provided, or not known`),
    "no-such-host",
    'Cannot find the host "shop": nodename nor servname provided, or not known',
  ],
  [
    new Error(`${LOOKUP}No such host is known. (os error 11001)`),
    "no-such-host",
    'Cannot find the host "shop": No such host is known.',
  ],
  [
    new URIError("invalid host 'shop': empty label found in FQDN"),
    "no-such-host",
    `Cannot find the host "shop": invalid host 'shop': empty label found in FQDN`,
  ],
  [
    new Error(`${LOOKUP}Temporary failure in name resolution`),
    "unreachable",
    'Cannot look up "shop": Temporary failure in name resolution',
  ],
];

for (const [cause, code, message] of FAILURES) {
  Deno.test(`unreachableError reports for "${cause.message}" what was observed`, () => {
    const error = unreachableError({ hostname: "shop", port: 1, tls: false }, 5000, cause);
    assertEquals([error.code, error.message, error.cause], [code, message, cause]);
  });
}

/** No name: no server is asked for it. */
const NO_NAME = "a..b";

/** Deno 2.4 forgets what could have cancelled a look-up that fails. */
const sanitizeResources = !Deno.version.deno.startsWith("2.4.");

Deno.test("dial rejects with no-such-host for a name that cannot exist", { sanitizeResources }, async () => {
  const address = { hostname: NO_NAME, port: 1, tls: false };
  const error = await assertRejects(() => dial(address, { timeoutMs: 60_000 }), ConnectionError);
  assertEquals(error.code, "no-such-host");
});

for (const args of ["logger", "app", "on create -- true", "pub create", "why create", "top --once"]) {
  Deno.test(`mq ${args} exits if its broker's name cannot be resolved, without a hint`, async () => {
    const [command, ...rest] = args.split(" ");
    const { code, stderr } = await mq([command, "-s", `${NO_NAME}:1`, ...rest]);
    assertEquals([code, stderr.split("\n").length, stderr.includes("mq server")], [1, 2, false], stderr);
    assertEquals(stderr.startsWith(`mq ${command}: Cannot find the host "${NO_NAME}": `), true, stderr);
  });
}

Deno.test("mq pub reports that a suspended broker accepts connections and does not respond", async () => {
  await using server = new Program(["server", "--port", "0", "--host", "127.0.0.1"]);
  const [, port] = /:(\d+)/.exec((await server.stdout.next())!)!;
  server.kill("SIGSTOP");
  const { code, stderr } = await mq(["pub", "create", "-s", `127.0.0.1:${port}`]);
  assertEquals([code, stderr], [
    1,
    `mq pub: The program at 127.0.0.1:${port} accepted the connection, but did not answer within 5 s\n`,
  ]);
});

Deno.test("mq logger reports that the port of a broker's page speaks HTTP", async () => {
  await using server = new Program(["server", "--port", "0", "--host", "127.0.0.1", "--web", "127.0.0.1:0"]);
  const [, port] = /http:\/\/127\.0\.0\.1:(\d+)/.exec(await server.stdout.find("Web page:"))!;
  const { code, stderr } = await mq(["logger", "-s", `127.0.0.1:${port}`]);
  assertEquals([code, stderr], [
    1,
    `mq logger: The program at 127.0.0.1:${port} speaks HTTP, and not the lines of an mq broker\n`,
  ]);
});
