/** Operands that a command accepts, for tests of all commands. */
import type { Command } from "../../../cmd/command.ts";

/** One of each kind. */
const SOME = ["create", "bash", "01JD3K5E8Q5V1M4S3R6T7W8X9Y"];

/** As many operands as a command needs. */
export function someOperands({ operands: { min, kinds = [] } }: Command): string[] {
  return Array.from({ length: min }, (_, index) => {
    const kind = kinds[index] ?? kinds.at(-1);
    return SOME.find((text) => isAccepted(() => kind?.check(text)))!;
  });
}

function isAccepted(check: () => unknown): boolean {
  try {
    check();
    return true;
  } catch {
    return false; // Another one is.
  }
}
