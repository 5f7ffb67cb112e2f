import type { Row } from '../columns/column.ts';
import type { MovedRows } from './moved-rows.ts';

/** A row as a commit has left it. */
export interface RowChange {
  readonly table: string;
  /** Its columns of the primary key at least. */
  readonly key: Row;
  /** Undefined: it was deleted. */
  readonly row: Row | undefined;
}

/** What one transaction has changed. */
export interface Commit {
  /** Grows from commit to commit of a shard. */
  readonly position: number;
  readonly changes: readonly RowChange[];
}

/** The commits that changed some rows, in order, kept until they are confirmed. It stays when its reader goes. */
export class Feed {
  readonly #moved: MovedRows;
  #commits: Commit[] = [];
  readonly #readers = new Set<() => void>();

  constructor(moved: MovedRows) {
    this.#moved = moved;
  }

  /** What is not confirmed yet, in order. */
  get commits(): readonly Commit[] {
    return this.#commits;
  }

  /** Forgets the commits up to this position, this one included. */
  confirm(position: number): void {
    this.#commits = this.#commits.filter(commit => commit.position > position);
  }

  /** Resolves when there is a commit that is not confirmed. Rejects with the signal's reason. */
  changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      if (this.#commits.length > 0) return resolve();
      const end = () => {
        this.#readers.delete(wake);
        signal.removeEventListener('abort', leave);
      };
      const wake = () => {
        end();
        resolve();
      };
      const leave = () => {
        end();
        reject(signal.reason);
      };
      this.#readers.add(wake);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  append(commit: Commit): void {
    const changes = commit.changes.filter(({ table, row, key }) => this.#moved.has(table, row ?? key));
    if (changes.length === 0) return;
    this.#commits.push({ position: commit.position, changes });
    for (const wake of [...this.#readers]) wake();
  }
}
