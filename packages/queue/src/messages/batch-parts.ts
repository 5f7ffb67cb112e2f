import type { OutgoingMessage } from '../driver.ts';

/** What goes to a backend in one piece, so that it does not hold up others. */
const maxMessages = 200;
const maxBytes = 2 ** 20;

/** A batch in pieces of moderate size, in its order. */
export function batchParts(batch: readonly OutgoingMessage[]): (readonly OutgoingMessage[])[] {
  return [...cut(batch)];
}

function* cut(batch: readonly OutgoingMessage[]): Generator<readonly OutgoingMessage[]> {
  let part: OutgoingMessage[] = [];
  let bytes = 0;
  for (const message of batch) {
    part.push(message);
    bytes += message.body.byteLength + headersLength(message);
    if (part.length < maxMessages && bytes < maxBytes) continue;
    yield part;
    part = [];
    bytes = 0;
  }
  if (part.length > 0) yield part;
}

/** Characters of the headers. */
export function headersLength({ headers }: OutgoingMessage): number {
  let length = 0;
  for (const name in headers) length += name.length + headers[name]!.length;
  return length;
}
