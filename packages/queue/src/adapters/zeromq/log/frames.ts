import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

/** What a record says, as JSON, and the bytes that belong to it. */
export interface Frame {
  readonly head: unknown;
  readonly bytes: Uint8Array;
}

/** Length of head, length of bytes, CRC-32 of all that follows and of the two lengths. */
const prefixBytes = 12;
/** How much of a file is in memory at once, unless a frame is longer. */
const readBytes = 2 ** 20;
const none = new Uint8Array();

export function encodeFrame(head: unknown, bytes: Uint8Array = none): Buffer {
  const text = JSON.stringify(head);
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(prefixBytes + length + bytes.byteLength);
  frame.writeUInt32LE(length, 0);
  frame.writeUInt32LE(bytes.byteLength, 4);
  frame.write(text, prefixBytes);
  frame.set(bytes, prefixBytes + length);
  frame.writeUInt32LE(sumOf(frame), 8);
  return frame;
}

/**
 * Visits the frames at the beginning of a file.
 *
 * @returns where they end: behind the last whole one
 */
export async function readFrames(file: FileHandle, visit: (frame: Frame) => void): Promise<number> {
  const { size } = await file.stat();
  let start = 0;
  let rest: Buffer = Buffer.alloc(0);
  for (let wanted = readBytes; ; ) {
    rest = Buffer.concat([rest, await readAt(file, start + rest.length, wanted - rest.length)]);
    let at = 0;
    for (;;) {
      const length = frameLength(rest, at);
      if (length === undefined || at + length > rest.length) break;
      const frame = rest.subarray(at, at + length);
      if (frame.readUInt32LE(8) !== sumOf(frame)) return start + at;
      visit(decodeFrame(frame));
      at += length;
    }
    const length = frameLength(rest, at) ?? prefixBytes;
    start += at;
    if (start + length > size) return start;
    rest = rest.subarray(at);
    wanted = Math.max(length, readBytes + rest.length);
  }
}

const syncedName = 'synced';

/** Says that what is before `offset` in its file was on the disk when it was written. */
export function syncedFrame(offset: number): Buffer {
  return encodeFrame([syncedName, offset]);
}

export function isSynced({ head }: Frame): boolean {
  return (head as readonly unknown[])[0] === syncedName;
}

/** Whether a frame behind `from` says that more than that was on the disk: then it was not a crash that has cut the file there. */
export async function wasSyncedBeyond(file: FileHandle, from: number): Promise<boolean> {
  const begin = Buffer.from(`["${syncedName}",`);
  const longest = syncedFrame(Number.MAX_SAFE_INTEGER).length;
  for (let start = from; ; start += readBytes - longest) {
    const piece = await readAt(file, start, readBytes);
    for (let at = piece.indexOf(begin); at >= 0; at = piece.indexOf(begin, at + 1)) {
      const frame = piece.subarray(Math.max(0, at - prefixBytes));
      const length = frameLength(frame, 0);
      if (length === undefined || length > Math.min(longest, frame.length)) continue;
      const whole = frame.subarray(0, length);
      if (whole.readUInt32LE(8) !== sumOf(whole)) continue;
      const [, offset] = decodeFrame(whole).head as [string, number];
      if (offset > from) return true;
    }
    if (piece.length < readBytes) return false;
  }
}

/** As the two lengths at its beginning say; undefined when they are not there. */
function frameLength(buffer: Buffer, at: number): number | undefined {
  if (at + prefixBytes > buffer.length) return undefined;
  return prefixBytes + buffer.readUInt32LE(at) + buffer.readUInt32LE(at + 4);
}

function decodeFrame(frame: Buffer): Frame {
  const end = prefixBytes + frame.readUInt32LE(0);
  const head = JSON.parse(frame.toString('utf8', prefixBytes, end)) as unknown;
  return { head, bytes: new Uint8Array(frame.subarray(end)) };
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

function sumOf(frame: Buffer): number {
  return crc32(frame.subarray(prefixBytes), crc32(frame.subarray(0, 8)));
}
