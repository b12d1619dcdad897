/**
 * The frames of WebSockets (RFC 6455, section 5): reads those of a client, and makes those of the broker.
 *
 * @module
 */

/** The longest header of a frame of a client: two bytes, eight of a length, four of the mask. */
const MAX_HEADER_BYTES = 14;

/** The longest payload of a control frame, and the longest whose length stands in the second byte, in bytes. */
const MAX_CONTROL_BYTES = 125;

/** The codes of frames (RFC 6455, section 11.8). */
const [CONTINUATION, TEXT, BINARY] = [0x0, 0x1, 0x2];
/** Those of control frames. */
export const CLOSE = 0x8, PING = 0x9, PING_REPLY = 0xa;

/** The codes with which a WebSocket is closed (RFC 6455, section 7.4.1). */
export const NORMAL = 1000;
const [PROTOCOL_ERROR, UNSUPPORTED_DATA] = [1002, 1003];

const LF = 0x0a;

/** How a WebSocket is closed. */
export interface Ending {
  /** The code. */
  readonly code: number;
  /** Why, in words; may be empty. */
  readonly reason: string;
}

/** Reads frames of a client. What is no text is kept apart from it. */
export class FrameReader {
  readonly #header = new Uint8Array(MAX_HEADER_BYTES);
  #headerLength = 0;
  #opcode = TEXT;
  #isFinal = true;
  /** Whether a message has begun, and its other frames are still to come. */
  #isInMessage = false;
  /** How much of the frame's payload is still to come, in bytes. */
  #left = 0;
  /** Where in the header the mask is, and how many bytes of the payload have been unmasked. */
  #maskAt = 0;
  #unmasked = 0;
  /** Whether a message has ended, and its LF is still to be written. */
  #owesLf = false;
  readonly #control = new Uint8Array(MAX_CONTROL_BYTES);
  #controlLength = 0;
  #ping: Uint8Array | undefined;
  #ending: Ending | undefined;

  /**
   * Decodes bytes.
   *
   * @param raw The bytes.
   * @param out Takes the text of messages, each with an LF behind it.
   * @returns How many bytes were used up, and written.
   */
  decode(raw: Uint8Array, out: Uint8Array): { used: number; written: number } {
    let [used, written] = [0, 0];
    while (written < out.length && this.#ending === undefined) {
      if (this.#owesLf) {
        out[written++] = LF;
        this.#owesLf = false;
      } else if (used === raw.length) break;
      else if (this.#left === 0) this.#readHeader(raw[used++]);
      else {
        const isControl = this.#opcode >= CLOSE;
        const target = isControl ? this.#control.subarray(this.#controlLength) : out.subarray(written);
        const count = this.#unmask(raw.subarray(used), target);
        used += count;
        if (isControl) this.#controlLength += count;
        else written += count;
        if (this.#left === 0) this.#endFrame();
      }
    }
    return { used, written };
  }

  /** Takes the last ping, and how the WebSocket is to be closed, if either has come. Of several pings one is to be answered. */
  takeControls(): { ping: Uint8Array | undefined; ending: Ending | undefined } {
    const ping = this.#ping;
    this.#ping = undefined;
    return { ping, ending: this.#ending };
  }

  #unmask(raw: Uint8Array, target: Uint8Array): number {
    const count = Math.min(this.#left, raw.length, target.length);
    for (let index = 0; index < count; index++) {
      target[index] = raw[index] ^ this.#header[this.#maskAt + ((this.#unmasked + index) & 3)];
    }
    this.#unmasked += count;
    this.#left -= count;
    return count;
  }

  #readHeader(byte: number): void {
    this.#header[this.#headerLength++] = byte;
    if (this.#headerLength < 2) return;
    const [first, second] = this.#header;
    if (this.#headerLength === 2 && !this.#isLegal(first, second)) return;
    const short = second & 0x7f;
    const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0;
    this.#maskAt = 2 + lengthBytes;
    if (this.#headerLength === this.#maskAt + 4) this.#begin(first, lengthBytes === 0 ? short : this.#longLength());
  }

  #isLegal(first: number, second: number): boolean {
    const opcode = first & 0x0f;
    const isControl = opcode >= CLOSE;
    const isShort = (first & 0x80) !== 0 && (second & 0x7f) <= MAX_CONTROL_BYTES;
    const isKnown = [CONTINUATION, TEXT, BINARY, CLOSE, PING, PING_REPLY].includes(opcode);
    const isInTurn = isControl || (opcode === CONTINUATION) === this.#isInMessage;
    const isMasked = (second & 0x80) !== 0;
    const hasExtension = (first & 0x70) !== 0;
    if (opcode === BINARY) this.#end(UNSUPPORTED_DATA, "A line is text: send no binary messages");
    else if (hasExtension || !isKnown || !isInTurn || !isMasked || (isControl && !isShort)) {
      this.#end(PROTOCOL_ERROR, "What came is no frame of a WebSocket");
    }
    return this.#ending === undefined;
  }

  /** A length of 2 or 8 bytes. One above 2^53 is inexact, which does not matter: it is never reached. */
  #longLength(): number {
    return this.#header.subarray(2, this.#maskAt).reduce((sum, byte) => sum * 256 + byte, 0);
  }

  #begin(first: number, length: number): void {
    this.#headerLength = 0;
    this.#opcode = first & 0x0f;
    this.#isFinal = (first & 0x80) !== 0;
    this.#left = length;
    this.#unmasked = 0;
    this.#controlLength = 0;
    if (this.#opcode < CLOSE) this.#isInMessage = !this.#isFinal;
    if (length === 0) this.#endFrame();
  }

  #endFrame(): void {
    if (this.#opcode < CLOSE) this.#owesLf = this.#isFinal;
    else if (this.#opcode === PING) this.#ping = this.#control.slice(0, this.#controlLength);
    else if (this.#opcode === CLOSE) {
      const hasCode = this.#controlLength >= 2;
      this.#end(hasCode ? this.#control[0] * 256 + this.#control[1] : NORMAL, "");
    }
  }

  #end(code: number, reason: string): void {
    this.#ending = { code, reason };
  }
}

/**
 * Makes a frame.
 *
 * @param opcode Its code.
 * @param payload What it carries.
 * @returns The frame, which is the last of its message.
 */
export function frame(opcode: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(headerBytes(payload.length) + payload.length);
  bytes.set(payload, writeHeader(bytes, 0, opcode, payload.length));
  return bytes;
}

/**
 * Makes a frame of each line, without its LF.
 *
 * @param lines Whole lines, each with its LF.
 * @returns The frames.
 */
export function frameLines(lines: Uint8Array): Uint8Array {
  let size = 0;
  for (const { start, end } of linesOf(lines)) size += headerBytes(end - start) + end - start;
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const { start, end } of linesOf(lines)) {
    at = writeHeader(bytes, at, TEXT, end - start);
    bytes.set(lines.subarray(start, end), at);
    at += end - start;
  }
  return bytes;
}

function* linesOf(lines: Uint8Array): Generator<{ start: number; end: number }> {
  for (let start = 0; start < lines.length;) {
    const end = lines.indexOf(LF, start);
    yield { start, end };
    start = end + 1;
  }
}

function headerBytes(length: number): number {
  return length <= MAX_CONTROL_BYTES ? 2 : length <= 0xffff ? 4 : 10;
}

/** Writes the header of a frame; returns the index behind it. */
function writeHeader(bytes: Uint8Array, at: number, opcode: number, length: number): number {
  const size = headerBytes(length);
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, size);
  view.setUint8(0, 0x80 | opcode);
  view.setUint8(1, size === 2 ? length : size === 4 ? 126 : 127);
  if (size === 4) view.setUint16(2, length);
  if (size === 10) view.setBigUint64(2, BigInt(length));
  return at + size;
}
