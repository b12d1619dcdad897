/**
 * A network of the trial's own, a Linux network namespace, with the buffers of sockets that docs/security.md advises. The attackers
 * would be on other machines, and with them what they do not read; here it is taken from `net.ipv4.tcp_mem` of this one, beyond
 * which the system throws away segments of everybody.
 */

/** The least, the first and the largest size of the buffers of a socket, in bytes (Linux: ip-sysctl). */
const BUFFERS = { tcp_rmem: "4096 131072 6291456", tcp_wmem: "4096 16384 1048576" };

/** Prepares the network and runs what follows. */
const SCRIPT = [
  "ip link set lo up",
  ...Object.entries(BUFFERS).map(([name, sizes]) => `echo "${sizes}" > /proc/sys/net/ipv4/${name}`),
  'exec "$@"',
].join(" && ");

/** How to get one: as root, and as anybody where the system allows it. */
const WAYS = [["--net"], ["--net", "--map-root-user"]];

/** Set where the program runs in a network of its own. */
const MARK = "MQ_SOAK_NETWORK";

/** Whether this program runs in a network of its own. */
export function hasOwnNetwork(): boolean {
  return Deno.env.get(MARK) === "own";
}

/**
 * Runs a module of this project, with this program's arguments, in a network of its own.
 *
 * @param url The module.
 * @returns Its exit code; undefined if the system gives no such network.
 */
export async function runInOwnNetwork(url: string): Promise<number | undefined> {
  for (const way of WAYS) {
    const args = [...way, "sh", "-c", SCRIPT, "sh"];
    if (!await succeeds([...args, "true"])) continue;
    const allow = ["--allow-net", "--allow-run", "--allow-env"];
    const program = [Deno.execPath(), "run", "--quiet", "--cached-only", ...allow, new URL(url).pathname, ...Deno.args];
    const child = new Deno.Command("unshare", { args: [...args, ...program], env: { [MARK]: "own" } }).spawn();
    return (await child.status).code;
  }
}

async function succeeds(args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command("unshare", { args, stdout: "null", stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false; // Not Linux.
    throw error;
  }
}
