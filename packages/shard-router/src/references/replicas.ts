import type { Executor, ReadScope } from '@ashlar/replica-failover/executor';
import { MixedVersionsError } from '../errors/statements.ts';
import type { Table } from '../tables/table-of.ts';
import type { Head, Heads, ReferenceChange } from './changes.ts';
import { Copy } from './copies.ts';
import type { ReferenceRepair, ReferenceWrite } from './reference.ts';

/** Thrown in a read of a copy that is too old: another is read. */
class Outdated extends Error {}

/** The copies of one reference table on all shards. */
export class Replicas<C> {
  readonly table: Table;
  readonly heads: Heads;
  readonly #copies: readonly Copy<C>[];
  readonly #executors: ReadonlyMap<string, Executor<C>>;
  #next = 0;
  /** The latest version that this process has seen: it reads none before that. */
  #seen = 0;

  constructor(table: Table, heads: Heads, executors: ReadonlyMap<string, Executor<C>>) {
    this.table = table;
    this.heads = heads;
    this.#executors = executors;
    this.#copies = [...executors].map(([shard, executor]) => new Copy(shard, table, executor));
  }

  /** Tries a change on the first copy that can be brought to the head. Undefined when none is there any more. @throws what speaks against it */
  async tries(head: Head, change: ReferenceChange): Promise<{ readonly count: number } | undefined> {
    let failure: unknown;
    for (const copy of this.#copies) {
      try {
        if ((await this.#upTo(head, copy)) < head.version) continue;
      } catch (error) {
        failure ??= error;
        continue;
      }
      return copy.tries(head.version, change);
    }
    throw this.#meant(failure);
  }

  /** Brings the head to all copies. Returns the shards that could not be reached. */
  async bring(head: Head): Promise<ReferenceWrite['missing']> {
    this.#seen = Math.max(this.#seen, head.version);
    const bringing = this.#copies.map(async copy => {
      try {
        await this.#upTo(head, copy);
        return [];
      } catch (error) {
        return [{ shard: copy.shard, error: this.#meant(error) }];
      }
    });
    return (await Promise.all(bringing)).flat();
  }

  async versions(): Promise<{ readonly head: number; readonly shards: Readonly<Record<string, number>> }> {
    const { version: head } = await this.heads.read();
    const looking = this.#copies.map(async copy => {
      const version = await this.#versionAt(copy).catch(() => undefined);
      return version === undefined ? [] : [[copy.shard, version] as const];
    });
    return { head, shards: Object.fromEntries((await Promise.all(looking)).flat()) };
  }

  async repair(): Promise<readonly ReferenceRepair[]> {
    const head = await this.heads.read();
    const [first, ...others] = this.#copies;
    await this.#upTo(head, first!);
    const snapshot = await first!.snapshot();
    const repaired: ReferenceRepair[] = [];
    for (const copy of others) {
      const done = await copy.equal(snapshot);
      if (done !== undefined && done.added + done.changed + done.removed > 0) repaired.push(done);
    }
    return repaired;
  }

  /**
   * The version that these shards have, as far as they can be reached; undefined where it is not one and the same. Those that are behind are
   * brought there first. Rejects when none can be reached.
   */
  async common(shards: readonly string[]): Promise<number | undefined> {
    const copies = this.#copies.filter(({ shard }) => shards.includes(shard));
    const look = async () => {
      const looks = await Promise.allSettled(copies.map(copy => this.#versionAt(copy)));
      const found = looks.flatMap(each => (each.status === 'fulfilled' ? [each.value] : []));
      if (found.length === 0) throw (looks[0] as PromiseRejectedResult).reason;
      return new Set(found);
    };
    let found = await look();
    if (found.size > 1) {
      await this.bring(await this.heads.read());
      found = await look();
    }
    if (found.size > 1) return undefined;
    const [version] = found;
    this.#seen = Math.max(this.#seen, version!);
    return version;
  }

  /** The version of the copy on the shard of this client. */
  versionOn(client: C): Promise<number> {
    return this.#copies[0]!.versionOf(client);
  }

  /** Reads one copy, of those in turn, that is not too old. */
  async read<T>(work: (client: C) => Promise<T>, scope: ReadScope = {}): Promise<T> {
    if (scope.consistency === 'strong') this.#seen = Math.max(this.#seen, (await this.heads.read()).version);
    const start = this.#next++;
    let failure: unknown;
    for (let round = 0; round < 2; round++) {
      for (let n = 0; n < this.#copies.length; n++) {
        const copy = this.#copies[(start + n) % this.#copies.length]!;
        let isReached = false;
        try {
          await copy.ready();
          return await this.#executors.get(copy.shard)!.read(async client => {
            isReached = true;
            const version = await copy.versionOf(client);
            if (version < this.#seen)
              throw new Outdated(`shard ${copy.shard} has an old copy of ${this.table.name}`);
            this.#seen = version;
            return work(client);
          }, scope);
        } catch (error) {
          failure = error;
          if (isReached && !(error instanceof Outdated)) throw error;
        }
      }
      await this.bring(await this.heads.read());
    }
    throw this.#meant(failure);
  }

  /** What a caller is told where no copy has the version. */
  #meant(failure: unknown): unknown {
    const isOld = failure === undefined || failure instanceof Outdated;
    return isOld ? new MixedVersionsError(this.table.name, { cause: failure }) : failure;
  }

  #versionAt(copy: Copy<C>): Promise<number> {
    const executor = this.#executors.get(copy.shard)!;
    return copy
      .ready()
      .then(() => executor.read(client => copy.versionOf(client), { consistency: 'strong' }));
  }

  /** Does what the copy lacks of the head; of one that lacks more, the whole table is copied. Returns its version. */
  async #upTo(head: Head, copy: Copy<C>): Promise<number> {
    const version = await copy.follow(head);
    if (version >= head.version) return version;
    for (const other of this.#copies) {
      if (other === copy) continue;
      try {
        if ((await other.follow(head)) < head.version) continue;
        const done = await copy.equal(await other.snapshot());
        if (done !== undefined) return done.version;
      } catch {
        // The next one may be reached
      }
    }
    throw new Outdated(
      `shard ${copy.shard} has version ${version} of ${this.table.name}, and no other has ${head.version}`,
    );
  }
}
