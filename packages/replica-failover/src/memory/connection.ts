import { abortable, refused } from '@ashlar/core';
import type { Pooled, PooledEvents } from '../connection-pool.ts';
import { CommitDoubt, type Progress } from '../server.ts';
import type { Position } from '../session.ts';
import { MemoryReadOnlyError } from './errors.ts';
import type { MemoryNode } from './node.ts';
import type { Replication } from './replication.ts';

/** What work on a memory server gets: keys and values, both strings. */
export interface MemoryClient {
  /** The id of the server. */
  readonly server: string;
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string): Promise<void>;
  delete(key: string): Promise<void>;
  /** All keys that begin with the prefix, in their order. Default: all. */
  keys(prefix?: string): Promise<string[]>;
}

/** A connection to a memory server. What is sent while it stands still waits; when it dies, the connection is lost. */
export class MemoryConnection implements Pooled<MemoryClient> {
  readonly client: MemoryClient;
  readonly node: MemoryNode;
  readonly #replication: Replication;
  readonly #events: PooledEvents<MemoryClient>;
  readonly #lose = (reason: Error) => this.lose(reason);
  readonly #end = new AbortController();
  #executed = 0;
  #sent = 0;
  #inDoubt = false;
  #isRefused = false;
  /** The changes of the transaction that is open. */
  #pending: Map<string, string | undefined> | undefined;

  constructor(replication: Replication, node: MemoryNode, events: PooledEvents<MemoryClient>) {
    this.#replication = replication;
    this.node = node;
    this.#events = events;
    node.connections.add(this.#lose);
    this.client = {
      server: node.id,
      get: key => this.#send(() => this.#get(key)),
      set: (key, value) => this.#change(key, value),
      delete: key => this.#change(key, undefined),
      keys: (prefix = '') => this.#send(() => this.#keys(prefix)),
    };
  }

  get progress(): Progress {
    const lost: Error | undefined = this.#end.signal.aborted ? this.#end.signal.reason : undefined;
    const inDoubt = this.#inDoubt || this.#sent > 0;
    return {
      executed: this.#executed,
      inDoubt,
      isRefused: this.#isRefused,
      isUnable: false,
      isInTransaction: false,
      hasEnded: false,
      lost,
    };
  }

  isRefusal(error: unknown): boolean {
    return error instanceof MemoryReadOnlyError;
  }

  async begin(isolation: string | undefined): Promise<void> {
    if (isolation !== undefined && isolation !== 'read committed')
      throw refused('isolation', '"read committed", which is all that a memory server has', isolation);
    await this.#send(() => this.#assertPrimary());
    this.#pending = new Map();
  }

  async commit(): Promise<Position | undefined> {
    const changes = this.#pending ?? new Map();
    this.#pending = undefined;
    const id = {};
    try {
      return await this.#send(() => this.#commit(changes, id));
    } catch (error) {
      if (!this.#end.signal.aborted) throw error;
      throw new CommitDoubt(error, connection => (connection as MemoryConnection).outcomeOf(id));
    }
  }

  async rollback(): Promise<void> {
    this.#pending = undefined;
  }

  position(): Promise<Position> {
    return this.#send(() => this.node.sighting().position);
  }

  async barrier(): Promise<void> {
    await this.#send(() => this.#commit(new Map(), {}));
  }

  release(error?: Error): void {
    this.#pending = undefined;
    this.#events.released(this, error);
    this.#executed = 0;
    this.#isRefused = false;
  }

  /** Ends the connection: what is in flight on it fails. */
  lose(reason: Error): void {
    if (this.#end.signal.aborted) return;
    this.#inDoubt ||= this.#sent > 0;
    this.#end.abort(reason);
    this.node.connections.delete(this.#lose);
    this.#events.lost(this, reason);
  }

  /** Whether the primary's history has the commit; what it has is acknowledged first. */
  async outcomeOf(id: object): Promise<'committed' | 'aborted'> {
    return this.#send(async () => {
      this.#assertPrimary();
      const isThere = this.node.log.some(entry => entry.id === id);
      await this.#replication.acknowledged(this.node, this.node.log.length);
      return isThere ? 'committed' : 'aborted';
    });
  }

  /** Sends a statement, which the server executes when it runs, and whose answer comes while it runs. */
  async #send<T>(execute: () => T | Promise<T>): Promise<T> {
    const { signal } = this.#end;
    signal.throwIfAborted();
    this.#sent++;
    try {
      const answer = async () => {
        await this.node.until(() => this.node.state !== 'stopped');
        signal.throwIfAborted();
        const result = await execute();
        await this.node.until(() => this.node.state !== 'stopped');
        return result;
      };
      const result = await abortable(answer(), signal);
      this.#executed++;
      return result;
    } catch (error) {
      this.#isRefused ||= this.isRefusal(error);
      throw error;
    } finally {
      this.#sent--;
    }
  }

  async #change(key: string, value: string | undefined): Promise<void> {
    await this.#send(async () => {
      this.#assertPrimary();
      if (this.#pending !== undefined) this.#pending.set(key, value);
      else await this.#commit(new Map([[key, value]]), {});
    });
  }

  async #commit(changes: ReadonlyMap<string, string | undefined>, id: object): Promise<Position> {
    this.#assertPrimary();
    const { node } = this;
    node.append({ term: node.term, id, changes });
    const { length } = node.log;
    await this.#replication.acknowledged(node, length);
    return { term: node.term, offset: BigInt(length) };
  }

  #get(key: string): string | undefined {
    return this.#pending?.has(key) ? this.#pending.get(key) : this.node.data.get(key);
  }

  #keys(prefix: string): string[] {
    const keys = new Set(this.node.data.keys());
    for (const [key, value] of this.#pending ?? []) {
      if (value === undefined) keys.delete(key);
      else keys.add(key);
    }
    return [...keys].filter(key => key.startsWith(prefix)).sort();
  }

  #assertPrimary(): void {
    const { id, role, isFenced } = this.node;
    if (role !== 'primary') throw new MemoryReadOnlyError(`${id} is a replica`);
    if (isFenced) throw new MemoryReadOnlyError(`${id} is fenced: there is a primary of a later term`);
  }
}
