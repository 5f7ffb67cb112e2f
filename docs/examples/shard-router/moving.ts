// #region program
import { Mover, memoryMoves, memoryShards, ShardRouter } from '@ashlar/shard-router';
import { memoryStore } from '@ashlar/store';

const store = memoryStore();
const shards = memoryShards(['one', 'two', 'three']);
const { one, two } = shards;
const tables = {
  notes: { key: ['tenant'], primaryKey: ['tenant'], columns: { tenant: 'text', text: 'text' } },
} as const;
// The map of the time when there were two shards
const first = new ShardRouter({ shards: { one, two }, store, key: 'text', tables });
await first.ready();
await first.close();

const router = new ShardRouter({ shards, store, key: 'text', tables });
await router.ready();
await router.table('notes').insert({ tenant: 'initech', text: 'hello' });
console.log(router.route('initech').shard); // two

const mover = new Mover({ store, tables, backend: memoryMoves({ shards }) });
const moves = await mover.move({ kind: 'add', shard: 'three' });
console.log(moves.map(({ from, to }) => `${from} to ${to}`).join(', ')); // two to three, one to three
console.log(router.route('initech').shard); // three
console.log(await router.table('notes').get({ tenant: 'initech' })); // { tenant: 'initech', text: 'hello' }
// Until then, `rollback` brings them back with all that was written since
for (const { id } of moves) await mover.finish(id);
await mover.close();
await router.close();
await store.close();
// #endregion program
