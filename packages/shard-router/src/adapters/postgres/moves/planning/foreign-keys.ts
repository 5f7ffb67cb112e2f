import type { MoveSpec, Obstacle } from '../../../../moves/move-backend.ts';
import type { RelationRow } from '../relations.ts';
import type { SqlSession } from '../sessions/sql-session.ts';

interface ForeignKey {
  readonly name: string;
  readonly table: number;
  readonly other: number;
  readonly columns: readonly string[];
  readonly others: readonly string[];
}

const foreignKeys = `
  SELECT c.conname AS name, c.conrelid::int8::float8 AS "table", c.confrelid::int8::float8 AS other,
    (SELECT jsonb_agg(a.attname ORDER BY k.n) FROM unnest(c.conkey) WITH ORDINALITY k (num, n)
      JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.num) AS columns,
    (SELECT jsonb_agg(a.attname ORDER BY k.n) FROM unnest(c.confkey) WITH ORDINALITY k (num, n)
      JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.num) AS others
  FROM pg_constraint c WHERE c.contype = 'f' AND c.conparentid = 0 AND c.conrelid = ANY ($1::oid[]) AND c.confrelid = ANY ($1::oid[])`;

/**
 * Foreign keys between the moved tables that do not go from shard key to shard key: a row may refer to one of another key, from which a move
 * parts it, and a cascade reaches rows of other keys.
 */
export async function partingKeys(
  move: MoveSpec,
  session: SqlSession,
  relations: readonly RelationRow[],
  signal: AbortSignal,
): Promise<readonly Obstacle[]> {
  const byOid = new Map(relations.map(each => [Number(each.oid), each.table]));
  const found = await session.run<ForeignKey>(
    foreignKeys,
    [[...byOid.keys()].filter(oid => oid > 0)],
    signal,
  );
  return found.flatMap(({ name, table, other, columns, others }) => {
    const [from, to] = [byOid.get(table)!, byOid.get(other)!];
    const [key, otherKey] = [move.tables[from]!.key, move.tables[to]!.key];
    const isWithin = key.every((column, i) => {
      const at = columns.indexOf(column);
      return at >= 0 && others[at] === otherKey[i];
    });
    if (isWithin) return [];
    const words = `foreign key ${name} to ${to} does not go from shard key to shard key (${key.join(', ')} to ${otherKey.join(', ')}): rows that refer to each other may part`;
    return [{ kind: 'foreign_key', shard: session.shard, table: from, words }];
  });
}
