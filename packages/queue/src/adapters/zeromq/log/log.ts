import { open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { QueueUnavailableError, UnsafeBackendError } from '../../../errors.ts';
import type { Journal, Saved } from '../../../memory/journal.ts';
import type { LocalDriver } from '../../../memory/local-driver.ts';
import { Appender } from './appender.ts';
import { makeDirectory, syncDirectory } from './directory.ts';
import { encodeFrame, isSynced, readFrames, wasSyncedBeyond } from './frames.ts';
import { lockDirectory } from './lock.ts';
import { apply, partRecord, recentRecord, records } from './records.ts';

export interface LogSettings {
  readonly directory: string;
  readonly fsync: boolean;
  /** Bytes of a file before the next begins, at least; so many that were replaced may be on the disk. */
  readonly compactAtBytes: number;
  readonly maxWaitingBytes: number;
}

/** What was found when the log was opened. */
export interface Recovered {
  readonly saved: Saved;
  /** Bytes behind the last whole record, of a write that a crash has cut short. */
  readonly tornBytes: number;
}

/** Records of a snapshot between which others have their turn. */
const sliceRecords = 1_000;
const maxSliceBytes = 2 ** 20;
const end = ['end'];

/**
 * The files of a log: `00000001.log` and its successors, and `00000002.snapshot`, all that was there when the log of that
 * number began. A snapshot is written in slices while work goes on: a record may tell of what the snapshot already has, and
 * says the same.
 */
export class Log {
  readonly #settings: LogSettings;
  readonly #unlock: () => Promise<void>;
  readonly #appender: Appender;
  #number: number;
  #snapshotBytes = 0;
  #driver: LocalDriver | undefined;
  #compacting: Promise<void> | undefined;
  #isClosed = false;
  readonly recovered: Recovered;
  readonly journal: Journal;

  private constructor(
    settings: LogSettings,
    found: Found,
    file: Awaited<ReturnType<typeof open>>,
    unlock: () => Promise<void>,
  ) {
    this.#settings = settings;
    this.#unlock = unlock;
    this.#number = found.number;
    this.#snapshotBytes = found.snapshotBytes;
    this.recovered = found;
    const { fsync: syncs, maxWaitingBytes } = settings;
    this.#appender = new Appender({
      file,
      size: found.size,
      syncs,
      maxWaitingBytes,
      next: size => this.#next(size),
      hasRoom: () => this.#driver?.handOut(),
    });
    this.journal = journalOver(this.#appender);
  }

  /**
   * @throws UnsafeBackendError for a log that another broker has, or that is damaged other than at its end;
   * QueueUnavailableError for one that cannot be read and written
   */
  static async open(settings: LogSettings): Promise<Log> {
    try {
      return await Log.#open(settings);
    } catch (error) {
      if (error instanceof UnsafeBackendError) throw error;
      const words = `the log in ${settings.directory} cannot be used: ${(error as Error).message}`;
      throw new QueueUnavailableError(words, 'NotExecuted', { cause: error });
    }
  }

  static async #open(settings: LogSettings): Promise<Log> {
    const { directory } = settings;
    await makeDirectory(directory);
    const unlock = await lockDirectory(directory);
    try {
      const found = await recover(directory);
      const file = await open(join(directory, fileName(found.number, 'log')), 'a+').then(async created => {
        await created.close();
        return open(join(directory, fileName(found.number, 'log')), 'r+');
      });
      await file.truncate(found.size);
      await file.sync();
      await syncDirectory(directory);
      return new Log(settings, found, file, unlock);
    } catch (error) {
      await unlock();
      throw error;
    }
  }

  /** Whose state snapshots are made of. */
  follow(driver: LocalDriver): void {
    this.#driver = driver;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#compacting?.catch(() => {});
    await this.#appender.close();
    await this.#unlock();
  }

  /** The next file, when this one is large for what it holds. */
  async #next(size: number) {
    const { directory, compactAtBytes } = this.#settings;
    const isDue = size >= Math.max(compactAtBytes, 2 * this.#snapshotBytes);
    if (!isDue || this.#driver === undefined || this.#compacting !== undefined || this.#isClosed)
      return undefined;
    const number = this.#number + 1;
    const file = await open(join(directory, fileName(number, 'log')), 'w+');
    await syncDirectory(directory);
    this.#number = number;
    this.#compacting = this.#compact(number, this.#driver)
      .catch(() => {
        // The old files stay, and what they hold is read with the next start
      })
      .finally(() => {
        this.#compacting = undefined;
      });
    return { file, size: 0 };
  }

  async #compact(number: number, driver: LocalDriver): Promise<void> {
    const { directory } = this.#settings;
    // What has just been confirmed takes its place first
    await nextTurn();
    const temporary = join(directory, fileName(number, 'temporary'));
    const file = await open(temporary, 'w');
    let bytes = 0;
    try {
      const slice: Buffer[] = [];
      let sliceBytes = 0;
      const write = async () => {
        bytes += sliceBytes;
        await file.writeFile(Buffer.concat(slice.splice(0)));
        sliceBytes = 0;
        await nextTurn();
      };
      for (const each of driver.saved()) {
        const record =
          'ids' in each
            ? recentRecord(each.topic, each.ids, Date.now())
            : partRecord(each.topic, each.group, each.part);
        sliceBytes += record.length;
        if (slice.push(record) >= sliceRecords || sliceBytes >= maxSliceBytes) await write();
        if (this.#isClosed) throw new Error('closed');
      }
      slice.push(encodeFrame(end));
      await write();
      await file.sync();
    } finally {
      await file.close();
    }
    // Not before all that the snapshot tells of is in the new log as well
    await this.#appender.kept(false);
    await rename(temporary, join(directory, fileName(number, 'snapshot')));
    await syncDirectory(directory);
    this.#snapshotBytes = bytes;
    await removeBefore(directory, number);
  }
}

function journalOver(appender: Appender): Journal {
  const { published, ...others } = records;
  const told = Object.entries(others).map(([name, make]) => {
    const tell = (...facts: never[]) =>
      appender.append((make as (...facts: never[]) => Buffer)(...facts), false);
    return [name, tell] as const;
  });
  return {
    ...(Object.fromEntries(told) as unknown as Omit<Journal, 'published' | 'confirmed' | 'kept' | 'refusal'>),
    published: (...facts) => appender.append(published(...facts), true),
    confirmed: () => appender.kept(true),
    kept: () => appender.kept(false),
    refusal: () => appender.refusal(),
  };
}

interface Found extends Recovered {
  /** Of the last log, and where its whole records end. */
  readonly number: number;
  readonly size: number;
  readonly snapshotBytes: number;
}

async function recover(directory: string): Promise<Found> {
  const names = await readdir(directory);
  const numbers = (kind: Kind) =>
    names
      .flatMap(name => (name.endsWith(`.${kind}`) ? [Number.parseInt(name, 10)] : []))
      .sort((a, b) => a - b);
  const snapshot = numbers('snapshot').at(-1) ?? 0;
  const logs = numbers('log').filter(number => number >= snapshot);
  const saved: Saved = new Map();
  let snapshotBytes = 0;
  if (snapshot > 0) {
    const { size, bytes, isEnded } = await replay(saved, directory, fileName(snapshot, 'snapshot'));
    snapshotBytes = bytes;
    if (size !== bytes || !isEnded) throw damaged(directory, fileName(snapshot, 'snapshot'));
  }
  let size = 0;
  let tornBytes = 0;
  for (const number of logs) {
    const name = fileName(number, 'log');
    const found = await replay(saved, directory, name);
    size = found.size;
    tornBytes = found.bytes - size;
    if (tornBytes > 0 && (number !== logs.at(-1) || found.wasSyncedBeyond)) throw damaged(directory, name);
  }
  return { saved, tornBytes, number: logs.at(-1) ?? Math.max(1, snapshot), size, snapshotBytes };
}

interface Replayed {
  /** Where the whole records end. */
  readonly size: number;
  /** Of the file. */
  readonly bytes: number;
  /** Whether it has its last record, as a snapshot has. */
  readonly isEnded: boolean;
  /** Whether more of it had been on the disk, so that it was damaged later. */
  readonly wasSyncedBeyond: boolean;
}

async function replay(saved: Saved, directory: string, name: string): Promise<Replayed> {
  const file = await open(join(directory, name), 'r');
  try {
    let isEnded = false;
    const size = await readFrames(file, frame => {
      if (isSynced(frame)) return;
      if ((frame.head as readonly unknown[])[0] === end[0]) isEnded = true;
      else if (!apply(saved, frame)) throw unknown(directory, name);
    });
    const bytes = (await file.stat()).size;
    const isTorn = size < bytes;
    return { size, bytes, isEnded, wasSyncedBeyond: isTorn && (await wasSyncedBeyond(file, size)) };
  } finally {
    await file.close();
  }
}

function unknown(directory: string, name: string): Error {
  const words = `${name} in ${directory} has records that this version does not know`;
  return new UnsafeBackendError(`${words}. Start the version that wrote it, or a later one`);
}

function damaged(directory: string, name: string): Error {
  const words = `${name} in ${directory} is damaged, and not at the end of the log; what it held cannot be told`;
  return new UnsafeBackendError(`${words}. Restore it, or move the directory away to begin anew`);
}

type Kind = 'log' | 'snapshot' | 'temporary';

function fileName(number: number, kind: Kind): string {
  return `${String(number).padStart(8, '0')}.${kind}`;
}

async function removeBefore(directory: string, number: number): Promise<void> {
  for (const name of await readdir(directory)) {
    if (/^\d{8}\.(log|snapshot|temporary)$/.test(name) && Number.parseInt(name, 10) < number) {
      await rm(join(directory, name), { force: true });
    }
  }
}

function nextTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
