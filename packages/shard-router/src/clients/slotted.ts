import type { Executor } from '@ashlar/replica-failover/executor';

/** A shard that wants to know which slots its work is for, since its database cannot tell. */
export interface SlottedShard<C> extends Executor<C> {
  ofSlots(slots: readonly number[]): Executor<C>;
}

/** The shard for work on these slots. */
export function ofSlots<C>(shard: Executor<C>, slots: Iterable<number>): Executor<C> {
  return isSlotted(shard) ? shard.ofSlots([...slots]) : shard;
}

function isSlotted<C>(shard: Executor<C>): shard is SlottedShard<C> {
  return typeof (shard as Partial<SlottedShard<C>>).ofSlots === 'function';
}
