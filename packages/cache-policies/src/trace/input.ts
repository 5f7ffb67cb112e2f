import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { TraceError } from './errors.ts';
import { printable } from './printable.ts';

/** A file or the standard input, unpacked if its first bytes are those of gzip. */
export class Input {
  /** Its name in messages, fit for a terminal. */
  readonly name: string;
  /** Its stored length; `undefined` if it is unknown. */
  readonly bytes: number | undefined;
  #source: Readable;
  #read = 0;

  /** @throws TraceError when there is no such file or it may not be read. */
  static async open(file: string): Promise<Input> {
    if (file === '-') return new Input('the standard input', process.stdin, undefined);
    try {
      const handle = await open(file);
      const stats = await handle.stat();
      if (!stats.isDirectory()) {
        const source = createReadStream(file, { fd: handle, highWaterMark: 262_144 });
        return new Input(file, source, stats.isFile() ? stats.size : undefined);
      }
      await handle.close();
    } catch (error) {
      throw new TraceError(`${printable(file)}: ${reasonOf(error)}`, { cause: error });
    }
    throw new TraceError(`${printable(file)}: is a directory`);
  }

  private constructor(name: string, source: Readable, bytes: number | undefined) {
    this.name = printable(name);
    this.#source = source;
    this.bytes = bytes;
  }

  /** Of `bytes`, how many were read. */
  get read(): number {
    return this.#read;
  }

  /** The text in pieces; once. @throws TraceError when it cannot be read to its end. */
  async *pieces(): AsyncGenerator<Buffer> {
    const stored = this.#stored();
    try {
      const first = await stored.next();
      if (first.done === true) return;
      const whole = startingWith(first.value, stored);
      const gzip = first.value[0] === 0x1f && first.value[1] === 0x8b;
      // an error of any part reaches the reader of the last one; the callback only keeps it from being thrown here
      yield* gzip ? (pipeline(whole, createGunzip(), () => {}) as AsyncIterable<Buffer>) : whole;
    } catch (error) {
      throw new TraceError(`${this.name}: ${reasonOf(error)}`, { cause: error });
    } finally {
      this.#source.destroy();
    }
  }

  /** The first piece has at least two bytes, if there are any. */
  async *#stored(): AsyncGenerator<Buffer> {
    let head: Buffer = Buffer.alloc(0);
    for await (const piece of this.#source as AsyncIterable<Buffer>) {
      this.#read += piece.length;
      head = head.length === 0 ? piece : Buffer.concat([head, piece]);
      if (head.length < 2) continue;
      yield head;
      head = Buffer.alloc(0);
    }
    if (head.length > 0) yield head;
  }
}

async function* startingWith(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  yield* rest;
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'there is no such file';
  if (code === 'EISDIR') return 'is a directory';
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read';
  if (code?.startsWith('Z_') === true || code === 'ERR_STREAM_PREMATURE_CLOSE') {
    return `the gzip data is damaged (${message})`;
  }
  return message;
}
