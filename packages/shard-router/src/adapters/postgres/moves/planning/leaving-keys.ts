import type { Obstacle } from '../../../../moves/move-backend.ts';
import type { RelationRow } from '../relations.ts';
import type { SqlSession } from '../sessions/sql-session.ts';

interface LeavingKey {
  readonly name: string;
  readonly table: string;
  readonly other: string;
  readonly otherOid: number;
  /** Whether it only refuses. */
  readonly isPassive: boolean;
}

interface Reference {
  readonly name: string;
  readonly oid: number;
  readonly version: number;
}

const leaving = `
  SELECT c.conname AS name, c.conrelid::regclass::text AS "table", c.confrelid::regclass::text AS other, c.confrelid::int8::float8 AS "otherOid",
    c.confdeltype IN ('a', 'r') AND c.confupdtype IN ('a', 'r') AS "isPassive"
  FROM pg_constraint c WHERE c.contype = 'f' AND c.conparentid = 0 AND c.conrelid = ANY ($1::oid[]) AND NOT c.confrelid = ANY ($1::oid[])`;

const isThere = "SELECT to_regclass('ashlar_shards.reference') IS NOT NULL AS found";

/** A name may be `schema.table`. */
const references = `
  SELECT r.name, r.version::float8 AS version, to_regclass((
    SELECT string_agg(quote_ident(p.name), '.' ORDER BY p.n) FROM unnest(string_to_array(r.name, '.')) WITH ORDINALITY p (name, n)
  ))::oid::int8::float8 AS oid FROM ashlar_shards.reference r WHERE r.version > 0`;

/**
 * Foreign keys from the moved tables to others: the rows that they name must be at the target too. So they are where the other is a reference table
 * that both shards have at one version; and then the key only refuses, for a cascade would delete at the target what the source still has.
 */
export async function leavingKeys(
  source: SqlSession,
  target: SqlSession,
  here: readonly RelationRow[],
  there: readonly RelationRow[],
  signal: AbortSignal,
): Promise<readonly Obstacle[]> {
  const sides = [
    [source, here],
    [target, there],
  ] as const;
  const found = await Promise.all(
    sides.map(async ([session, relations]) => {
      const oids = relations.flatMap(({ oid }) => (oid === null ? [] : [oid]));
      const keys = await session.run<LeavingKey>(leaving, [oids], signal);
      const [row] = await session.run<{ readonly found: boolean }>(isThere, [], signal);
      const all = row!.found ? await session.run<Reference>(references, [], signal) : [];
      return { shard: session.shard, keys, all };
    }),
  );
  const versionsOf = (name: string) =>
    found.map(({ all }) => all.find(each => each.name === name)?.version ?? 0);
  return found.flatMap(({ shard, keys, all }) =>
    keys.flatMap(({ name, table, other, otherOid, isPassive }): readonly Obstacle[] => {
      const reference = all.find(({ oid }) => oid === otherOid);
      const obstacle = (why: string) => [
        { kind: 'foreign_key', shard, table, words: `foreign key ${name} to ${other} ${why}` },
      ];
      if (reference === undefined)
        return obstacle(
          'leaves the moved tables: move that table too, make it a reference table, or drop the key',
        );
      const [own, its] = versionsOf(reference.name);
      if (own !== its)
        return obstacle(
          `is to a reference table of version ${own} at the source and ${its} at the target: let a router bring both to one`,
        );
      return isPassive ? [] : obstacle('changes rows with those of a reference table: make it NO ACTION');
    }),
  );
}
