import type { Options } from 'amqplib';
import { InvalidPayloadError } from '../../errors.ts';

/** What amqplib has room for in a table of headers, in bytes. */
const maxTableBytes = 65_536;
/** Bytes of a frame of headers beside the table: what frames it, and properties of 255 bytes at most. */
const besideTable = 600;
/** Bytes that the copy of a message which failed, or is dead, has more of headers. */
export const copyBytes = 4_096;
/** The longest reason of a dead letter that is sure to fit in there. */
export const maxReasonLength = 1_000;

/** RabbitMQ never takes this message. */
export class Oversized extends Error {}

export function invalid(topic: string, cause: Oversized): InvalidPayloadError {
  return new InvalidPayloadError(topic, [cause.message], { cause });
}

/** How many bytes the headers may have: RabbitMQ ends a connection with a frame of headers that is larger than its frames. */
export function headerRoom(frameMax: number): number {
  return frameMax === 0 ? maxTableBytes : Math.min(maxTableBytes, frameMax - besideTable);
}

/** @throws Oversized when the headers do not fit, with so many bytes beside them */
export function checkHeaders({ headers }: Options.Publish, reserved: number, room: number): void {
  const free = room - reserved;
  if (bytesOf(headers, text => 3 * text.length) <= free) return;
  const bytes = bytesOf(headers, Buffer.byteLength);
  if (bytes <= free) return;
  throw new Oversized(`its headers have ${bytes} bytes, and may have ${Math.max(0, free)} in RabbitMQ`);
}

function bytesOf(table: Readonly<Record<string, unknown>>, sizeOf: (text: string) => number): number {
  let bytes = 4;
  for (const name in table) {
    const value = table[name];
    bytes += name.length + 2 + (typeof value === 'string' ? 4 + sizeOf(value) : 8);
  }
  return bytes;
}
