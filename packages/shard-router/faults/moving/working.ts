import { setTimeout as delay } from 'node:timers/promises';
import type { CallOutcome } from '@ashlar/core';
import { Session } from '@ashlar/replica-failover';
import type { Executor, ReadScope, Scope } from '@ashlar/replica-failover/executor';
import { say } from '@workspace/faults';
import type { ShardRouter } from '../../src/router.ts';
import { type ClientMessage, customerName, nowMs } from './roles.ts';

const tell = (message: ClientMessage) => say(message);

/** What a process does at a shard. */
export interface Works<C> {
  /** The levels at which it reads what it has written. */
  readonly levels: readonly ('session' | 'strong')[];
  /** A write that shows when it is lost or doubled. */
  write(shard: Executor<C>, customer: string, id: string, scope: Scope): Promise<unknown>;
  /** How often the write is there. */
  count(shard: Executor<C>, customer: string, id: string, scope: ReadScope): Promise<number>;
}

/** What a process was behind when it stood still for longer, it leaves: it would be a burst. */
const behindMs = 5_000;

/**
 * Until the process is ended, at a steady rate whatever the shards do: a write, and reads that must see it. A write counts as begun when it was due,
 * so that one that had to wait for those before it is not taken for a quick one.
 *
 * @param atOnce how many writes may be under way
 */
export async function work<C>(
  router: ShardRouter<C>,
  settings: { readonly process: number; readonly customers: number; readonly writesPerSecond: number },
  works: Works<C>,
  atOnce = 64,
): Promise<never> {
  tell({ type: 'ready' });
  const underWay = new Set<Promise<void>>();
  let next = settings.process * 7;
  let dueAt = nowMs();
  for (let n = 0; ; n++) {
    dueAt += 1_000 / settings.writesPerSecond;
    if (nowMs() - dueAt > behindMs) dueAt = nowMs();
    while (nowMs() < dueAt) await delay(dueAt - nowMs());
    while (underWay.size >= atOnce) await Promise.race(underWay);
    next += 31;
    const one = write(customerName(next % settings.customers), `${settings.process}-${n}`, dueAt);
    underWay.add(one);
    void one.then(() => underWay.delete(one));
  }

  async function write(customer: string, id: string, begunAt: number): Promise<void> {
    const shard = router.on(customer);
    const scope = { session: new Session(), timeoutMs: 20_000 };
    const outcome: CallOutcome = await works.write(shard, customer, id, scope).then(
      () => 'Executed',
      error => {
        const told: unknown = error.outcome;
        if (told !== 'Unknown' && told !== 'NotExecuted')
          tell({ type: 'broken', remark: `a write: ${error}` });
        return told === 'NotExecuted' ? 'NotExecuted' : 'Unknown';
      },
    );
    tell({ type: 'write', write: { customer, id, begunAt, endedAt: nowMs(), outcome } });
    if (outcome !== 'Executed') return;
    for (const consistency of works.levels) {
      await works.count(shard, customer, id, { ...scope, consistency }).then(
        count => {
          if (count !== 1)
            tell({ type: 'stale', remark: `a ${consistency} read saw ${count} of ${id} of ${customer}` });
        },
        error => {
          if (error.outcome !== 'NotExecuted' && error.retryable !== true)
            tell({ type: 'broken', remark: `a ${consistency} read: ${error}` });
        },
      );
    }
  }
}
