import { describe, it } from 'vitest';
import { moveConformance } from '../src/conformance.ts';
import { Slots } from '../src/keys/slots.ts';
import { memoryMoves } from '../src/memory/memory-moves.ts';
import { type MemoryShard, memoryShards } from '../src/memory/memory-shard.ts';
import type { Statement } from '../src/tables/statement.ts';
import type { Tables } from '../src/tables/table.ts';
import { Table } from '../src/tables/table-of.ts';
import { halfOf } from './support/half.ts';

const spec = { key: ['id'], primaryKey: ['id'], columns: { id: 'text', note: 'text' } } as const;
const tables: Tables = { notes: spec };
const notes = new Table('notes', spec, 'text');
const slots = new Slots('text', 16);
const keys = Array.from({ length: 600 }, (_, i) => `key ${i}`);

moveConformance(
  { describe, it },
  async () => {
    const shards: Readonly<Record<string, MemoryShard>> = memoryShards(['one', 'two']);
    const move = halfOf({ key: 'text', slots: 16, tables });
    const statement = (key: string, note: string | undefined): Statement =>
      note === undefined
        ? { kind: 'delete', table: notes, where: [{ column: 'id', op: '=', value: key }] }
        : { kind: 'insert', table: notes, rows: [{ id: key, note }], onConflict: 'update' };
    return {
      move,
      moved: keys.filter(key => slots.of(key) < 8),
      others: keys.filter(key => slots.of(key) >= 8),
      backend: () => memoryMoves({ shards, batch: 100 }),
      async write(shard, key, value) {
        await shards[shard]!.write(db => db.execute(statement(key, value)));
      },
      async rows(shard) {
        const { rows } = shards[shard]!.snapshot({ ...move, slices: [{ from: 0, to: 16 }] });
        return Object.fromEntries(rows.map(({ row }) => [row['id'], row['note']]));
      },
      async damage(shard, key, value) {
        const row = value === undefined ? undefined : { id: key, note: value };
        await shards[shard]!.apply(move, [{ table: 'notes', key: { id: key }, row }]);
      },
      async [Symbol.asyncDispose]() {},
    };
  },
  { name: 'memory' },
);
