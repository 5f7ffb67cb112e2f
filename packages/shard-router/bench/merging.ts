import type { Executor } from '@ashlar/replica-failover/executor';
import { type Bench, type Figures, figures, median, noiseFloor } from '@workspace/bench';
import type { Row } from '../src/columns/column.ts';
import { scatter } from '../src/queries/merging/scatter.ts';
import { byOrder } from '../src/tables/order.ts';
import type { Order, Select } from '../src/tables/statement.ts';
import { Table } from '../src/tables/table-of.ts';

const rows = 100_000;
const rounds = 9;

const table = new Table(
  'items',
  {
    key: ['id'],
    primaryKey: ['id'],
    columns: { id: 'int8', price: 'numeric', name: 'text', placed: 'timestamptz' },
  },
  'int8',
);

const rowOf = (n: number): Row => ({
  id: BigInt(n),
  price: `${(n * 7_919) % 1_000}.${String(n % 100).padStart(2, '0')}`,
  name: `item ${(n * 104_729) % 10_000}`,
  placed: new Date(1.7e12 + ((n * 15_485_863) % 1e9)).toISOString().replace('Z', '000Z'),
});

/** Client CPU that a row costs on its way through the merge, of rows that are there; the target is 2 µs. */
export const merging: readonly Bench[] = ['id', 'price', 'name', 'placed'].flatMap(column =>
  [4, 16].map(shards =>
    figures(`merge by ${column}, ${shards} shards`, 'µs of CPU a row', () => costs(column, shards)),
  ),
);

async function costs(column: string, shards: number): Promise<Figures> {
  const orderBy: readonly Order[] = [column, 'id'].map(each => ({
    column: each,
    descending: false,
    nulls: 'last',
  }));
  const compare = byOrder(table, orderBy);
  const all = Array.from({ length: rows }, (_, n) => rowOf(n));
  const parts = Array.from({ length: shards }, (_, i) =>
    all.filter((_, n) => n % shards === i).sort(compare),
  );
  const statement: Select = {
    kind: 'select',
    table,
    columns: table.columns,
    where: [],
    orderBy,
    limit: undefined,
  };
  const merged = async () => {
    const found: Row[] = [];
    const query = scatter({
      parts: parts.map((part, i) => ({ shard: `${i}`, executor: holding(part), statement })),
      compare,
      limit: undefined,
      batchRows: 500,
      isInTransaction: false,
      scope: {},
      onShardError({ error }) {
        throw error;
      },
      isCurrent: () => true,
    });
    for await (const batch of query) for (const row of batch) found.push(row);
    return found;
  };
  const sorted = async () => parts.flat().sort(compare);
  const works = [merged, merged, sorted];
  const samples: number[][] = works.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < works.length; turn++) {
      const at = (turn + round) % works.length;
      const before = process.cpuUsage();
      await works[at]!();
      const { user, system } = process.cpuUsage(before);
      if (round >= 2) samples[at]!.push((user + system) / rows); // the first rounds warm up
    }
  }
  const [value, same, other] = samples.map(median) as [number, number, number];
  return {
    ours: ['merge as it streams', value],
    peers: { [noiseFloor]: same, 'collect and sort': other, target: 2 },
  };
}

/** A shard whose rows are there. */
function holding(part: readonly Row[]): Executor<unknown> {
  const client = { execute: async () => ({ rows: part, count: part.length }) };
  const run = <T>(work: (client: unknown) => Promise<T>) => work(client);
  return { read: run, write: run, transaction: run };
}
