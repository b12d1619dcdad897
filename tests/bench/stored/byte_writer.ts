/** Collects what is sent in one write. */

const FIRST_BYTES = 4096;

/** Bytes that grow at their end. */
export class ByteWriter {
  #bytes = new Uint8Array(FIRST_BYTES);
  #length = 0;

  /** Appends a part of some bytes: all of them, unless told otherwise. */
  add(bytes: Uint8Array, start = 0, end = bytes.length): void {
    const length = this.#length + end - start;
    if (length > this.#bytes.length) this.#grow(length);
    for (let index = start; index < end; index++) this.#bytes[this.#length++] = bytes[index];
  }

  /** All bytes since the last call. They are only valid until the next {@linkcode add}. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#length = 0;
    return taken;
  }

  #grow(length: number): void {
    const grown = new Uint8Array(2 * length);
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
