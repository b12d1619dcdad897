/**
 * A disk that can be slow, full or broken, for the programs that a test starts: `disk.c` is preloaded into them, and
 * replaces the C library's `fsync`, `write` and the like.
 *
 * @module
 */
import { has, shell } from "../../helpers.ts";

const SOURCE = new URL("disk.c", import.meta.url).pathname;

/** The fields of the control file, `struct control` in disk.c: unsigned integers of 64 bits, little-endian. */
const FIELDS = ["syncs", "writes", "failedSyncs", "failedWrites", "syncDelayMs", "syncErrno", "writeErrno"] as const;

type Field = typeof FIELDS[number];

const FIELD_BYTES = 8;

/** Linux's numbers for the errors of a disk. */
export const Errno = { EIO: 5, ENOSPC: 28, EROFS: 30 } as const;

/** Whether disks can be made here; if not, tests that need one are ignored. */
export function hasCompiler(): boolean {
  return Deno.build.os === "linux" && has("cc");
}

/**
 * Makes a disk for a folder: it holds the files that programs started with its `env` have in that folder and below it.
 * It works well until it is told to fail.
 *
 * @param folder The path of a folder that exists.
 * @returns The disk, which removes its own files when it is disposed of.
 * @throws {Deno.errors.NotFound} If there is no such folder.
 *
 * @example A commit on a full disk
 * ```ts ignore
 * await using disk = await makeDisk(folder);
 * await using server = new Program(["server", "--store", folder], disk.env);
 * await disk.failWrites(Errno.ENOSPC);
 * ```
 */
export async function makeDisk(folder: string): Promise<Disk> {
  const path = await Deno.realPath(folder);
  const library = await compiled();
  const control = await shell(
    `control=$(mktemp) && head -c ${FIELDS.length * FIELD_BYTES} /dev/zero > "$control" && printf %s "$control"`,
  );
  return new Disk(path, library, control);
}

/** The disk of one folder. Its settings hold at once for all programs that were started with its `env`. */
export class Disk implements AsyncDisposable {
  /** The environment of programs that use it. To set LD_PRELOAD, Deno needs `--allow-run` without a list. */
  readonly env: Record<string, string>;
  readonly #control: string;

  /** Use {@linkcode makeDisk}. */
  constructor(folder: string, library: string, control: string) {
    this.env = { LD_PRELOAD: library, MQ_DISK_FOLDER: folder, MQ_DISK_CONTROL: control };
    this.#control = control;
  }

  /** How many `fsync` and `fdatasync` have succeeded. */
  get syncs(): number {
    return this.#get("syncs");
  }

  /** How many `write` and `pwrite` have succeeded. */
  get writes(): number {
    return this.#get("writes");
  }

  /** How many `fsync` and `fdatasync` have failed. */
  get failedSyncs(): number {
    return this.#get("failedSyncs");
  }

  /** How many `write`, `pwrite` and `ftruncate` have failed. */
  get failedWrites(): number {
    return this.#get("failedWrites");
  }

  /**
   * Delays each sync, even one that then fails.
   *
   * @param ms How long, in milliseconds; 0 ends it.
   */
  async delaySyncs(ms: number): Promise<void> {
    await this.#set("syncDelayMs", ms);
  }

  /**
   * Makes each sync fail with EIO, without syncing, or ends that. What was written is still in Linux's page cache, so
   * that it is there after a program was killed, as it might not be after a power cut.
   */
  async failSyncs(isFailing: boolean): Promise<void> {
    await this.#set("syncErrno", isFailing ? Errno.EIO : 0);
  }

  /**
   * Makes each write fail, without writing, or ends that.
   *
   * @param errno The error, such as `Errno.ENOSPC`, with which files can still be made shorter; undefined ends it.
   */
  async failWrites(errno: number | undefined): Promise<void> {
    await this.#set("writeErrno", errno ?? 0);
  }

  #get(field: Field): number {
    const { buffer } = Deno.readFileSync(this.#control);
    return Number(new DataView(buffer).getBigUint64(FIELDS.indexOf(field) * FIELD_BYTES, true));
  }

  /** Writes a setting, through a program: the tests themselves may not write files. */
  async #set(field: Field, value: number): Promise<void> {
    const bytes = new Uint8Array(FIELD_BYTES);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
    const octal = [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
    const place = `of='${this.#control}' bs=${FIELD_BYTES} seek=${FIELDS.indexOf(field)} conv=notrunc,nocreat`;
    await shell(`printf '${octal}' | dd ${place} status=none`);
  }

  /** Removes the control file. Programs that run keep the settings that they have; the folder is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    await shell(`rm -f '${this.#control}'`);
  }
}

let library: Promise<string> | undefined;

/** The path of the library. It is compiled once, and removed when the process, or the module of a test, ends. */
function compiled(): Promise<string> {
  return library ??= compile();
}

async function compile(): Promise<string> {
  const path = await shell(
    `folder=$(mktemp -d) && cc -shared -fPIC -O2 -o "$folder/disk.so" '${SOURCE}' && printf %s "$folder/disk.so"`,
  );
  globalThis.addEventListener("unload", () => {
    new Deno.Command("rm", { args: ["-r", path.slice(0, path.lastIndexOf("/"))] }).outputSync();
  });
  return path;
}
