import { Backoff, type Clock } from '@ashlar/core';
import type { Executor, TransactionScope } from '@ashlar/replica-failover/executor';
import { channels } from '../diagnostics.ts';
import {
  InDoubtError,
  PartLostError,
  TwoPhaseUnavailableError,
  UnsettledError,
} from '../errors/two-phase.ts';
import type { Route } from '../map/routes.ts';
import type { Guarded } from '../running/guarded.ts';
import { isConflict, isFenceRefusal } from '../running/refusals.ts';
import { Branch, beginsItself } from './branch.ts';
import { AbortedElsewhere, keptMs, type Verdict } from './ledger.ts';
import { ledgerOf } from './ledger-of.ts';
import { gidOf, newId, readId } from './names.ts';

export interface TwoPhaseOptions<C> {
  readonly router: string;
  readonly guarded: Guarded<C>;
  readonly clock: Clock;
}

/** Milliseconds for a question that has no time of its own. */
const askMs = 5_000;

/** How often a transaction is run that was taken for dead, or that a database has ended. */
const mostAttempts = 4;

/** What an attempt has come to. */
interface Attempt<R> {
  readonly id: string;
  readonly first: string;
  readonly others: readonly string[];
  /** Set once the work has run and the verdict is about to be committed. */
  result: { readonly value: R } | undefined;
}

/**
 * Transactions over several shards. All shards but the first prepare their parts, which from then on survive a crash; the first commits its own
 * part together with the verdict, and so decides. Then the others are told. Where this process dies, a `Recovery` of any other goes by the verdict:
 * none means that it was rolled back.
 */
export class TwoPhase<C> {
  readonly #options: TwoPhaseOptions<C>;
  /** The shards that can take part, and whether `beginsItself`. */
  readonly #ready = new Map<string, boolean>();

  constructor(options: TwoPhaseOptions<C>) {
    this.#options = options;
  }

  /**
   * @param work gets a client of each shard, by name
   * @throws TwoPhaseUnavailableError, InDoubtError, UnsettledError, PartLostError
   */
  run<R>(
    route: () => readonly Route[],
    work: (clients: ReadonlyMap<string, C>) => Promise<R>,
    scope: TransactionScope,
  ): Promise<R> {
    const attempt = (
      shards: readonly string[],
      stay: (otherwise?: boolean) => Promise<void>,
      left: TransactionScope,
    ) => this.#attempts(shards, work, stay, left);
    return this.#options.guarded.together(route, attempt, scope);
  }

  /**
   * What became of a transaction. Where it was not committed, it never will be.
   *
   * @throws InvalidValueError when there can be none of this id; the shard's error
   */
  async outcomeOf(id: string): Promise<'committed' | 'aborted' | 'unknown'> {
    const { shard, begunAt } = readId(id);
    const verdict = await this.#options.guarded.shard(shard).write(
      async client => {
        const ledger = ledgerOf(client);
        const isKept = (await ledger.now()) - begunAt < keptMs;
        return isKept ? ledger.resolve(id, this.#options.router) : undefined;
      },
      { timeoutMs: askMs },
    );
    if (verdict === undefined) return 'unknown';
    return verdict === 'commit' ? 'committed' : 'aborted';
  }

  async #attempts<R>(
    shards: readonly string[],
    work: (clients: ReadonlyMap<string, C>) => Promise<R>,
    stay: (otherwise?: boolean) => Promise<void>,
    scope: TransactionScope,
  ): Promise<R> {
    for (const shard of shards) await this.#check(shard, scope);
    for (let n = 1; ; n++) {
      const past: { last?: Attempt<R> } = {};
      try {
        await this.#first(shards[0]!).transaction(
          client => this.#parts(shards, client, work, stay, scope, past),
          scope,
        );
      } catch (error) {
        const { last } = past;
        if (last?.result === undefined) {
          if (isToRunAgain(error, scope) && n < mostAttempts) continue;
          throw error;
        }
        // The answer to the commit may be lost: whoever asks for the verdict has it, or prevents it
        const verdict = await this.#verdict(last, error);
        if (verdict === 'abort') {
          await this.#tell(last, 'abort', scope);
          if (isToRunAgain(error, scope) && n < mostAttempts) continue;
          throw error;
        }
      }
      const { last } = past;
      await this.#settle(last!, scope);
      return last!.result!.value;
    }
  }

  #first(shard: string): Executor<C> {
    return this.#options.guarded.shard(shard);
  }

  async #check(shard: string, scope: TransactionScope): Promise<void> {
    if (this.#ready.has(shard)) return;
    const { isolation: _, ...rest } = scope;
    const isBegun = await this.#options.guarded.shard(shard).write(async client => {
      await ledgerOf(client).ready(shard);
      return beginsItself(client);
    }, rest);
    this.#ready.set(shard, isBegun);
  }

  /** Runs within the transaction of the first shard: opens the others, and prepares them once the work is done. */
  async #parts<R>(
    [first, ...others]: readonly string[],
    client: C,
    work: (clients: ReadonlyMap<string, C>) => Promise<R>,
    stay: (otherwise?: boolean) => Promise<void>,
    scope: TransactionScope,
    past: { last?: Attempt<R> },
  ): Promise<void> {
    // The executor runs this again only when the attempt before is certainly undone at the first shard
    if (past.last?.result !== undefined) await this.#tell(past.last, 'abort', scope);
    const { router, guarded } = this.#options;
    const ledger = ledgerOf(client);
    const attempt: Attempt<R> = {
      id: newId(first!, await ledger.now()),
      first: first!,
      others,
      result: undefined,
    };
    past.last = attempt;
    const branches: Branch<C>[] = [];
    const prepared: Branch<C>[] = [];
    try {
      // In order, one after another: so two that want the same shards in memory never wait for each other
      for (const name of others)
        branches.push(
          await Branch.open(name, guarded.shard(name), this.#ready.get(name)!, withoutSession(scope)),
        );
      const clients = new Map([
        [first!, client],
        ...branches.map(each => [each.shard, each.client] as const),
      ]);
      const value = await this.#work(work, clients, stay);
      await stay();
      const preparing = branches.map(branch => {
        prepared.push(branch);
        return branch.prepare(gidOf(router, attempt.id, branch.shard));
      });
      const failed = (await Promise.allSettled(preparing)).find(each => each.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      attempt.result = { value };
      await ledger.decide(attempt.id, router, others);
    } catch (error) {
      attempt.result = undefined;
      await Promise.all(branches.filter(each => !prepared.includes(each)).map(each => each.rollback()));
      if (prepared.length > 0) await this.#tell(attempt, 'abort', scope);
      throw error;
    }
  }

  async #work<R>(
    work: (clients: ReadonlyMap<string, C>) => Promise<R>,
    clients: ReadonlyMap<string, C>,
    stay: (otherwise?: boolean) => Promise<void>,
  ): Promise<R> {
    try {
      return await work(clients);
    } catch (error) {
      // Work may throw because its rows are not here any more
      if (!isFenceRefusal(error)) await stay(true);
      throw error;
    }
  }

  async #verdict(attempt: Attempt<unknown>, cause: unknown): Promise<Verdict> {
    const { router, guarded } = this.#options;
    try {
      return await guarded
        .shard(attempt.first)
        .write(client => ledgerOf(client).resolve(attempt.id, router), { timeoutMs: askMs });
    } catch {
      throw new InDoubtError(attempt.id, { cause });
    }
  }

  /** Tells the shards a verdict, each once. Returns those that could not be told. */
  async #tell(
    { id, others }: Attempt<unknown>,
    verdict: Verdict,
    scope: TransactionScope,
    shards: readonly string[] = others,
  ): Promise<{ readonly shard: string; readonly error: unknown }[]> {
    const { router, guarded } = this.#options;
    const { session } = scope;
    const telling = shards.map(async shard => {
      const settle = (client: C) => ledgerOf(client).settle(gidOf(router, id, shard), verdict);
      try {
        await guarded.shard(shard).write(settle, { timeoutMs: askMs, ...(session && { session }) });
        return [];
      } catch (error) {
        return [{ shard, error }];
      }
    });
    return (await Promise.all(telling)).flat();
  }

  /** Tells the others of the commit, as long as there is time. @throws UnsettledError */
  async #settle(attempt: Attempt<unknown>, scope: TransactionScope): Promise<void> {
    const { router, guarded, clock } = this.#options;
    const endsAt = clock.now() + (scope.timeoutMs ?? askMs);
    const pauses = new Backoff({ firstMs: 20, maxMs: 1_000 });
    let left: readonly string[] = attempt.others;
    for (;;) {
      const failures = await this.#tell(attempt, 'commit', scope, left);
      const lost = failures.find(({ error }) => error instanceof PartLostError);
      if (lost !== undefined) throw lost.error;
      left = failures.map(({ shard }) => shard);
      if (left.length === 0) break;
      const pauseMs = pauses.nextMs();
      const isLate = scope.signal?.aborted === true || clock.now() + pauseMs >= endsAt;
      if (isLate) {
        if (channels.inDoubt.hasSubscribers)
          channels.inDoubt.publish({ router, transaction: attempt.id, shards: left });
        throw new UnsettledError(attempt.id, left, { cause: failures[0]!.error });
      }
      await clock.sleep(pauseMs);
    }
    // Not waited for: a sweep does it as well
    const settled = (client: C) => ledgerOf(client).settled(attempt.id);
    guarded
      .shard(attempt.first)
      .write(settled, { timeoutMs: askMs })
      .catch(() => {});
  }
}

/** It is certainly undone at all shards, for a reason that may be over. */
function isToRunAgain(error: unknown, { signal }: TransactionScope): boolean {
  return signal?.aborted !== true && (error instanceof AbortedElsewhere || isConflict(error));
}

function withoutSession({ session: _, ...scope }: TransactionScope): TransactionScope {
  return scope;
}

/** @throws TwoPhaseUnavailableError */
export function refuseTwoPhase(): never {
  throw new TwoPhaseUnavailableError(
    undefined,
    'give the router the option `twoPhase`, so that it settles what others leave',
  );
}
