import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { AshlarError } from '@ashlar/core';
import { isAccessLogLine, type Reading, readLogLine } from './access-log.ts';
import { linesOf, tooLong } from './lines.ts';

export interface Trace {
  readonly format: 'keys' | 'access log';
  /** In the file's order. */
  readonly keys: readonly string[];
  /** Lines that could not be read, and those of an access log that are no `GET`. Blank lines count as neither. */
  readonly badLines: number;
  readonly skippedLines: number;
}

/** The trace file cannot be used; the message is one line. */
export class TraceError extends AshlarError {
  static override readonly code: string = 'STOREFRONT_TRACE';
}

/** A file is an access log when one of its first lines is a line of one. */
const sniffedLines = 20;
/** Longer keys would not fit into a request's head. */
const longestKey = 2_048;
/** No text has control characters, a file of another kind soon does; and `.` and `..` are no names in a path. */
const unusable = /\p{Cc}|^\.\.?$/u;

/**
 * Reads up to `limit` keys of a trace: a key a line, or the access log of nginx or Apache; plain or gzip, which is
 * seen from its first bytes. Stops reading when it has enough.
 *
 * @throws TraceError for a file that cannot be read, is damaged before the limit, or has no key.
 */
export async function readTrace(file: string, limit: number = Infinity): Promise<Trace> {
  const counted = { badLines: 0, skippedLines: 0 };
  const keys: string[] = [];
  const sniffed: string[] = [];
  let read: ((line: string) => Reading) | undefined;
  const take = (line: string) => {
    if (keys.length === limit) return;
    const reading = read!(line);
    if (reading === 'bad') counted.badLines++;
    else if (reading === 'skipped') counted.skippedLines++;
    else keys.push(reading.key);
  };
  const decide = () => {
    read = sniffed.some(isAccessLogLine) ? readLogLine : readKeyLine;
    for (const line of sniffed) take(line);
  };
  try {
    for await (const line of linesOf(await textOf(file))) {
      if (line === tooLong) counted.badLines++;
      else if (line.trim() === '') continue;
      else if (read !== undefined) take(line);
      else if (sniffed.push(line) === sniffedLines) decide();
      if (keys.length === limit) break;
    }
  } catch (error) {
    throw new TraceError(`${file}: ${reasonOf(error)}`, { cause: error });
  }
  if (read === undefined) decide();
  if (keys.length === 0) {
    const { badLines, skippedLines } = counted;
    const why =
      badLines + skippedLines === 0
        ? 'is empty'
        : `has no key (${badLines} bad lines, ${skippedLines} skipped)`;
    throw new TraceError(`${file}: the file ${why}`);
  }
  return { format: read === readLogLine ? 'access log' : 'keys', keys, ...counted };
}

function readKeyLine(line: string): Reading {
  const key = line.trim();
  return key.length > longestKey || unusable.test(key) ? 'bad' : { key };
}

async function textOf(file: string): Promise<AsyncIterable<Uint8Array>> {
  const handle = await open(file);
  const { buffer, bytesRead } = await handle.read(new Uint8Array(2), 0, 2, 0).finally(() => handle.close());
  const bytes = createReadStream(file);
  const gzip = bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  // An error of either stream reaches whoever reads the last one; the callback only keeps it from being thrown here.
  return gzip ? pipeline(bytes, createGunzip(), () => {}) : bytes;
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EISDIR') return 'is a directory';
  if (code === 'EACCES') return 'may not be read';
  if (code?.startsWith('Z_') || code === 'ERR_STREAM_PREMATURE_CLOSE')
    return `the gzip data is damaged (${message})`;
  return message;
}
