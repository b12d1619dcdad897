/** A broker on a disk that is really full, or read-only: a small file system of its own. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Program, type RawClient, until } from "../helpers.ts";
import { tempFolder } from "./folder.ts";
import { assertRefused, Ledger } from "./ledger.ts";
import { ask, StoredServer } from "./server.ts";

/** The size of the disk, and of the file that takes half of it away: as much as the WAL, which holds what the database is to. */
const [DISK_BYTES, BALLAST_BYTES] = [4 * 1024 * 1024, 2 * 1024 * 1024];

/** The padding of an event: after some hundreds of them the disk is full. */
const PADDING = ":" + "x".repeat(2000);

const FULL = /^The store has no room on its disk: database or disk is full$/;

/** A file system that only programs of one namespace see, and that is gone when they are. */
class SmallDisk implements AsyncDisposable {
  /** The path of the store, for programs that are run with the prefix. */
  readonly store: string;
  /** Runs a program that sees the disk. */
  readonly prefix: string[];
  readonly #holder: Program;
  readonly #folder: string;

  private constructor(holder: Program, folder: string) {
    this.#holder = holder;
    this.#folder = folder;
    this.store = `${folder}/store`;
    this.prefix = ["nsenter", "-t", String(holder.pid), "-m"];
  }

  /** Mounts one over a folder, in a namespace of its own. */
  static async mount(folder: string): Promise<SmallDisk> {
    const script =
      `mount -t tmpfs -o size=${DISK_BYTES} tmpfs '${folder}' && mkdir '${folder}/store' && echo && exec cat`;
    const holder = new Program([], {}, ["unshare", "-m", "sh", "-c", script]);
    await holder.stdout.next();
    return new SmallDisk(holder, folder);
  }

  /** Runs a command of the shell in the folder of the disk. */
  async run(command: string): Promise<void> {
    await using program = new Program([], {}, [...this.prefix, "sh", "-c", `cd '${this.#folder}' && ${command}`]);
    const { code, stderr } = await program.outcome();
    assertEquals(code, 0, stderr);
  }

  /** Takes room away. */
  async fill(bytes: number): Promise<void> {
    await this.run(`head -c ${bytes} /dev/zero > ballast`);
  }

  /** Takes all room away but for some. */
  async fillBut(bytes: number): Promise<void> {
    await this.run(`(cat /dev/zero > ballast 2> /dev/null || true) && truncate -s -${bytes} ballast`);
  }

  /** Gives the room back. */
  async clear(): Promise<void> {
    await this.run("rm ballast");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#holder[Symbol.asyncDispose]();
  }
}

function canMount(): boolean {
  try {
    const script = "mount -t tmpfs -o size=4096 tmpfs /mnt && nsenter -t $$ -m true";
    const args = ["-m", "sh", "-c", script];
    return new Deno.Command("unshare", { args, stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false; // There is no such command.
  }
}

const isPossible = canMount();

function test(name: string, tries: (disk: SmallDisk) => Promise<void>): void {
  const fn = async () => {
    await using folder = tempFolder();
    await using disk = await SmallDisk.mount(folder.path);
    await tries(disk);
  };
  Deno.test({ name, ignore: !isPossible, fn });
}

/** Publishes until an event is refused; returns why. */
async function publishUntilFull(client: RawClient, ledger: Ledger): Promise<string> {
  for (;;) {
    const reason = await ledger.publish(client, PADDING);
    if (reason !== undefined) return reason;
  }
}

/** Starts a broker on the disk, has it fill the disk, and ends it; returns what it has written to stderr. */
async function fillByEvents(disk: SmallDisk, ledger: Ledger, signal: "SIGTERM" | "SIGKILL"): Promise<string[]> {
  await disk.fill(BALLAST_BYTES);
  await using server = await StoredServer.start(disk.store, disk);
  assertMatch(await publishUntilFull(await server.connect(), ledger), FULL);
  assert(ledger.stored.length > 50);
  await server.end(signal);
  return server.errors;
}

async function checkLog(disk: SmallDisk, ledger: Ledger): Promise<void> {
  await using server = await StoredServer.start(disk.store, disk);
  await ledger.check(await server.connect());
}

test("a broker on a full disk gives no receipts, and stores again when there is room", async (disk) => {
  const ledger = new Ledger();
  await disk.fill(BALLAST_BYTES);
  {
    await using server = await StoredServer.start(disk.store, disk);
    const [client, listener] = [await server.connect(), await server.connect()];
    assertMatch(await publishUntilFull(client, ledger), FULL);
    assertMatch((await ledger.publish(client, PADDING))!, FULL);
    assertMatch(await server.logged(/ {2}! The store has /), /no room on its disk/);
    await ask(listener, "sub", "/sub n");
    await client.line("n 0");
    assertEquals(await listener.lines.next(), "n 0");
    await ask(listener, "unsub", "/unsub >");
    await disk.clear();
    await until(async () => await ledger.publish(client) === undefined, "the store works again");
    assertEquals(await ledger.publish(client, PADDING), undefined);
    await ledger.check(client);
    assertEquals(server.errors, []);
    await server.end("SIGKILL");
  }
  await checkLog(disk, ledger);
});

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  test(`a broker that ${signal} ends on a full disk has lost nothing when there is room`, async (disk) => {
    const ledger = new Ledger();
    const errors = await fillByEvents(disk, ledger, signal);
    assert(errors.length <= 1, errors.join("\n"));
    if (errors.length === 1) assertMatch(errors[0].replace("mq server: ", ""), FULL);
    await disk.clear();
    await checkLog(disk, ledger);
  });
}

test("a broker that is started on the disk that it has filled says so if it cannot, and loses nothing", async (disk) => {
  const ledger = new Ledger();
  await fillByEvents(disk, ledger, "SIGKILL");
  for (let start = 1; start <= 3; start++) {
    assertRefused(await StoredServer.refused(disk.store, disk), /has no room on its disk: database or disk is full$/);
  }
  await disk.clear();
  await checkLog(disk, ledger);
});

for (const bytes of [0, 4096, 8192, 16_384, 32_768]) {
  test(`a broker that is started on an empty store with room for ${bytes} bytes says so, and starts with more`, async (disk) => {
    await disk.fillBut(bytes);
    assertRefused(await StoredServer.refused(disk.store, disk), /has no room on its disk: database or disk is full$/);
    await disk.clear();
    const ledger = new Ledger();
    await using server = await StoredServer.start(disk.store, disk);
    const client = await server.connect();
    assertEquals(await ledger.publish(client), undefined);
    await ledger.check(client);
  });
}

test("a broker that is started on a read-only file system says so, and loses nothing", async (disk) => {
  const ledger = new Ledger();
  {
    await using server = await StoredServer.start(disk.store, disk);
    await ledger.publish(await server.connect());
    await server.end("SIGKILL");
  }
  await disk.run('mount -o remount,ro "$PWD"');
  for (const folder of [disk.store, `${disk.store}/new`]) {
    assertRefused(
      await StoredServer.refused(folder, disk),
      /^mq server: Cannot write in the folder "\S+": Read-only file system$/,
    );
  }
  await disk.run('mount -o remount,rw "$PWD"');
  await checkLog(disk, ledger);
});
