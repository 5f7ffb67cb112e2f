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

/** Until the process is ended, several at a time: a write, and reads that must see it. */
export function work<C>(
  router: ShardRouter<C>,
  settings: { readonly process: number; readonly customers: number },
  works: Works<C>,
): void {
  tell({ type: 'ready' });
  let next = settings.process * 7;
  for (let worker = 0; worker < 3; worker++) void loop(worker);

  async function loop(worker: number): Promise<void> {
    for (let n = 0; ; n++) {
      next += 31;
      const customer = customerName(next % settings.customers);
      const id = `${settings.process}-${worker}-${n}`;
      const shard = router.on(customer);
      const scope = { session: new Session(), timeoutMs: 20_000 };
      const begunAt = nowMs();
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
      if (outcome !== 'Executed') continue;
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
}
