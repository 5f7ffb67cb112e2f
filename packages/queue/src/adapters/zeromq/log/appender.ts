import type { FileHandle } from 'node:fs/promises';
import { QueueUnavailableError, UnsafeBackendError } from '../../../errors.ts';
import { syncedFrame } from './frames.ts';

interface Entry {
  readonly frame: Buffer;
  /** Whether it is dropped when it cannot be written: nothing has come of it yet. */
  readonly isTentative: boolean;
}

interface Waiter {
  /** Rejected when what it waits for is dropped. */
  readonly isTentative: boolean;
  resolve(): void;
  reject(error: Error): void;
}

export interface AppenderParts {
  readonly file: FileHandle;
  /** Where the file ends. */
  readonly size: number;
  /** Whether what is waited for is on the disk, and not only with the operating system. */
  readonly syncs: boolean;
  /** The most bytes that wait to be written before `refusal` says so. */
  readonly maxWaitingBytes: number;
  /** No more waits than may, after it did. */
  hasRoom(): void;
  /** After each batch that was written: the next may go to another file. */
  next(size: number): Promise<{ readonly file: FileHandle; readonly size: number } | undefined>;
}

/** How often a full disk is tried again for what cannot be dropped. */
const againMs = 500;
/** What somebody who waits takes of the memory, about. */
const waiterBytes = 200;

/**
 * Appends to a file. What was told while a batch is written and synced goes together in the next: one sync for all that wait.
 */
export class Appender {
  readonly #parts: AppenderParts;
  #file: FileHandle;
  #size: number;
  #entries: Entry[] = [];
  #waiters: Waiter[] = [];
  #isRunning = false;
  #running: Promise<void> | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;
  /** Why the last batch could not be written. */
  #trouble: Error | undefined;
  /** It cannot be known what is on the disk, so that nothing more is written. */
  #broken: Error | undefined;
  #isClosed = false;
  /** Of those that are not yet written, and of those who wait. */
  #waitingBytes = 0;
  #wasFull = false;
  /** The file is on the disk up to here, and says so up to there. */
  #synced = 0;
  #marked = 0;

  constructor(parts: AppenderParts) {
    this.#parts = parts;
    this.#file = parts.file;
    this.#size = parts.size;
  }

  /** Why no more is to be begun: too much waits to be written, or nothing can be written any more. */
  refusal(): Error | undefined {
    if (this.#broken !== undefined) return this.#refusal('NotExecuted');
    const bytes = this.#waitingBytes;
    if (bytes < this.#parts.maxWaitingBytes) return undefined;
    this.#wasFull = true;
    const words = `the log cannot be written fast enough, and ${bytes} bytes wait for it`;
    return new QueueUnavailableError(words, 'NotExecuted', { cause: this.#trouble });
  }

  append(frame: Buffer, isTentative: boolean): void {
    if (this.#broken !== undefined || this.#isClosed) return;
    this.#entries.push({ frame, isTentative });
    this.#waitingBytes += frame.length;
    this.#start();
  }

  /** Resolves when all that was appended so far is there; rejects, when `isTentative`, if such entries were dropped. */
  kept(isTentative: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#broken !== undefined) reject(this.#refusal('NotExecuted'));
      else {
        this.#waiters.push({ isTentative, resolve, reject });
        this.#waitingBytes += waiterBytes;
        this.#start();
      }
    });
  }

  /** Writes what there is, and ends. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#again);
    await this.#running;
    for (const { reject } of this.#waiters.splice(0)) reject(this.#refusal('Unknown'));
    await this.#file.close().catch(() => {});
  }

  #start(): void {
    if (this.#isRunning || this.#again !== undefined) return;
    this.#isRunning = true;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    // What comes in the same turn goes together
    await new Promise<void>(resolve => setImmediate(resolve));
    while (this.#entries.length + this.#waiters.length > 0 && this.#broken === undefined) {
      const entries = this.#entries;
      const waiters = this.#waiters;
      this.#entries = [];
      this.#waiters = [];
      if (!(await this.#keep(entries, waiters))) break;
      this.#trouble = undefined;
      for (const { resolve } of waiters) resolve();
      this.#less(entries, waiters);
      await this.#turn();
    }
    // In one step with the last look: whoever comes later starts it again
    this.#isRunning = false;
    if (this.#entries.length + this.#waiters.length > 0 && this.#broken === undefined && !this.#isClosed) {
      this.#start();
    }
  }

  /** Whether all is there. */
  async #keep(entries: readonly Entry[], waiters: readonly Waiter[]): Promise<boolean> {
    try {
      const frames = entries.map(({ frame }) => frame);
      const isMarked = this.#marked === this.#synced || frames.length === 0;
      await this.#write(isMarked ? frames : [syncedFrame(this.#synced), ...frames]);
      if (!isMarked) this.#marked = this.#synced;
    } catch (error) {
      await this.#undo(error as Error, entries, waiters);
      return false;
    }
    try {
      if (this.#parts.syncs && waiters.length > 0) {
        await this.#file.datasync();
        this.#synced = this.#size;
      }
      return true;
    } catch (error) {
      // After a failed sync nobody knows which pages are on the disk
      this.#break(error as Error, waiters);
      return false;
    }
  }

  async #turn(): Promise<void> {
    try {
      const next = await this.#parts.next(this.#size);
      if (next === undefined) return;
      await this.#file.close();
      this.#file = next.file;
      this.#size = next.size;
      this.#synced = next.size;
      this.#marked = next.size;
    } catch {
      // The file goes on growing until there can be another
    }
  }

  async #write(frames: readonly Buffer[]): Promise<void> {
    const all = Buffer.concat(frames);
    for (let at = 0; at < all.length; ) {
      const { bytesWritten } = await this.#file.write(all, at, all.length - at, this.#size + at);
      at += bytesWritten;
    }
    this.#size += all.length;
  }

  /** A disk that is full: what was tentative is dropped, the rest is kept for later. */
  async #undo(error: Error, entries: readonly Entry[], waiters: readonly Waiter[]): Promise<void> {
    try {
      await this.#file.truncate(this.#size);
    } catch {
      this.#break(error, waiters);
      return;
    }
    const all = [...entries, ...this.#entries];
    const waiting = [...waiters, ...this.#waiters];
    this.#entries = all.filter(({ isTentative }) => !isTentative);
    this.#waiters = waiting.filter(({ isTentative }) => !isTentative);
    this.#trouble = error;
    const words = `the log cannot be written: ${error.message}`;
    for (const { isTentative, reject } of waiting) {
      if (isTentative) reject(new QueueUnavailableError(words, 'NotExecuted', { cause: error }));
    }
    const isTentative = (each: { readonly isTentative: boolean }) => each.isTentative;
    this.#less(all.filter(isTentative), waiting.filter(isTentative));
    if (this.#entries.length + this.#waiters.length === 0 || this.#isClosed) return;
    this.#again = setTimeout(() => {
      this.#again = undefined;
      this.#start();
    }, againMs);
  }

  /** So much does not wait any more. */
  #less(entries: readonly Entry[], waiters: readonly Waiter[]): void {
    this.#waitingBytes -= waiterBytes * waiters.length;
    for (const { frame } of entries) this.#waitingBytes -= frame.length;
    if (!this.#wasFull || this.#waitingBytes >= this.#parts.maxWaitingBytes) return;
    this.#wasFull = false;
    this.#parts.hasRoom();
  }

  #break(error: Error, waiters: readonly Waiter[]): void {
    this.#broken = error;
    for (const { reject } of [...waiters, ...this.#waiters.splice(0)]) reject(this.#refusal('Unknown'));
  }

  #refusal(outcome: 'NotExecuted' | 'Unknown'): Error {
    const words =
      this.#broken === undefined ? 'the log is closed' : `the log has failed: ${this.#broken.message}`;
    if (outcome === 'NotExecuted')
      return new UnsafeBackendError(`${words}; the broker has to be started again`);
    return new QueueUnavailableError(words, outcome, { cause: this.#broken });
  }
}
