/** What the figures depend on: the machine, and above all its disk. */

/** How often a file is synchronized to see how long that takes. */
const SYNCS = 200;

/** Describes the machine in names and values. */
export async function describeMachine(): Promise<[name: string, value: string][]> {
  const folder = await Deno.makeTempDir({ prefix: "mq-stored-" });
  try {
    return [
      ["processor", `${await processor()}, ${navigator.hardwareConcurrency} cores`],
      ["system", `${Deno.build.os} ${Deno.osRelease()}, ${Deno.build.arch}`],
      ["file system", await fileSystem(folder)],
      ["one write of 100 bytes and fdatasync", `${Math.round(syncUs(`${folder}/sync`))} µs`],
    ];
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function processor(): Promise<string> {
  return /^model name\s*: (.*)$/m.exec(await Deno.readTextFile("/proc/cpuinfo"))?.[1] ?? "unknown";
}

/** On tmpfs, nothing is durable and synchronizing costs nothing. */
async function fileSystem(folder: string): Promise<string> {
  const { stdout } = await new Deno.Command("df", { args: ["--output=fstype", folder] }).output();
  return new TextDecoder().decode(stdout).trim().split("\n").at(-1)!;
}

/** How long it takes to append to a file and synchronize it, in microseconds. */
function syncUs(path: string): number {
  using file = Deno.openSync(path, { create: true, append: true });
  const bytes = new Uint8Array(100);
  const startedAt = performance.now();
  for (let index = 0; index < SYNCS; index++) {
    file.writeSync(bytes);
    file.syncDataSync();
  }
  return (performance.now() - startedAt) / SYNCS * 1000;
}
