/** Typical mistakes at the command line, and exactly what is said of each: what was seen, and what to type instead. */
import { assertEquals } from "@std/assert";
import { mq } from "../helpers.ts";

/** A command line behind `mq`, and what stands on stderr behind the name of the program, without the last line end. */
const MISTAKES: readonly (readonly [line: string, stderr: string])[] = [
  ["sub create", "mq: unknown command sub\nTry: mq logger"],
  ["subscribe", "mq: unknown command subscribe\nTry: mq logger"],
  ["listen", "mq: unknown command listen\nTry: mq logger"],
  ["tail -f", "mq: unknown command tail\nTry: mq logger"],
  ["watch", "mq: unknown command watch\nTry: mq logger"],
  ["logs", "mq: unknown command logs\nTry: mq log"],
  ["history", "mq: unknown command history\nTry: mq log"],
  ["publish create 1", "mq: unknown command publish\nTry: mq pub"],
  ["emit create", "mq: unknown command emit\nTry: mq pub"],
  ["send create", "mq: unknown command send\nTry: mq pub"],
  ["start", "mq: unknown command start\nTry: mq server"],
  ["broker", "mq: unknown command broker\nTry: mq server"],
  ["serve", "mq: unknown command serve\nTry: mq server"],
  ["daemon", "mq: unknown command daemon\nTry: mq server"],
  ["run", "mq: unknown command run\nTry: mq server"],
  ["ls", "mq: unknown command ls\nTry: mq top"],
  ["clients", "mq: unknown command clients\nTry: mq top"],
  ["status", "mq: unknown command status\nTry: mq top"],
  ["stats", "mq: unknown command stats\nTry: mq top"],
  ["list", "mq: unknown command list\nTry: mq events"],
  ["catalog", "mq: unknown command catalog\nTry: mq events"],
  ["handle create", "mq: unknown command handle\nTry: mq on"],
  ["ask create", "mq: unknown command ask\nTry: mq request"],
  ["rpc create", "mq: unknown command rpc\nTry: mq request"],
  ["respond create", "mq: unknown command respond\nTry: mq reply"],
  ["answer create", "mq: unknown command answer\nTry: mq reply"],
  ["explain create", "mq: unknown command explain\nTry: mq why"],
  ["benchmark", "mq: unknown command benchmark\nTry: mq bench throughput"],
  ["stop", "mq: unknown command stop\nTry: Ctrl-C in the terminal where it runs"],
  ["restart", "mq: unknown command restart\nTry: Ctrl-C in the terminal where it runs"],
  ["consumers", "mq: unknown command consumers\nTry: mq groups"],
  ["queue", "mq: unknown command queue\nTry: mq groups"],
  ["forget mail", "mq: unknown command forget\nTry: mq groups forget"],
  ["dlq", "mq: unknown command dlq\nTry: mq dead list"],
  ["requeue mail", "mq: unknown command requeue\nTry: mq dead kick"],
  ["dump data", "mq: unknown command dump\nTry: mq store export"],
  ["fsck data", "mq: unknown command fsck\nTry: mq store check"],
  ["dead", "mq: dead needs a second word\nTry: mq dead list, or mq dead --help"],
  ["dead lst mail", "mq: unknown command dead lst\nTry: mq dead list"],
  ["dead retry mail", "mq: unknown command dead retry\nTry: mq dead kick"],
  ["dead mail", "mq: unknown command dead mail\nTry: one of list, show, kick, purge, or mq dead --help"],
  ["store", "mq: store needs a second word\nTry: mq store check, or mq store --help"],
  ["store dump data", "mq: unknown command store dump\nTry: mq store export"],
  ["sotre check", "mq: unknown command sotre\nTry: mq store"],
  ["group", "mq: unknown command group\nTry: mq groups"],
  ["cancle 1", "mq: unknown command cancle\nTry: mq cancel"],
  ["Server", "mq: unknown command Server\nTry: mq server"],
  ["LOGGER", "mq: unknown command LOGGER\nTry: mq logger"],
  ["loger", "mq: unknown command loger\nTry: mq logger"],
  ["sevrer", "mq: unknown command sevrer\nTry: mq server"],
  [
    "web",
    "mq: unknown command web\nTry: one of server, logger, app, pub, cancel, events, on, request, reply, why, top, log, groups, dead, store, demo, bench, completions, or mq --help",
  ],
  ["create '{\"id\":1}'", "mq: unknown command create\nTry: mq pub create '{\"id\":1}'"],
  ["order.created 1", "mq: unknown command order.created\nTry: mq pub order.created 1"],
  ["localhost:3001", "mq: unknown command localhost:3001\nTry: mq logger -s localhost:3001"],
  [
    "'two words'",
    'mq: unknown command "two words"\nTry: one of server, logger, app, pub, cancel, events, on, request, reply, why, top, log, groups, dead, store, demo, bench, completions, or mq --help',
  ],
  [
    "''",
    'mq: unknown command ""\nTry: one of server, logger, app, pub, cancel, events, on, request, reply, why, top, log, groups, dead, store, demo, bench, completions, or mq --help',
  ],
  [
    "-s localhost:3001 logger create",
    "mq: unknown flag -s: flags follow the command\nTry: mq logger -s localhost:3001 create",
  ],
  ["--port 4000", "mq: unknown flag --port\nTry: mq --help"],
  ["--port=4000 server", "mq: unknown flag --port: flags follow the command\nTry: mq server --port=4000"],
  ["help sub", "mq: unknown command help sub\nTry: mq help logger"],
  ["help bench troughput", "mq: unknown command help bench troughput\nTry: mq help bench throughput"],
  ["bench thruput", "mq: unknown command bench thruput\nTry: mq bench throughput"],
  [
    "logger create,update",
    'mq logger: unexpected argument "create,update"; did you mean create update?\nTry: mq logger create update',
  ],
  [
    "logger create, update",
    'mq logger: unexpected argument "create,"; did you mean create?\nTry: mq logger create update',
  ],
  [
    "logger 'create update' -n 3",
    'mq logger: unexpected argument "create update"; did you mean create update, without the quotes?\nTry: mq logger create update -n 3',
  ],
  [
    "logger localhost:3001",
    'mq logger: unexpected argument "localhost:3001"; did you mean -s localhost:3001?\nTry: mq logger -s localhost:3001',
  ],
  [
    "logger mq://teacher:3001 create",
    'mq logger: unexpected argument "mq://teacher:3001"; did you mean -s mq://teacher:3001?\nTry: mq logger -s mq://teacher:3001 create',
  ],
  [
    "logger create [::1]:3001",
    "mq logger: unexpected argument \"[::1]:3001\"; did you mean -s '[::1]:3001'?\nTry: mq logger create -s '[::1]:3001'",
  ],
  [
    "logger order/created",
    'mq logger: unexpected argument "order/created"; did you mean order.created?\nTry: mq logger order.created',
  ],
  [
    "logger order/+/paid 'order/#'",
    "mq logger: unexpected argument \"order/+/paid\"; did you mean 'order.*.paid'?\nTry: mq logger 'order.*.paid' 'order.>'",
  ],
  [
    "logger 'order.**'",
    "mq logger: unexpected argument \"order.**\"; did you mean 'order.>'?\nTry: mq logger 'order.>'",
  ],
  [
    "logger a..b",
    'mq logger: Cannot read "a..b" as a pattern: it takes a name in which "*" may stand for a token, and a last ">" for the rest\nTry: mq logger --help',
  ],
  [
    "logger 'order*'",
    'mq logger: Cannot read "order*" as a pattern: it takes a name in which "*" may stand for a token, and a last ">" for the rest\nTry: mq logger --help',
  ],
  ["logger --port 4000", "mq logger: unknown flag --port\nTry: mq logger --server HOST:PORT"],
  ["logger --host localhost", "mq logger: unknown flag --host\nTry: mq logger --server HOST:PORT"],
  ["logger --url=mq://teacher:4000 create", "mq logger: unknown flag --url\nTry: mq logger --server mq://teacher:4000"],
  ["logger --token s3cret", "mq logger: unknown flag --token\nTry: MQ_TOKEN=TOKEN mq logger"],
  ["logger --password=x", "mq logger: unknown flag --password\nTry: MQ_TOKEN=TOKEN mq logger"],
  ["logger --times 3", "mq logger: unknown flag --times\nTry: mq logger --count COUNT"],
  ["logger --timeout 5s", "mq logger: unknown flag --timeout\nTry: mq logger --wait DURATION"],
  ["logger --topic create", "mq logger: unknown flag --topic\nTry: mq logger [PATTERN...], without a flag"],
  ["logger --jsno", "mq logger: unknown flag --jsno\nTry: mq logger --json"],
  ["logger -x", "mq logger: unknown flag -x\nTry: mq logger --help"],
  ["logger -p 3001", "mq logger: unknown flag -p\nTry: mq logger --server HOST:PORT"],
  [
    "logger --wait 5",
    'mq logger: --wait takes a duration such as 500ms, 2s or 1m, not "5"; did you mean 5s?\nTry: mq logger --wait 5s',
  ],
  [
    "logger --wait 5sec",
    'mq logger: --wait takes a duration such as 500ms, 2s or 1m, not "5sec"; did you mean 5s?\nTry: mq logger --wait 5s',
  ],
  [
    "logger --wait 2min",
    'mq logger: --wait takes a duration such as 500ms, 2s or 1m, not "2min"; did you mean 2m?\nTry: mq logger --wait 2m',
  ],
  [
    "app --every 100",
    'mq app: --every takes a duration such as 500ms, 2s or 1m, not "100"; did you mean 100ms?\nTry: mq app --every 100ms',
  ],
  [
    "pub 'create hello' 1",
    'mq pub: Cannot read "create hello" as an event\'s name: it takes letters, digits, "_" and "-", joined by single dots\nTry: mq pub --help',
  ],
  ["logger --wait 0s", 'mq logger: --wait takes a duration such as 500ms, 2s or 1m, not "0s"\nTry: mq logger --help'],
  [
    "logger --wait soon",
    'mq logger: --wait takes a duration such as 500ms, 2s or 1m, not "soon"\nTry: mq logger --help',
  ],
  [
    "logger -n 1,000",
    'mq logger: --count takes a whole number, 1 or more, not "1,000"; did you mean 1000?\nTry: mq logger --count 1000',
  ],
  ["logger -n ten", 'mq logger: --count takes a whole number, 1 or more, not "ten"\nTry: mq logger --help'],
  [
    "logger -s tcp://teacher:4000",
    'mq logger: --server: Cannot read "tcp://teacher:4000" as a broker\'s address: it takes HOST:PORT or mq://HOST:PORT, or mqs:// for TLS\nTry: mq logger -s teacher:4000',
  ],
  [
    "logger -s http://teacher:4000/",
    'mq logger: --server: Cannot read "http://teacher:4000/" as a broker\'s address: it takes HOST:PORT or mq://HOST:PORT, or mqs:// for TLS\nTry: mq logger -s teacher:4000',
  ],
  [
    "logger -s localhost:99999",
    'mq logger: --server: Cannot read "localhost:99999" as a broker\'s address: it takes HOST:PORT or mq://HOST:PORT, or mqs:// for TLS\nTry: mq logger -s localhost:3001',
  ],
  // A flag is meant only where it can be given.
  ["server 99999", 'mq server: unexpected argument "99999"\nTry: mq server --help'],
  ["server --port 4000 5000", 'mq server: unexpected argument "5000"\nTry: mq server --help'],
  ["server 4000 5000", 'mq server: unexpected argument "4000"; did you mean --port 4000?\nTry: mq server --help'],
  [
    "logger -s localhost:1 localhost:2",
    'mq logger: Cannot read "localhost:2" as a pattern: it takes a name in which "*" may stand for a token, and a last ">" for the rest\nTry: mq logger --help',
  ],
  ["server 4000", 'mq server: unexpected argument "4000"; did you mean --port 4000?\nTry: mq server --port 4000'],
  [
    "server localhost",
    'mq server: unexpected argument "localhost"; did you mean --host localhost?\nTry: mq server --host localhost',
  ],
  [
    "server 0.0.0.0",
    'mq server: unexpected argument "0.0.0.0"; did you mean --host 0.0.0.0?\nTry: mq server --host 0.0.0.0',
  ],
  [
    "server create,update",
    'mq server: unexpected argument "create,update"; did you mean --events create,update?\nTry: mq server --events create,update',
  ],
  [
    "server 'order.*'",
    "mq server: unexpected argument \"order.*\"; did you mean --events 'order.*'?\nTry: mq server --events 'order.*'",
  ],
  [
    "server catalog.json",
    'mq server: unexpected argument "catalog.json"; did you mean --events catalog.json?\nTry: mq server --events catalog.json',
  ],
  ["server here", 'mq server: unexpected argument "here"\nTry: mq server --help'],
  [
    "server here and there and everywhere",
    'mq server: unexpected argument "here" "and" "there" and 2 more\nTry: mq server --help',
  ],
  ["server help", 'mq server: unexpected argument "help"; did you mean --help?\nTry: mq server --help'],
  ["server --events", "mq server: --events needs a value: LIST|FILE\nTry: mq server --help"],
  ["server --event create", "mq server: unknown flag --event\nTry: mq server --events LIST|FILE"],
  ["server -p 4000", "mq server: unknown flag -p\nTry: mq server --port PORT"],
  ["server -p=4000", "mq server: unknown flag -p\nTry: mq server --port 4000"],
  [
    "server --port 1_000",
    'mq server: --port takes a whole number, 0 to 65535, not "1_000"; did you mean 1000?\nTry: mq server --port 1000',
  ],
  ["server --port 3001x", 'mq server: --port takes a whole number, 0 to 65535, not "3001x"\nTry: mq server --help'],
  ["server --port 70000", 'mq server: --port takes a whole number, 0 to 65535, not "70000"\nTry: mq server --help'],
  ["server --token s3cret", "mq server: unknown flag --token\nTry: mq server --token-file FILE"],
  ["server --cert cert.pem", "mq server: unknown flag --cert\nTry: mq server --tls-cert FILE"],
  ["server --tls-cert /none.pem", "mq server: --tls-cert: no such file: /none.pem\nTry: mq server --help"],
  ["server --tls-cert /", "mq server: --tls-cert: cannot read /: it is a directory\nTry: mq server --help"],
  [
    "server --tls-cert /dev/null",
    'mq server: --tls-cert takes a PEM file with a certificate in it, not "/dev/null"\nTry: mq server --help',
  ],
  [
    "server --token-file /proc/self/environ",
    "mq server: --token-file: cannot read /proc/self/environ: mq has no permission to open it\nTry: mq server --help",
  ],
  ["server --token-file /none", "mq server: --token-file: no such file: /none\nTry: mq server --help"],
  [
    "server --token-file /dev/null",
    "mq server: --token-file: /dev/null: Cannot find a token: it takes one a line, such as: publish s3cret\nTry: mq server --help",
  ],
  ["server --events nowhere.json", "mq server: --events: no such file: nowhere.json\nTry: mq server --help"],
  [
    "server --slow dropp",
    'mq server: --slow takes disconnect or drop, not "dropp"; did you mean drop?\nTry: mq server --slow drop',
  ],
  ["server --slow never", 'mq server: --slow takes disconnect or drop, not "never"\nTry: mq server --help'],
  [
    "server --max-line 1MB",
    'mq server: --max-line takes a size in bytes such as 1000, 64KiB or 1MiB, not "1MB"; did you mean 1MiB?\nTry: mq server --max-line 1MiB',
  ],
  [
    "server --max-queue 64k",
    'mq server: --max-queue takes a size in bytes such as 1000, 64KiB or 1MiB, not "64k"; did you mean 64KiB?\nTry: mq server --max-queue 64KiB',
  ],
  [
    "server --max-queue lots",
    'mq server: --max-queue takes a size in bytes such as 1000, 64KiB or 1MiB, not "lots"\nTry: mq server --help',
  ],
  [
    "server --classic jsn",
    'mq server: --classic takes text or json, not "jsn"; did you mean json?\nTry: mq server --classic json',
  ],
  ["server --debug", "mq server: unknown flag --debug\nTry: mq server --verbose"],
  ["server --web", "mq server: --web needs a value: [HOST:]PORT\nTry: mq server --help"],
  ["server --web localhost", 'mq server: --web takes a port, or HOST:PORT, not "localhost"\nTry: mq server --help'],
  [
    "server --web http://localhost:8080",
    'mq server: --web takes a port, or HOST:PORT, not "http://localhost:8080"; did you mean localhost:8080?\nTry: mq server --web localhost:8080',
  ],
  [
    "server --web :8080",
    'mq server: --web takes a port, or HOST:PORT, not ":8080"; did you mean 8080?\nTry: mq server --web 8080',
  ],
  [
    "server --web-origin localhost:5173",
    'mq server: --web-origin takes origins such as https://example.org, not "localhost:5173"; did you mean http://localhost:5173?\nTry: mq server --web-origin http://localhost:5173',
  ],
  [
    "server --web-origin http://a.example/page",
    'mq server: --web-origin takes origins such as https://example.org, not "http://a.example/page"; did you mean http://a.example?\nTry: mq server --web-origin http://a.example',
  ],
  [
    "server --web-origin '*'",
    'mq server: --web-origin takes origins such as https://example.org, not "*"\nTry: mq server --help',
  ],
  ["app create", 'mq app: unexpected argument "create"\nTry: mq app --help'],
  [
    "app create,update",
    'mq app: unexpected argument "create,update"; did you mean --events create,update?\nTry: mq app --events create,update',
  ],
  ["app 100ms", 'mq app: unexpected argument "100ms"; did you mean --every 100ms?\nTry: mq app --every 100ms'],
  ["app --interval 1s", "mq app: unknown flag --interval\nTry: mq app --every DURATION"],
  ["app --limit 5", "mq app: unknown flag --limit\nTry: mq app --count N"],
  ["pub", "mq pub: it needs NAME [DATA|-]\nTry: mq pub --help"],
  [
    "pub create hello world",
    "mq pub: unexpected argument \"world\"\nTry: put data with spaces, quotes or braces in single quotes: mq pub create 'hello world'",
  ],
  [
    "pub create {id: 1}",
    'mq pub: unexpected argument "1}"\nTry: put data with spaces, quotes or braces in single quotes: mq pub create \'{"id": 1}\'',
  ],
  [
    "pub '{\"id\":1}'",
    'mq pub: unexpected argument "{\\"id\\":1}"; did you mean NAME \'{"id":1}\'?\nTry: mq pub NAME \'{"id":1}\'',
  ],
  [
    "pub create:hello",
    'mq pub: unexpected argument "create:hello"; did you mean create hello?\nTry: mq pub create hello',
  ],
  [
    "pub 'create hello world'",
    "mq pub: unexpected argument \"create hello world\"; did you mean create 'hello world'?\nTry: mq pub create 'hello world'",
  ],
  [
    "pub order/created",
    'mq pub: unexpected argument "order/created"; did you mean order.created?\nTry: mq pub order.created',
  ],
  [
    "pub create,update 1",
    'mq pub: Cannot read "create,update" as an event\'s name: it takes letters, digits, "_" and "-", joined by single dots\nTry: mq pub --help',
  ],
  [
    "pub localhost:3001 create",
    'mq pub: unexpected argument "localhost:3001"; did you mean -s localhost:3001?\nTry: mq pub -s localhost:3001 create',
  ],
  ["pub create -5", 'mq pub: unknown flag -5\nTry: put -- before an argument that begins with "-" and is not a flag'],
  ["pub create --data 1", "mq pub: unknown flag --data\nTry: mq pub NAME [DATA|-], without a flag"],
  ["pub create -m hi", "mq pub: unknown flag -m\nTry: mq pub NAME [DATA|-], without a flag"],
  ["pub --topic=create", "mq pub: unknown flag --topic\nTry: mq pub NAME [DATA|-], without a flag"],
  [
    "pub mq.connect",
    'mq pub: Cannot publish "mq.connect": names that begin with "mq." belong to the broker\nTry: mq pub --help',
  ],
  [
    "pub 'order.*'",
    'mq pub: Cannot read "order.*" as an event\'s name: it takes letters, digits, "_" and "-", joined by single dots\nTry: mq pub --help',
  ],
  ["why", "mq why: it needs NAME\nTry: mq why --help"],
  ["why create update", 'mq why: unexpected argument "update"\nTry: mq why --help'],
  [
    "why create localhost:3001",
    'mq why: unexpected argument "localhost:3001"; did you mean -s localhost:3001?\nTry: mq why create -s localhost:3001',
  ],
  [
    "why order::created",
    'mq why: unexpected argument "order::created"; did you mean order.created?\nTry: mq why order.created',
  ],
  ["events create update", 'mq events: unexpected argument "update"\nTry: mq events --help'],
  [
    "events 'order.*'",
    'mq events: Cannot read "order.*" as an event\'s name: it takes letters, digits, "_" and "-", joined by single dots\nTry: mq events --help',
  ],
  ["top 2s", 'mq top: unexpected argument "2s"; did you mean --every 2s?\nTry: mq top --every 2s'],
  [
    "top localhost:3001",
    'mq top: unexpected argument "localhost:3001"; did you mean -s localhost:3001?\nTry: mq top -s localhost:3001',
  ],
  ["top shop", 'mq top: unexpected argument "shop"\nTry: mq top --help'],
  ["top --interval 2s", "mq top: unknown flag --interval\nTry: mq top --every DURATION"],
  [
    "top --sort publish",
    'mq top: --sort takes name, published, delivered, queue, dropped or connected, not "publish"; did you mean published?\nTry: mq top --sort published',
  ],
  [
    "top --sort size",
    'mq top: --sort takes name, published, delivered, queue, dropped or connected, not "size"\nTry: mq top --help',
  ],
  ["demo 10s", 'mq demo: unexpected argument "10s"; did you mean --for 10s?\nTry: mq demo --for 10s'],
  ["demo 8080", 'mq demo: unexpected argument "8080"; did you mean --web 8080?\nTry: mq demo --web 8080'],
  ["demo --port 8080", "mq demo: unknown flag --port\nTry: mq demo --web [HOST:]PORT"],
  ["demo --web 99999", 'mq demo: --web takes a port, or HOST:PORT, not "99999"\nTry: mq demo --help'],
  ["on create", "mq on: it needs -- and then COMMAND [ARGS...]\nTry: mq on create -- cat"],
  ["on create cat", "mq on: it needs -- and then COMMAND [ARGS...]\nTry: mq on create -- cat"],
  [
    "on create,update --count 2 -- cat file.json",
    'mq on: unexpected argument "create,update"; did you mean create update?\nTry: mq on create update --count 2 -- cat file.json',
  ],
  [
    "on localhost:3001 create -- cat",
    'mq on: unexpected argument "localhost:3001"; did you mean -s localhost:3001?\nTry: mq on -s localhost:3001 create -- cat',
  ],
  ["completions tcsh", 'mq completions: it takes bash, zsh or fish, not "tcsh"\nTry: mq completions --help'],
  ["completions", "mq completions: it needs bash|zsh|fish\nTry: mq completions --help"],
  ["pub create --cancel X", "mq pub: unknown flag --cancel\nTry: mq cancel ID"],
  ["pub create --delay 1h", "mq pub: unknown flag --delay\nTry: mq pub --in DURATION"],
  ["pub create --once", "mq pub: unknown flag --once\nTry: mq pub --key WORD"],
  [
    "pub create --in 5",
    'mq pub: --in takes a duration of at most 3650d, such as 10s, 15m, 1h or 7d, not "5"; did you mean 5s?\nTry: mq pub create --in 5s',
  ],
  [
    `pub create '{"id":1}' --in=5 --key 'k'`,
    'mq pub: --in takes a duration of at most 3650d, such as 10s, 15m, 1h or 7d, not "5"; did you mean 5s?\n' +
    `Try: mq pub create '{"id":1}' --in 5s --key k`,
  ],
  [
    "on create --timeout 5 -- cat --timeout",
    'mq on: --timeout takes a duration such as 500ms, 2s or 1m, not "5"; did you mean 5s?\n' +
    "Try: mq on create --timeout 5s -- cat --timeout",
  ],
  [
    "pub create --in tomorrow",
    'mq pub: --in takes a duration of at most 3650d, such as 10s, 15m, 1h or 7d, not "tomorrow"\nTry: mq pub --help',
  ],
  [
    "pub create --in 20000d",
    'mq pub: --in takes a duration of at most 3650d, such as 10s, 15m, 1h or 7d, not "20000d"\nTry: mq pub --help',
  ],
  [
    "pub create --key 'a b'",
    'mq pub: --key takes one word of at most 128 characters, not "a b"\nTry: mq pub --help',
  ],
  ["pub create - --key k", "mq pub: --key is for one event, and - publishes many\nTry: mq pub create DATA --key k"],
  ["pub create --key k --in 1h", "mq pub: it takes --key or --in, not both\nTry: mq pub --help"],
  ["cancel", "mq cancel: it needs ID...\nTry: mq cancel --help"],
  ["cancel 7", 'mq cancel: it takes an id such as 01JD3K5E8Q5V1M4S3R6T7W8X9Y, not "7"\nTry: mq cancel --help'],
  [
    "cancel 01jd3k5e8q5v1m4s3r6t7w8x9y",
    'mq cancel: unexpected argument "01jd3k5e8q5v1m4s3r6t7w8x9y"; did you mean 01JD3K5E8Q5V1M4S3R6T7W8X9Y?\n' +
    "Try: mq cancel 01JD3K5E8Q5V1M4S3R6T7W8X9Y",
  ],
  ["cancel --id 7", "mq cancel: unknown flag --id\nTry: mq cancel ID..., without a flag"],
  [
    "logger --since yesterday",
    "mq logger: --since takes all, the id of an event, a time such as 2026-11-28T10:00, or a duration such as 1h, " +
    'not "yesterday"\nTry: mq logger --help',
  ],
  [
    "logger --since 2hours",
    "mq logger: --since takes all, the id of an event, a time such as 2026-11-28T10:00, or a duration such as 1h, " +
    'not "2hours"; did you mean 2h?\nTry: mq logger --since 2h',
  ],
  [
    "log --since 2026-02-30",
    "mq log: --since takes all, the id of an event, a time such as 2026-11-28T10:00, or a duration such as 1h, " +
    'not "2026-02-30"\nTry: mq log --help',
  ],
  [
    "log --until all",
    "mq log: --until takes the id of an event, a time such as 2026-11-28T10:00, or a duration such as 1h, " +
    'not "all"\nTry: mq log --help',
  ],
  ["logger --until 1h", "mq logger: unknown flag --until\nTry: mq log --until FROM"],
  ["log --follow", "mq log: unknown flag --follow\nTry: mq logger --since all"],
  ["log -f", "mq log: unknown flag -f\nTry: mq logger --since all"],
  ["log --from 1h", "mq log: unknown flag --from\nTry: mq log --since FROM"],
  [
    "groups mail",
    'mq groups: unexpected argument "mail"\nTry: mq groups forget GROUP, or mq groups --help',
  ],
  ["groups --forget mail", "mq groups: unknown flag --forget\nTry: mq groups forget GROUP"],
  ["dead purge mail --force", "mq dead purge: unknown flag --force\nTry: mq dead purge --yes"],
  [
    "dead list a.b",
    'mq dead list: Cannot have a group "a.b": its name is 1 to 64 of the characters A-Z, a-z, 0-9, _ and -\n' +
    "Try: mq dead list --help",
  ],
  ["dead show mail", "mq dead show: it needs GROUP ID\nTry: mq dead show --help"],
  [
    "dead kick mail",
    "mq dead kick: it needs the ID of a job, or --all\nTry: mq dead list mail, or mq dead kick mail --all",
  ],
  [
    "dead kick mail 01JD3K5E8Q5V1M4S3R6T7W8X9Y --all",
    "mq dead kick: it takes ids or --all, not both\nTry: mq dead kick mail --all",
  ],
  ["store check", "mq store check: it needs DIR\nTry: mq store check --help"],
  ["store check ''", 'mq store check: it takes the path of a folder, not ""\nTry: mq store check --help'],
  ["store check a b", 'mq store check: unexpected argument "b"\nTry: mq store check --help'],
  [
    "store export data order/created",
    'mq store export: unexpected argument "order/created"; did you mean order.created?\n' +
    "Try: mq store export data order.created",
  ],
  ["server --store ''", 'mq server: --store takes the path of a folder, not ""\nTry: mq server --help'],
  ["server --data-dir data", "mq server: unknown flag --data-dir\nTry: mq server --store DIR"],
  ["server --keep order", "mq server: --keep needs --store\nTry: mq server --store data --keep 'order.>'"],
  ["server --sync 100ms", "mq server: --sync needs --store\nTry: mq server --store data --sync 100ms"],
  [
    "server --store data --keep 'mq.>'",
    'mq server: --keep: "mq.>": events of the broker itself are not kept\nTry: mq server --help',
  ],
  [
    "server --store data --keep a..b",
    'mq server: --keep: Cannot read "a..b" as a pattern: it takes a name in which "*" may stand for a token, ' +
    'and a last ">" for the rest\nTry: mq server --help',
  ],
  [
    "server --store data --keep-for 30days",
    'mq server: --keep-for takes an age of at most 3650d, such as 30m, 12h or 7d, not "30days"; did you mean 30d?\n' +
    "Try: mq server --store data --keep-for 30d",
  ],
  [
    "server --store data --keep-for 5",
    'mq server: --keep-for takes an age of at most 3650d, such as 30m, 12h or 7d, not "5"\nTry: mq server --help',
  ],
  [
    "server --store data --keep-bytes 1GB",
    'mq server: --keep-bytes takes a size in bytes such as 1000, 64KiB or 1MiB, not "1GB"; did you mean 1GiB?\n' +
    "Try: mq server --store data --keep-bytes 1GiB",
  ],
  ["server --store data --fsync 1s", "mq server: unknown flag --fsync\nTry: mq server --sync DURATION"],
  ["bench", "mq: bench needs a second word\nTry: mq bench throughput, or mq bench --help"],
  [
    "bench connect --msgs 1,000",
    'mq bench connect: --msgs takes a whole number, 10 or more, not "1,000"; did you mean 1000?\nTry: mq bench connect --msgs 1000',
  ],
  [
    "bench connect localhost:3001",
    'mq bench connect: unexpected argument "localhost:3001"; did you mean -s localhost:3001?\nTry: mq bench connect -s localhost:3001',
  ],
  [
    "bench latency --rate 1e6",
    'mq bench latency: --rate takes a whole number, 1 to 1000000, not "1e6"; did you mean 1000000?\nTry: mq bench latency --rate 1000000',
  ],
  [
    "bench latency --rate 10k",
    'mq bench latency: --rate takes a whole number, 1 to 1000000, not "10k"; did you mean 10000?\nTry: mq bench latency --rate 10000',
  ],
  [
    "bench latency --rate 9M",
    'mq bench latency: --rate takes a whole number, 1 to 1000000, not "9M"\nTry: mq bench latency --help',
  ],
  [
    "pub create --json-data '{id:1}'",
    "mq pub: the data is not JSON: Expected property name or '}'\nTry: mq pub create '{\"id\":1}'",
  ],
  [
    "pub create {id:1,name:Ada}x y",
    'mq pub: unexpected argument "y"\nTry: put data with spaces, quotes or braces in single quotes: mq pub create \'{"id":1}\'',
  ],
];

/** The words of a command line, as a shell has them. */
function wordsOf(line: string): string[] {
  return (line.match(/(?:'[^']*'|[^\s'])+/g) ?? []).map((word) => word.replaceAll("'", ""));
}

/** How many programs run at the same time. */
const AT_A_TIME = 4;

for (let start = 0; start < MISTAKES.length; start += AT_A_TIME) {
  const some = MISTAKES.slice(start, start + AT_A_TIME);
  Deno.test(`mq reports what is wrong with ${some.map(([line]) => line).join("; ")}`, async () => {
    const outcomes = await Promise.all(some.map(([line]) => mq(wordsOf(line))));
    assertEquals(outcomes, some.map(([, stderr]) => ({ code: 2, stdout: "", stderr: `${stderr}\n` })));
  });
}

Deno.test("mq refuses flags and command lines that are not UTF-8", async () => {
  const sentence =
    '"caf\ufffd" is not valid UTF-8, or contains U+FFFD, which replaces invalid bytes\nTry: text in UTF-8\n';
  for (const args of [["logger", "--name", "caf\ufffd"], ["on", "create", "--", "cat", "caf\ufffd"]]) {
    assertEquals(await mq(args), { code: 2, stdout: "", stderr: `mq ${args[0]}: ${sentence}` });
  }
});

Deno.test("mq quotes at most one sentence's worth of a mistake, and escapes control characters", async () => {
  const long = "\x1b[31m".repeat(10_000);
  for (
    const args of [[long], ["server", long], ["logger", `--${long}`], ["logger", "--wait", long], ["logger", long]]
  ) {
    const { code, stderr } = await mq(args);
    assertEquals([code, stderr.length < 600, stderr.includes("\x1b")], [2, true, false], stderr.slice(0, 300));
  }
});
