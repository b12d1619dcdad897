/** What the tests of `mq on` share. */
import { Program, programLine, type TestBroker, until } from "../helpers.ts";

/** Starts `mq on create`; it is subscribed when this returns. */
export function startOn(server: TestBroker, flags: string, ...commandLine: string[]): Promise<Program> {
  return startOnBy(programLine(), server, flags, ...commandLine);
}

/** The same by a command line that runs mq in its own way. */
export async function startOnBy(
  line: string[],
  { broker, port }: TestBroker,
  flags: string,
  ...commandLine: string[]
): Promise<Program> {
  const args = flags.split(" ").filter((arg) => arg !== "");
  const program = new Program(["on", "create", "-s", `127.0.0.1:${port}`, ...args, "--", ...commandLine], {}, line);
  await until(
    () => broker.clients().some(({ name, patterns }) => name === "on" && patterns.includes("create")),
    "mq on is subscribed",
  );
  return program;
}
