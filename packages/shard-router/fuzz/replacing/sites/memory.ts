import { MemoryShard, memoryMoves } from '../../../src/index.ts';
import { Slots } from '../../../src/keys/slots.ts';
import type { MoveBackend } from '../../../src/moves/move-backend.ts';
import type { Statement } from '../../../src/tables/statement.ts';
import type { Tables } from '../../../src/tables/table.ts';
import { Table } from '../../../src/tables/table-of.ts';
import type { How } from '../plan.ts';
import { type ReplacingSite, shardNames, slots } from './site.ts';

const spec = { key: ['id'], primaryKey: ['id'], columns: { id: 'text', note: 'text' } } as const;
const table = new Table('notes', spec, 'text');
const all = { slices: [{ from: 0, to: slots }], key: 'text', slots, tables: { notes: spec } } as const;

/** Shards in this process: a new one takes the place of one that is lost. */
export class MemorySite implements ReplacingSite {
  readonly hows: readonly How[] = ['empty', 'backup'];
  readonly key = 'text';
  readonly tables: Tables = { notes: spec };
  readonly #slots = new Slots('text', slots);
  readonly #shards: Record<string, MemoryShard> = {};

  keyOf(n: number): ReturnType<ReplacingSite['keyOf']> {
    const key = `key ${n}`;
    return { key, slot: this.#slots.of(key) };
  }

  async reset(): Promise<void> {
    for (const name of shardNames) this.#shards[name] = new MemoryShard(name);
  }

  backend(): MoveBackend {
    return memoryMoves({ shards: this.#shards, batch: 4 });
  }

  async write(shard: string, key: string, value: string | undefined): Promise<void> {
    const statement: Statement =
      value === undefined
        ? { kind: 'delete', table, where: [{ column: 'id', op: '=', value: key }] }
        : { kind: 'insert', table, rows: [{ id: key, note: value }], onConflict: 'update' };
    await this.#shards[shard]!.write(db => db.execute(statement));
  }

  async rows(shard: string): Promise<Readonly<Record<string, string>>> {
    const { rows } = this.#shards[shard]!.snapshot(all);
    return Object.fromEntries(rows.map(({ row }) => [row['id'], row['note']]));
  }

  async backUp(shard: string): Promise<unknown> {
    return this.#shards[shard]!.snapshot(all).rows;
  }

  async replace(shard: string, how: How, backup: unknown): Promise<void> {
    const stand = new MemoryShard(shard);
    const rows = backup as ReturnType<MemoryShard['snapshot']>['rows'];
    if (how !== 'empty')
      await stand.apply(
        all,
        rows.map(each => ({ ...each, key: each.row })),
      );
    this.#shards[shard] = stand;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
