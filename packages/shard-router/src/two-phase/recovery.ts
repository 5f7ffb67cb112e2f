import type { Executor } from '@ashlar/replica-failover/executor';
import { ShardMapError } from '../errors/routing.ts';
import type { Verdict } from './ledger.ts';
import { ledgerOf } from './ledger-of.ts';
import { gidOf, idIn, prefixOf, readId } from './names.ts';

/** A part of a transaction that its own process has left in doubt, and that has heard its verdict now. */
export interface Settled {
  readonly transaction: string;
  readonly shard: string;
  readonly verdict: Verdict;
  /** For how long it waited, in milliseconds. */
  readonly ageMs: number;
}

/** What a recovery has done. */
export interface RecoveryReport {
  readonly settled: readonly Settled[];
  /** Shards where it could not look, or not settle all. */
  readonly failed: readonly { readonly shard: string; readonly error: unknown }[];
}

/** Milliseconds for each question to a shard. */
const askMs = 5_000;

/** Settles transactions over several shards whose process has died, or has lost its shards. Any process may, at any time. */
export class Recovery {
  readonly #router: string;
  readonly #shards: Readonly<Record<string, Pick<Executor<unknown>, 'write'>>>;

  constructor(router: string, shards: Readonly<Record<string, Pick<Executor<unknown>, 'write'>>>) {
    this.#router = router;
    this.#shards = shards;
  }

  /** @param olderThanMs a younger one may still be run by its own process, which would have to begin anew */
  async run(
    olderThanMs: number,
    shards: readonly string[] = Object.keys(this.#shards),
  ): Promise<RecoveryReport> {
    const settled: Settled[] = [];
    const failed: { shard: string; error: unknown }[] = [];
    const looking = shards.map(async shard => {
      try {
        await this.#waiting(shard, olderThanMs, settled);
        failed.push(...(await this.#decided(shard, olderThanMs)));
      } catch (error) {
        failed.push({ shard, error });
      }
    });
    await Promise.all(looking);
    return { settled, failed };
  }

  /** What waits at a shard hears the verdict of its first shard. */
  async #waiting(shard: string, olderThanMs: number, settled: Settled[]): Promise<void> {
    const doubts = await this.#ask(shard, client => ledgerOf(client).inDoubt(prefixOf(this.#router)));
    for (const { gid, ageMs } of doubts) {
      const id = idIn(gid)?.id;
      if (id === undefined || ageMs < olderThanMs) continue;
      const verdict = await this.#ask(readId(id).shard, client => ledgerOf(client).resolve(id, this.#router));
      await this.#ask(shard, client => ledgerOf(client).settle(gid, verdict));
      settled.push({ transaction: id, shard, verdict, ageMs });
    }
  }

  /** Commits that a shard has decided, and whose other parts have all heard of it, are over. */
  async #decided(shard: string, olderThanMs: number): Promise<RecoveryReport['failed']> {
    const failed: { shard: string; error: unknown }[] = [];
    const decided = await this.#ask(shard, client => ledgerOf(client).unsettled(this.#router, olderThanMs));
    for (const { id, participants } of decided) {
      try {
        for (const each of participants)
          await this.#ask(each, client => ledgerOf(client).settle(gidOf(this.#router, id, each), 'commit'));
        await this.#ask(shard, client => ledgerOf(client).settled(id));
      } catch (error) {
        // It must not keep the others from being settled
        failed.push({ shard, error });
      }
    }
    await this.#ask(shard, client => ledgerOf(client).forget(this.#router));
    return failed;
  }

  async #ask<T>(shard: string, work: (client: unknown) => Promise<T>): Promise<T> {
    const executor = this.#shards[shard];
    if (executor === undefined)
      throw new ShardMapError(
        this.#router,
        `has transactions on shard ${shard}, which this router does not have`,
      );
    return executor.write(work, { timeoutMs: askMs });
  }
}
