/** Arguments in; stdout, stderr and exit code out: every command, used well and used badly. */
import { assertEquals, assertMatch } from "@std/assert";
import { VERSION } from "../../lib/protocol/version.ts";
import { mq, startBroker } from "../helpers.ts";

interface Row {
  args: string;
  stdin?: string;
  env?: Record<string, string>;
  code: number;
  /** Exactly this text, or what matches; nothing at all if it is left out. */
  stdout?: string | RegExp;
  stderr?: string | RegExp;
}

/** In a row, PORT is the port of a broker that runs, and NOBODY one on which nobody listens. */
const NOBODY = "1";

const NO_COMMAND_LINE = "mq on: it needs -- and then COMMAND [ARGS...]\nTry: mq on create -- cat\n";

const ROWS: Row[] = [
  // mq
  { args: "--version", code: 0, stdout: `mq ${VERSION}\n` },
  { args: "-V", code: 0, stdout: `mq ${VERSION}\n` },
  {
    args: "--help",
    code: 0,
    stdout: /^mq .*\n\nUsage: mq COMMAND \[arguments\]\n\nCommands:\n {2}server {12}runs the broker, /,
  },
  { args: "-h", code: 0, stdout: /^mq / },
  { args: "help", code: 0, stdout: /^mq / },
  { args: "", code: 2, stderr: "mq: it needs a command\nTry: mq demo, or mq --help\n" },
  { args: "sevrer", code: 2, stderr: "mq: unknown command sevrer\nTry: mq server\n" },
  {
    args: "frobnicate",
    code: 2,
    stderr:
      "mq: unknown command frobnicate\nTry: one of server, logger, app, pub, cancel, events, on, request, reply, why, top, log, groups, dead, store, demo, bench, completions, or mq --help\n",
  },
  {
    args: "--frobnicate",
    code: 2,
    stderr: "mq: unknown flag --frobnicate\nTry: mq --help\n",
  },
  { args: "version", code: 0, stdout: `mq ${VERSION}\n` },
  { args: "help help", code: 0, stdout: /^mq / },
  { args: "publish", code: 2, stderr: "mq: unknown command publish\nTry: mq pub\n" },
  { args: "help logge", code: 2, stderr: "mq: unknown command help logge\nTry: mq help logger\n" },
  { args: "help logger app", code: 2, stderr: "mq: help takes one command\nTry: mq help server\n" },

  // mq bench
  {
    args: "bench",
    code: 2,
    stderr: "mq: bench needs a second word\nTry: mq bench throughput, or mq bench --help\n",
  },
  { args: "bench througput", code: 2, stderr: "mq: unknown command bench througput\nTry: mq bench throughput\n" },
  { args: "bench --help", code: 0, stdout: /^mq bench throughput: [^]*^mq bench latency: [^]*^mq bench connect: /m },
  { args: "help bench", code: 0, stdout: /^mq bench throughput: [^]*^mq bench latency: [^]*^mq bench connect: /m },
  {
    args: "bench throughput --subs many",
    code: 2,
    stderr:
      'mq bench throughput: --subs takes a whole number, 0 to 10000, not "many"\nTry: mq bench throughput --help\n',
  },
  {
    args: `bench latency -s 127.0.0.1:${NOBODY}`,
    code: 1,
    stderr: `mq bench latency: No broker answers at 127.0.0.1:${NOBODY}; start one with: ` +
      `mq server --host 127.0.0.1 --port ${NOBODY} --events 'bench.*', or omit -s\n`,
  },
  {
    args: "bench connect -s 127.0.0.1:PORT",
    code: 2,
    stderr: "mq bench connect: the broker at 127.0.0.1:PORT does not recognize bench.0\n" +
      "Try: mq server --host 127.0.0.1 --port PORT --events 'bench.*', or omit -s\n",
  },

  // mq server
  {
    args: "server --host 127.0.0.1 --port PORT",
    code: 1,
    stderr: "mq server: Cannot listen on 127.0.0.1:PORT: the port is in use; " +
      "choose another port with --port, or try again when it is free\n",
  },
  {
    args: "server --host 192.0.2.1 --port 0",
    code: 1,
    stderr: /^mq server: Cannot listen on 192\.0\.2\.1:0: .*; --host must be a name or an address of this machine\n$/,
  },
  {
    args: "server --port 65536",
    code: 2,
    stderr: 'mq server: --port takes a whole number, 0 to 65535, not "65536"\nTry: mq server --help\n',
  },
  {
    args: "server --port=-1",
    code: 2,
    stderr: 'mq server: --port takes a whole number, 0 to 65535, not "-1"\nTry: mq server --help\n',
  },
  {
    args: "server --port 0x10",
    code: 2,
    stderr: 'mq server: --port takes a whole number, 0 to 65535, not "0x10"\nTry: mq server --help\n',
  },
  {
    args: "server --classic xml",
    code: 2,
    stderr: 'mq server: --classic takes text or json, not "xml"\nTry: mq server --help\n',
  },
  {
    args: "server --classic-port 3002",
    code: 2,
    stderr: "mq server: --classic-port needs --classic\nTry: mq server --classic json --classic-port 3002\n",
  },
  {
    args: "server --classic text",
    env: { MQ_TOKEN: "s3cret" },
    code: 2,
    stderr:
      "mq server: --classic admits clients that cannot use a token\nTry: a second broker for classic clients, without --token-file and MQ_TOKEN\n",
  },
  {
    args: "server --port 0 --classic json --classic-port PORT --host 127.0.0.1",
    code: 1,
    stderr: "mq server: Cannot listen on 127.0.0.1:PORT: the port is in use; " +
      "choose another port with --classic-port, or try again when it is free\n",
  },
  {
    args: "server --slow",
    code: 2,
    stderr: "mq server: --slow needs a value: disconnect or drop\nTry: mq server --help\n",
  },
  { args: "server --port", code: 2, stderr: "mq server: --port needs a value: PORT\nTry: mq server --help\n" },
  { args: "server --port --json", code: 2, stderr: "mq server: --port needs a value: PORT\nTry: mq server --help\n" },
  { args: "server --prot=1", code: 2, stderr: "mq server: unknown flag --prot\nTry: mq server --port 1\n" },
  { args: "server --frobnicate", code: 2, stderr: "mq server: unknown flag --frobnicate\nTry: mq server --help\n" },
  { args: "server --constructor", code: 2, stderr: "mq server: unknown flag --constructor\nTry: mq server --help\n" },
  { args: "server --json=junk", code: 2, stderr: "mq server: --json takes no value\nTry: mq server --help\n" },
  { args: "server --json --json", code: 2, stderr: "mq server: --json is given twice\nTry: mq server --help\n" },
  {
    args: "server here",
    code: 2,
    stderr: 'mq server: unexpected argument "here"\nTry: mq server --help\n',
  },
  {
    args: "server --events ,",
    code: 2,
    stderr: 'mq server: --events takes a list separated by commas, not ","\nTry: mq server --help\n',
  },
  {
    args: "server --events a..b",
    code: 2,
    stderr: 'mq server: Cannot read "a..b" as a pattern: it takes a name in which "*" may stand for a token, ' +
      "and a last \">\" for the rest\nTry: mq server --events 'order.*,user.>'\n",
  },
  {
    args: "server --events mq.>",
    code: 2,
    stderr:
      'mq server: Cannot recognize "mq.>": names that begin with "mq." belong to the broker\nTry: mq server --events \'order.*,user.>\'\n',
  },

  {
    args: "server --events nowhere.json",
    code: 2,
    stderr: "mq server: --events: no such file: nowhere.json\nTry: mq server --help\n",
  },

  // mq logger
  { args: "logger -s 127.0.0.1:PORT --wait 300ms", code: 124 },
  {
    args: "logger -s 127.0.0.1:PORT --wait 300ms -n 2 create",
    code: 124,
    stderr: "mq logger: received 0 of 2 events in 0.3 s\n",
  },
  {
    args: "logger -s 127.0.0.1:PORT --wait 300ms creat error",
    code: 124,
    stderr: 'mq logger: the broker recognizes no event that "creat" matches; ' +
      "it recognizes create, read, update, delete, error\n",
  },
  {
    args: `logger -s 127.0.0.1:${NOBODY} --wait 300ms`,
    code: 124,
    stderr: `mq logger: No broker answers at 127.0.0.1:${NOBODY}; waiting for it ` +
      `(start one with: mq server --host 127.0.0.1 --port ${NOBODY})\n`,
  },
  {
    args: "logger a..b",
    code: 2,
    stderr: 'mq logger: Cannot read "a..b" as a pattern: it takes a name in which "*" may stand for a token, ' +
      'and a last ">" for the rest\nTry: mq logger --help\n',
  },
  {
    args: "logger -n 0",
    code: 2,
    stderr: 'mq logger: --count takes a whole number, 1 or more, not "0"\nTry: mq logger --help\n',
  },
  {
    args: "logger -n -1",
    code: 2,
    stderr: 'mq logger: --count takes a whole number, 1 or more, not "-1"\nTry: mq logger --help\n',
  },
  {
    args: "logger --wait 5",
    code: 2,
    stderr:
      'mq logger: --wait takes a duration such as 500ms, 2s or 1m, not "5"; did you mean 5s?\nTry: mq logger --wait 5s\n',
  },
  {
    args: "logger -s",
    code: 2,
    stderr: "mq logger: --server needs a value: HOST:PORT\nTry: mq logger --help\n",
  },
  {
    args: "logger -s http://localhost:3001",
    code: 2,
    stderr: 'mq logger: --server: Cannot read "http://localhost:3001" as a broker\'s address: ' +
      "it takes HOST:PORT or mq://HOST:PORT, or mqs:// for TLS\nTry: mq logger -s localhost:3001\n",
  },
  {
    args: "logger",
    env: { MQ_URL: "mq://here:port" },
    code: 2,
    stderr: 'mq logger: MQ_URL: Cannot read "mq://here:port" as a broker\'s address: ' +
      "it takes HOST:PORT or mq://HOST:PORT, or mqs:// for TLS\nTry: mq logger -s localhost:3001\n",
  },
  { args: "logger -x", code: 2, stderr: "mq logger: unknown flag -x\nTry: mq logger --help\n" },

  {
    args: "logger -s 127.0.0.1:PORT --name mq",
    code: 1,
    stderr: 'mq logger: Cannot read /hello: "name" takes one word of at most 64 characters, other than "mq"\n',
  },

  // mq app
  {
    args: "app -s 127.0.0.1:PORT --seed 4 --count 3 --every 1ms",
    code: 0,
    stdout: 'update {"table":"songs","id":23,"changed":{"name":"Frances"}}\n' +
      'create {"table":"orders","id":55,"name":"Barbara"}\narchive {"table":"users","id":3}\n',
    stderr: /^mq app: 3 events sent, 1 of them not recognized; one connection for all, \d.* each on average\n$/,
  },
  {
    args: "app -s 127.0.0.1:PORT --seed 4 --count 3 --every 1ms --once-per-connection",
    code: 0,
    // Each has a connection of its own, and connections have no order among them.
    stdout: /^(?=[^]*update \{)(?=[^]*create \{)(?=[^]*archive \{)(?:.+\n){3}$/,
    stderr: /^mq app: 3 events sent, 1 of them not recognized; a connection for each, \d.* each on average\n$/,
  },
  {
    args: "app -s 127.0.0.1:PORT --seed 1 --count 1 --events read --json",
    code: 0,
    stdout: /^\{"id":"\w{26}","at":"[^"]+Z","from":"app","event":"read","data":\{"table":"\w+","id":\d+\}\}\n$/,
    stderr: /^mq app: 1 event sent, 0 of them not recognized; /,
  },
  {
    args: "app --events order.*",
    code: 2,
    stderr: 'mq app: Cannot read "order.*" as an event\'s name: it takes letters, digits, "_" and "-", ' +
      "joined by single dots\nTry: mq app --events order.created,order.paid\n",
  },
  {
    args: "app --every soon",
    code: 2,
    stderr: 'mq app: --every takes a duration such as 500ms, 2s or 1m, not "soon"\nTry: mq app --help\n',
  },
  {
    args: "app --every 0ms",
    code: 2,
    stderr: 'mq app: --every takes a duration such as 500ms, 2s or 1m, not "0ms"\nTry: mq app --help\n',
  },
  {
    args: "app --seed x",
    code: 2,
    stderr: 'mq app: --seed takes a whole number, 0 or more, not "x"\nTry: mq app --help\n',
  },
  {
    args: "app create",
    code: 2,
    stderr: 'mq app: unexpected argument "create"\nTry: mq app --help\n',
  },

  // mq pub
  { args: "pub create -s 127.0.0.1:PORT", code: 0, stderr: "mq pub: nobody received create\n" },
  {
    args: 'pub create {"id":1} --json -s 127.0.0.1:PORT',
    code: 0,
    stdout: /^\{"id":"\w{26}","at":"[^"]+Z","from":"pub","event":"create","data":\{"id":1\},"receivers":0\}\n$/,
    stderr: "mq pub: nobody received create\n",
  },
  {
    args: "pub create",
    env: { MQ_URL: "mq://127.0.0.1:PORT" },
    code: 0,
    stderr: "mq pub: nobody received create\n",
  },
  {
    args: "pub create - -s 127.0.0.1:PORT",
    stdin: "1\ntwo words\n\nno line end",
    code: 0,
    stderr: "mq pub: nobody received 4 of 4 events\n",
  },
  { args: "pub create - -s 127.0.0.1:PORT", stdin: "", code: 0 },
  {
    args: "pub create - -s 127.0.0.1:PORT",
    stdin: "a\rb\r\n\r",
    code: 0,
    stderr: "mq pub: nobody received 2 of 2 events\n",
  },
  {
    args: `pub create -s ${NOBODY}`,
    code: 1,
    stderr: `mq pub: No broker answers at localhost:${NOBODY}; start one with: mq server --port ${NOBODY}\n`,
  },
  {
    args: "pub create -s 127.0.0.1:PORT -- -5",
    code: 0,
    stderr: "mq pub: nobody received create\n",
  },
  {
    args: "pub create -5",
    code: 2,
    stderr: 'mq pub: unknown flag -5\nTry: put -- before an argument that begins with "-" and is not a flag\n',
  },
  {
    args: "pub bogus x -s 127.0.0.1:PORT",
    code: 1,
    stderr: 'mq pub: Dropped "bogus": this broker recognizes create, read, update, delete, error\n',
  },
  {
    args: "pub bogus - -s 127.0.0.1:PORT",
    stdin: "1\n2\n",
    code: 1,
    stderr: 'mq pub: line 1: Dropped "bogus": this broker recognizes create, read, update, delete, error (2 times)\n',
  },
  {
    args: `pub create -s 127.0.0.1:${NOBODY}`,
    code: 1,
    stderr: `mq pub: No broker answers at 127.0.0.1:${NOBODY}; ` +
      `start one with: mq server --host 127.0.0.1 --port ${NOBODY}\n`,
  },
  {
    args: "pub mq.connect -s 127.0.0.1:PORT",
    code: 2,
    stderr:
      'mq pub: Cannot publish "mq.connect": names that begin with "mq." belong to the broker\nTry: mq pub --help\n',
  },
  {
    args: "pub create --hops 256",
    code: 2,
    stderr: 'mq pub: --hops takes a whole number, 0 to 255, not "256"\nTry: mq pub --help\n',
  },
  {
    args: "pub create",
    env: { MQ_HOPS: "many" },
    code: 2,
    stderr: 'mq pub: MQ_HOPS takes a whole number, 0 to 255, not "many"\nTry: mq pub --help\n',
  },
  { args: "pub", code: 2, stderr: "mq pub: it needs NAME [DATA|-]\nTry: mq pub --help\n" },
  {
    args: "pub create hello world",
    code: 2,
    stderr: 'mq pub: unexpected argument "world"\n' +
      "Try: put data with spaces, quotes or braces in single quotes: mq pub create 'hello world'\n",
  },
  {
    args: "pub --help",
    code: 0,
    stdout: `mq pub: publishes one event, or one event per line of stdin

Usage: mq pub NAME [DATA|-] [flags]

DATA is JSON or plain text; - reads stdin, where each line is the data of one event.
It waits for the receipt of every event, and fails if one is refused. If the connection is lost, or Ctrl-C ends it,
it prints how many events were confirmed, uncertain and not sent, and exits with 1.
--in and --key need a broker with a store: mq server --store DIR. With --in it prints an id, by which mq cancel ID
takes the event back. With --key, try again with the same key if there was no receipt.

Flags:
  -s, --server HOST:PORT  The address of the broker; mqs://HOST:PORT for TLS. Default: $MQ_URL, or localhost:3001.
      --tls-ca FILE       The certificate, or CA certificate, to trust with mqs://. Default: $MQ_TLS_CA.
      --in DURATION       Publish it later: after 10s, 15m, 1h or up to 3650d. The broker keeps it until then.
      --key WORD          Publish it once, however often it is tried with this key within two minutes.
      --json-data         Refuse data that is not JSON.
      --json              Print one JSON object per line: {id, at, from, event, data}.
      --hops N            How many handlers republished the event; mq on stops loops. Default: $MQ_HOPS, or 0.
      --name WORD         The name of its connection. Default: pub.
  -h, --help              Show this help.

Examples:
  mq pub create                              an event without data
  mq pub create '{"id":1}'                   an object as data
  mq pub error 'disk full'                   text as data
  seq 3 | mq pub update -                    three events
  mq pub create --json-data - < objects.txt  one object per line; lines that are not JSON are refused
  mq pub create '{"id":1}' --in 1h           in an hour, also if the broker restarts meanwhile
  mq pub create '{"id":1}' --key cart-17     once, also if it is typed again
`,
  },

  // mq events
  { args: "events -s 127.0.0.1:PORT", code: 0, stdout: "create\nread\nupdate\ndelete\nerror\n" },
  { args: "events -s 127.0.0.1:PORT create --json", code: 0, stdout: '{"pattern":"create"}\n' },
  {
    args: "events -s 127.0.0.1:PORT archive",
    code: 1,
    stderr: "mq events: the broker does not recognize archive; mq events lists what it recognizes\n",
  },
  {
    args: "events order.*",
    code: 2,
    stderr: 'mq events: Cannot read "order.*" as an event\'s name: it takes letters, digits, "_" and "-", ' +
      "joined by single dots\nTry: mq events --help\n",
  },
  {
    args: `events -s 127.0.0.1:${NOBODY}`,
    code: 1,
    stderr: `mq events: No broker answers at 127.0.0.1:${NOBODY}; start one with: ` +
      `mq server --host 127.0.0.1 --port ${NOBODY}\n`,
  },

  // mq on
  { args: "on -s 127.0.0.1:PORT create -n 1", code: 2, stderr: NO_COMMAND_LINE },
  { args: "on", code: 2, stderr: NO_COMMAND_LINE },
  { args: "on create node -e 1", code: 2, stderr: NO_COMMAND_LINE },
  { args: "on create --", code: 2, stderr: NO_COMMAND_LINE },
  { args: "on -- cat", code: 2, stderr: "mq on: it needs PATTERN...\nTry: mq on --help\n" },
  {
    args: "on create node --help",
    code: 0,
    stdout: /^mq on: .*\n\nUsage: mq on PATTERN\.\.\. \[flags\] -- COMMAND \[ARGS/,
  },
  { args: "on create --frobnicate -- cat", code: 2, stderr: "mq on: unknown flag --frobnicate\nTry: mq on --help\n" },
  { args: "on create --emit -- cat", code: 2, stderr: "mq on: --emit needs a value: NAME\nTry: mq on --help\n" },
  {
    args: "on a..b -- cat",
    code: 2,
    stderr: 'mq on: Cannot read "a..b" as a pattern: it takes a name in which "*" may stand for a token, ' +
      'and a last ">" for the rest\nTry: mq on --help\n',
  },
  {
    args: "on create --concurrency 0 -- cat",
    code: 2,
    stderr: 'mq on: --concurrency takes a whole number, 1 or more, not "0"\nTry: mq on --help\n',
  },
  {
    args: "on update order.* --emit order.paid -- cat",
    code: 2,
    stderr: 'mq on: --emit order.paid: "order.*" matches it, which would be an endless loop\n' +
      "Try: another name, or patterns that do not match it\n",
  },
  {
    args: "on > --dead failed -- cat",
    code: 2,
    stderr: 'mq on: --dead failed: ">" matches it, which would be an endless loop\n' +
      "Try: another name, or patterns that do not match it\n",
  },
  {
    args: "on create --dead mq.failed -- cat",
    code: 2,
    stderr: 'mq on: Cannot publish "mq.failed": names that begin with "mq." belong to the broker\nTry: mq on --help\n',
  },
  {
    args: "on create --emit-lines -- cat",
    code: 2,
    stderr: "mq on: --emit-lines needs --emit\nTry: mq on create --emit update --emit-lines -- cat\n",
  },
  {
    args: "on create --emit made --dead failed -s 127.0.0.1:PORT -- cat",
    code: 1,
    stderr: "mq on: The broker at 127.0.0.1:PORT does not recognize made and failed; to admit them: " +
      "mq server --host 127.0.0.1 --port PORT --events 'create,read,update,delete,error,made,failed'\n",
  },

  // mq request
  { args: "request", code: 2, stderr: "mq request: it needs NAME [DATA|-]\nTry: mq request --help\n" },
  {
    args: "request create -s 127.0.0.1:PORT",
    code: 1,
    stderr: 'mq request: Nobody receives "create", so nobody can reply; ' +
      "start a handler with: mq reply create -- COMMAND\n",
  },
  {
    args: "request archive -s 127.0.0.1:PORT",
    code: 1,
    stderr: 'mq request: Dropped "archive": this broker recognizes create, read, update, delete, error\n',
  },
  {
    args: "request create hello world",
    code: 2,
    stderr: 'mq request: unexpected argument "world"\n' +
      "Try: put data with spaces, quotes or braces in single quotes: mq request create 'hello world'\n",
  },
  {
    args: "request create {id:1} --json-data",
    code: 2,
    stderr: "mq request: the data is not JSON: Expected property name or '}'\nTry: mq request create '{\"id\":1}'\n",
  },
  {
    args: "request create --timeout 0s",
    code: 2,
    stderr: /^mq request: --timeout takes .*\nTry: mq request --help\n$/,
  },
  {
    args: `request create -s 127.0.0.1:${NOBODY}`,
    code: 1,
    stderr: `mq request: No broker answers at 127.0.0.1:${NOBODY}; ` +
      `start one with: mq server --host 127.0.0.1 --port ${NOBODY}\n`,
  },
  {
    args: "request --help",
    code: 0,
    stdout: /^mq request: .*\n\nUsage: mq request NAME \[DATA\|-\] \[flags\]\n/,
  },

  // mq reply
  {
    args: "reply create",
    code: 2,
    stderr: "mq reply: it needs -- and then COMMAND [ARGS...]\nTry: mq reply read -- cat\n",
  },
  { args: "reply -- cat", code: 2, stderr: "mq reply: it needs PATTERN...\nTry: mq reply --help\n" },
  {
    args: "reply create --retry 2 -- cat",
    code: 2,
    stderr: "mq reply: unknown flag --retry\nTry: mq reply --help\n",
  },
  {
    args: "reply create --help",
    code: 0,
    stdout: /^mq reply: .*\n\nUsage: mq reply PATTERN\.\.\. \[flags\] -- COMMAND \[ARGS/,
  },

  // mq why
  {
    args: "why create -s 127.0.0.1:PORT",
    code: 0,
    stdout: /^ {10}┌─ broker ─+┐\ncreate ──▶│ recognized by │\n[^]*\n0 of 0 connections would receive it now\n$/,
  },
  {
    args: "why archive",
    env: { MQ_URL: "mq://127.0.0.1:PORT" },
    code: 0,
    stdout:
      /^[^]*│ not recognized │\n.*\nTo admit it: mq server --events 'create,read,update,delete,error,archive'\n0 of 0 /,
  },
  {
    args: "why creat -s 127.0.0.1:PORT",
    code: 0,
    stdout: /^[^]*│ not recognized │\n.*\nDid you mean create\?\nTo admit it: mq server --events /,
  },
  {
    args: "why archive --json -s 127.0.0.1:PORT",
    code: 0,
    stdout:
      '{"name":"archive","recognized":false,"by":null,"receivers":0,"hears":[],"hearsCount":0,"ignores":[],"ignoresCount":0}\n',
  },
  {
    args: "why a..b -s 127.0.0.1:PORT",
    code: 2,
    stderr: 'mq why: Cannot read "a..b" as an event\'s name: it takes letters, digits, "_" and "-", ' +
      "joined by single dots\nTry: mq why --help\n",
  },
  { args: "why", code: 2, stderr: "mq why: it needs NAME\nTry: mq why --help\n" },
  {
    args: "why create read",
    code: 2,
    stderr: 'mq why: unexpected argument "read"\nTry: mq why --help\n',
  },
  {
    args: `why create -s ${NOBODY}`,
    code: 1,
    stderr: `mq why: No broker answers at localhost:${NOBODY}; start one with: mq server --port ${NOBODY}\n`,
  },

  // mq top
  {
    args: "top --once --every 10ms -s 127.0.0.1:PORT",
    code: 0,
    stdout: /^mq\/\S+ at 127\.0\.0\.1:\d+ {2}up [^]*\n1 connection {2}[^]*\n {2}name .*\n· top [^\n]*\n$/,
  },
  {
    args: "top --once --json --every 10ms --sort queue",
    env: { MQ_URL: "mq://127.0.0.1:PORT" },
    code: 0,
    stdout: /^\{"at":"[^"]+Z","stats":\{"uptimeMs":.*\},"clients":\[\{.*"name":"top".*\}\]\}\n$/,
  },
  {
    args: "top --sort size",
    code: 2,
    stderr: "mq top: --sort takes name, published, delivered, queue, dropped or connected, " +
      'not "size"\nTry: mq top --help\n',
  },
  {
    args: "top --every 0s",
    code: 2,
    stderr: 'mq top: --every takes a duration such as 500ms, 2s or 1m, not "0s"\nTry: mq top --help\n',
  },
  {
    args: "top shop",
    code: 2,
    stderr: 'mq top: unexpected argument "shop"\nTry: mq top --help\n',
  },
  {
    args: `top --once -s ${NOBODY}`,
    code: 1,
    stderr: `mq top: No broker answers at localhost:${NOBODY}; start one with: mq server --port ${NOBODY}\n`,
  },

  // mq completions
  { args: "completions bash", code: 0, stdout: /^# Completions of mq for bash, [^]*\ncomplete -F _mq mq\n$/ },
  { args: "completions zsh", code: 0, stdout: /^#compdef mq\n[^]*compdef _mq mq; fi\n$/ },
  { args: "completions fish", code: 0, stdout: /^# Completions of mq for fish, [^]*\ncomplete -c mq .*\n$/ },
  { args: "completions", code: 2, stderr: "mq completions: it needs bash|zsh|fish\nTry: mq completions --help\n" },
  {
    args: "completions tcsh",
    code: 2,
    stderr: 'mq completions: it takes bash, zsh or fish, not "tcsh"\nTry: mq completions --help\n',
  },
  {
    args: "completions bash zsh",
    code: 2,
    stderr: 'mq completions: unexpected argument "zsh"\nTry: mq completions --help\n',
  },
  { args: "complet", code: 2, stderr: "mq: unknown command complet\nTry: mq completions\n" },

  // mq complete
  { args: "complete -- 0 logg", code: 0, stdout: "logger\tsubscribes to events and prints them\n" },
  { args: "complete --limit 20s -- 1 pub de -s 127.0.0.1:PORT", code: 0, stdout: "delete\tevent\n" },
  { args: `complete -- 1 pub de -s ${NOBODY}`, code: 0 },
  { args: "complete -- 2 logger --tls-ca x", code: 0, stdout: "\tfiles\n" },
  { args: "complete", code: 2, stderr: "mq complete: it needs INDEX [WORD...]\nTry: mq complete --help\n" },

  // mq demo
  {
    args: "demo --for 500ms",
    code: 0,
    stdout:
      /^Four programs .*\nThe broker .*\nThe same in three terminals: .*\nA page that .* http:\/\/localhost:\d+\/\n\nserver {3}mq server \S+ listens on 127/,
  },
  {
    args: "demo --for ever",
    code: 2,
    stderr: 'mq demo: --for takes a duration such as 500ms, 2s or 1m, not "ever"\nTry: mq demo --help\n',
  },
  {
    args: "demo now",
    code: 2,
    stderr: 'mq demo: unexpected argument "now"\nTry: mq demo --help\n',
  },
];

for (const { args, stdin, env = {}, code, stdout = "", stderr = "" } of ROWS) {
  const shown = [...Object.entries(env).map(([name, value]) => `${name}=${value}`), "mq", args].join(" ").trim();
  Deno.test(`${shown}${stdin === undefined ? "" : ` <<< ${JSON.stringify(stdin)}`}`, async () => {
    await using server = await startBroker();
    const fill = (text: string) => text.replaceAll("PORT", String(server.port));
    const argv = args.split(" ").filter((arg) => arg !== "").map((arg) => arg.replace(/:PORT$|^PORT$/, fill));
    const filled = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, fill(value)]));
    const outcome = await mq(argv, { stdin, env: filled });
    check(
      outcome.stderr,
      typeof stderr === "string" ? stderr.replace(/(?<=127\.0\.0\.1:|--port )PORT/g, fill) : stderr,
    );
    check(outcome.stdout, stdout);
    assertEquals(outcome.code, code);
  });
}

function check(actual: string, expected: string | RegExp): void {
  if (typeof expected === "string") assertEquals(actual, expected);
  else assertMatch(actual, expected);
}
