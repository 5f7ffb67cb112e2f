import type { Row } from '../columns/column.ts';
import type { Difference } from '../moves/move-backend.ts';
import type { Table } from '../tables/table-of.ts';
import type { RowChange } from './feed.ts';
import type { MemoryShard } from './memory-shard.ts';
import { type Moved, MovedRows } from './moved-rows.ts';

const most = 100;

/** Compares the moved rows of two shards, but for those that are on the way. */
export function compared(
  moved: Moved,
  source: MemoryShard,
  target: MemoryShard,
  pending: readonly RowChange[],
): { readonly rows: number; readonly differences: readonly Difference[] } {
  const all = [source.snapshot(moved).rows, target.snapshot(moved).rows] as const;
  const differences: Difference[] = [];
  let count = 0;
  for (const table of new MovedRows(moved).tables) {
    const onTheWay = new Set(
      pending.filter(each => each.table === table.name).map(({ row, key }) => table.identity(row ?? key)),
    );
    const [here, there] = all.map(
      rows =>
        new Map(
          rows
            .filter(each => each.table === table.name)
            .map(({ row }) => [table.identity(row), row] as const)
            .filter(([id]) => !onTheWay.has(id)),
        ),
    ) as [Map<string, Row>, Map<string, Row>];
    count += here.size;
    const missing = [...here.keys()].filter(id => !there.has(id));
    const extra = [...there.keys()].filter(id => !here.has(id));
    const different = [...here].filter(([id, row]) => there.has(id) && !isEqual(table, row, there.get(id)!));
    if (missing.length + extra.length + different.length === 0) continue;
    const named = (ids: readonly string[]) => ids.slice(0, most).map(id => JSON.stringify(id));
    differences.push({
      table: table.name,
      missing: named(missing),
      extra: named(extra),
      different: named(different.map(([id]) => id)),
    });
  }
  return { rows: count, differences };
}

function isEqual(table: Table, a: Row, b: Row): boolean {
  return table.columns.every(column => {
    const [left, right] = [a[column] ?? null, b[column] ?? null];
    if (left === null || right === null) return left === right;
    const { toText } = table.type(column);
    return toText(left) === toText(right);
  });
}
