/**
 * The end of what a handler has written, for the dead letter of a job.
 *
 * @module
 */
import type { OutputHandler } from "../shared/handler_output.ts";

/** How much is kept of the output of a run, in bytes. */
const KEPT_BYTES = 2048;

/** Keeps the end of one or two streams, and passes all of it on. */
export class LastOutput {
  #kept = new Uint8Array(0);

  /** An output that is kept, and passed on to another one. */
  through(next: OutputHandler): OutputHandler {
    const keep = (bytes: Uint8Array) => this.#keep(bytes);
    return {
      take(bytes) {
        keep(bytes);
        return next.take(bytes);
      },
      end: () => next.end(),
      get isClosed() {
        return next.isClosed;
      },
    };
  }

  #keep(bytes: Uint8Array): void {
    const all = new Uint8Array(this.#kept.length + bytes.length);
    all.set(this.#kept);
    all.set(bytes, this.#kept.length);
    this.#kept = all.slice(-KEPT_BYTES);
  }

  /** What was kept, without white space around it. A character that was cut in two is left out. */
  get text(): string {
    return new TextDecoder().decode(this.#kept).replace(/^\ufffd+/, "").trim();
  }
}
