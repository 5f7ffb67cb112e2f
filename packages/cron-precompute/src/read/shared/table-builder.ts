import { digestOf } from '../../publish/digest.ts';
import type { Manifest } from '../../publish/pointer.ts';
import { soon } from '../soon.ts';
import { type Table, tableCode } from './table-code.ts';

/** Where a table is filled. A chunk that was written otherwise than its digest says is not added. */
export interface TableBuilder extends AsyncDisposable {
  /** Whether the bytes are what was written. They may be overwritten as soon as it has returned. Rejects when the builder is broken. */
  add(bytes: Uint8Array, digest: string): Promise<boolean>;
}

/** The most bytes of a version: where an entry begins must fit 32 bits. */
const maxBytes = 2 ** 32 - 2;

/** An empty table for the version; at most two thirds of its slots will be used. @throws RangeError when it is too large */
export function tableFor({ bytes, chunks }: Manifest): Table {
  if (bytes > maxBytes) throw new RangeError(`a version of ${bytes} bytes does not fit a shared table`);
  const entries = chunks.reduce((sum, chunk) => sum + chunk.entries, 0);
  const slots = 2 ** Math.ceil(Math.log2(Math.max(2, entries * 1.5)));
  return {
    data: new Uint8Array(new SharedArrayBuffer(bytes)),
    index: new Uint32Array(new SharedArrayBuffer(slots * 8)),
    seed: Math.floor(Math.random() * 2 ** 32),
  };
}

/** Fills the table in this thread, a chunk at a time. */
export function builderHere(table: Table): TableBuilder {
  const { addChunk } = tableCode();
  let at = 0;
  return {
    async add(bytes, digest) {
      if (at > 0) await soon();
      if (digestOf(bytes) !== digest) return false;
      table.data.set(bytes, at);
      addChunk(table, at, at + bytes.length);
      at += bytes.length;
      return true;
    },
    async [Symbol.asyncDispose]() {},
  };
}

interface WorkerLike {
  postMessage(message: unknown): void;
  on(event: 'message' | 'error' | 'exit', listener: (what: never) => void): void;
  terminate(): Promise<unknown>;
  unref(): void;
}
interface ThreadsModule {
  readonly Worker: new (source: string, options: object) => WorkerLike;
}

/** As text, since a worker that is a file would be one that bundlers have to find. */
const program = `
const { parentPort, workerData: table } = require('node:worker_threads');
const { createHash } = require('node:crypto');
const { addChunk } = (${tableCode})();
let at = 0;
parentPort.on('message', ({ bytes, digest }) => {
  const to = at + bytes;
  const isWhole = createHash('sha256').update(table.data.subarray(at, to)).digest('base64') === digest;
  if (isWhole) {
    addChunk(table, at, to);
    at = to;
  }
  parentPort.postMessage(isWhole);
});`;

/** Fills the table in a thread of its own. @throws what starting a thread throws, also where there are none */
export function builderInWorker(table: Table): TableBuilder {
  const { process } = globalThis as {
    process?: { getBuiltinModule?(id: string): ThreadsModule | undefined };
  };
  const threads = process?.getBuiltinModule?.('node:worker_threads');
  if (threads === undefined) throw new Error('there are no worker threads here');
  const worker = new threads.Worker(program, { eval: true, workerData: table, execArgv: [], stdin: false });
  let at = 0;
  let broken: { readonly error: unknown } | undefined;
  let waiting: { resolve(isWhole: boolean): void; reject(error: unknown): void } | undefined;
  const fail = (error: unknown) => {
    broken ??= { error };
    waiting?.reject(error);
  };
  worker.on('message', (isWhole: boolean) => waiting?.resolve(isWhole));
  worker.on('error', fail);
  worker.on('exit', (code: number) => fail(new Error(`the thread has ended with exit code ${code}`)));
  return {
    add(bytes, digest) {
      return new Promise((resolve, reject) => {
        if (broken !== undefined) return reject(broken.error);
        waiting = { resolve, reject };
        // Once, to where it stays: what is copied for a message is garbage for the collectors of both threads
        table.data.set(bytes, at);
        at += bytes.length;
        worker.postMessage({ bytes: bytes.length, digest });
      });
    },
    async [Symbol.asyncDispose]() {
      await worker.terminate();
    },
  };
}
