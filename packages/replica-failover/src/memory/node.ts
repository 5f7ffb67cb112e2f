import type { Sighting } from '../server.ts';
import type { Position } from '../session.ts';
import { MemoryConnectionError } from './errors.ts';

/** What one commit changed; a value of undefined was deleted. */
export interface LogEntry {
  readonly term: number;
  /** Names the commit. */
  readonly id: object;
  readonly changes: ReadonlyMap<string, string | undefined>;
}

/** A simulated server: a log, and what it says when all of it up to some place is applied. */
export class MemoryNode {
  readonly id: string;
  role: 'primary' | 'replica' = 'replica';
  /** `stopped`: it lives and does nothing, as after SIGSTOP. */
  state: 'running' | 'stopped' | 'dead' = 'running';
  term = 1;
  log: LogEntry[] = [];
  /** How many entries of the log readers see. */
  applied = 0;
  isReplayPaused = false;
  /** A primary of an earlier term that was told so, and refuses writes. */
  isFenced = false;
  /** The latest term of those who have administered it. */
  notedTerm = 0;
  /** Whose log it copies. */
  upstream: MemoryNode | undefined;
  /** How its connections end. */
  readonly connections: Set<(reason: Error) => void> = new Set<(reason: Error) => void>();
  #termEnds: Position[] = [];
  #data = new Map<string, string>();
  #starts = 1;
  readonly #cluster: string;
  readonly #listeners = new Set<() => void>();

  /** @param cluster names the cluster */
  constructor(id: string, cluster: string) {
    this.id = id;
    this.#cluster = cluster;
  }

  get data(): ReadonlyMap<string, string> {
    return this.#data;
  }

  sighting(): Sighting {
    return {
      role: this.role,
      position: { term: this.term, offset: BigInt(this.applied) },
      termEnds: this.#termEnds,
      instance: `${this.#cluster}-${this.id}-${this.#starts}`,
      cluster: this.#cluster,
      isReceiving: this.role === 'replica' ? this.isReceiving : undefined,
      isFenced: this.isFenced,
    };
  }

  /** Whether the connection to its upstream stands: also while that says nothing. */
  get isReceiving(): boolean {
    return this.upstream !== undefined && this.upstream.state !== 'dead' && this.upstream.role === 'primary';
  }

  append(entry: LogEntry): void {
    this.log.push(entry);
    if (this.role === 'primary' || !this.isReplayPaused) this.apply();
    this.changed();
  }

  apply(): void {
    for (const { changes } of this.log.slice(this.applied)) {
      for (const [key, value] of changes) {
        if (value === undefined) this.#data.delete(key);
        else this.#data.set(key, value);
      }
    }
    this.applied = this.log.length;
  }

  /** Becomes primary of a new term, with what it has received. */
  promote(term: number): void {
    this.isReplayPaused = false;
    this.apply();
    this.#termEnds = [...this.#termEnds, { term: this.term, offset: BigInt(this.log.length) }];
    this.term = term;
    this.role = 'primary';
    this.isFenced = false;
    this.upstream = undefined;
    this.changed();
  }

  /** Copies the log of another from now on, which may be the end of entries that the other does not have. */
  follow(primary: MemoryNode): void {
    const differs = this.log.findIndex((entry, index) => primary.log[index] !== entry);
    if (differs >= 0) {
      this.log.length = differs;
      this.#data = new Map();
      this.applied = 0;
      this.apply();
      this.restarted();
    }
    if (this.role === 'primary') this.disconnect();
    this.role = 'replica';
    this.isFenced = false;
    this.upstream = primary;
    this.changed();
  }

  /** Has got something of its upstream, and with it its term. */
  receive(entries: readonly LogEntry[], from: MemoryNode): void {
    this.term = from.term;
    this.#termEnds = from.#termEnds;
    for (const entry of entries) this.append(entry);
    this.changed();
  }

  restarted(): void {
    this.#starts++;
  }

  /** Ends all connections: what is in flight on them fails. */
  disconnect(): void {
    for (const lose of [...this.connections]) lose(this.deadError());
  }

  deadError(): MemoryConnectionError {
    return new MemoryConnectionError(`the memory server ${this.id} is dead`);
  }

  changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  /** Resolves when the condition holds, which is asked after each change. */
  async until(condition: () => boolean): Promise<void> {
    if (condition()) return;
    await new Promise<void>(resolve => {
      const listener = () => {
        if (!condition()) return;
        this.#listeners.delete(listener);
        resolve();
      };
      this.#listeners.add(listener);
    });
  }
}
