import type { MoveSpec } from '../../../moves/move-backend.ts';
import { relation } from './names.ts';
import type { SqlSession } from './sessions/sql-session.ts';

export interface ColumnRow {
  readonly name: string;
  /** As `numeric(10,2)`. */
  readonly type: string;
  readonly isRequired: boolean;
  readonly isGenerated: boolean;
  readonly collation: string | null;
  /** Equal texts may differ in their bytes. */
  readonly isLoose: boolean;
}

/** A table as the database describes it. */
export interface RelationRow {
  /** The name in the options. */
  readonly table: string;
  readonly oid: number | null;
  readonly kind: string;
  readonly persistence: string;
  readonly replicaIdentity: string;
  readonly columns: readonly ColumnRow[];
  /** The columns of the primary key, in its order. */
  readonly primaryKey: readonly string[];
  /** Itself, and its partitions at all depths, quoted. */
  readonly members: readonly string[];
  readonly rows: number;
  readonly bytes: number;
}

const query = `
  SELECT w.name AS "table", c.oid::int8::float8 AS oid, c.relkind AS kind, c.relpersistence AS persistence,
    c.relreplident AS "replicaIdentity",
    (SELECT coalesce(jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
        'isRequired', a.attnotnull, 'isGenerated', a.attgenerated <> '', 'collation', l.collname,
        'isLoose', NOT coalesce(l.collisdeterministic, true)) ORDER BY a.attnum), '[]')
      FROM pg_attribute a LEFT JOIN pg_collation l ON l.oid = a.attcollation
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
    (SELECT coalesce(jsonb_agg(a.attname ORDER BY k.at), '[]')
      FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, at), pg_attribute a
      WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid AND a.attnum = k.attnum) AS "primaryKey",
    p.members, p.rows, p.bytes
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY w (name, quoted, at)
  LEFT JOIN pg_class c ON c.oid = to_regclass(w.quoted),
  LATERAL (SELECT coalesce(jsonb_agg(m.oid::regclass::text), '[]') AS members,
      coalesce(sum(greatest(m.reltuples, 0)) FILTER (WHERE m.relkind = 'r'), 0)::float8 AS "rows",
      coalesce(sum(pg_total_relation_size(m.oid)), 0)::float8 AS bytes
    FROM pg_class m WHERE m.oid IN (SELECT c.oid UNION SELECT relid FROM pg_partition_tree(c.oid))) p
  ORDER BY w.at`;

/** The tables of a move at a shard, in the order of their names; `oid` is null where there is no such table. */
export async function relationsOf(
  session: SqlSession,
  move: MoveSpec,
  signal: AbortSignal,
): Promise<readonly RelationRow[]> {
  const names = Object.keys(move.tables).sort();
  return session.run<RelationRow>(query, [names, names.map(relation)], signal);
}
