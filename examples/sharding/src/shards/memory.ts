import { sleep } from '@ashlar/core';
import { memoryMoves, memoryShards } from '@ashlar/shard-router';
import { memoryStore } from '@ashlar/store';
import { type Site, shardNames } from './site.ts';

/** So that people can watch it: in memory, rows would move at once. */
const transferMs = 15;
const transfers = 20;

/** Shards in the memory of this process. */
export function memorySite(rows: number): Site {
  const shards = memoryShards(shardNames);
  const store = memoryStore();
  const batch = Math.ceil(rows / shardNames.length / transfers);
  return {
    title: 'in memory',
    shards,
    store,
    backend: memoryMoves({ shards, batch, transport: () => sleep(transferMs) }),
    [Symbol.asyncDispose]: () => store.close(),
  };
}
