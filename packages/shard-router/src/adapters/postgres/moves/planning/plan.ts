import type { MovePlan, MoveSpec, Obstacle } from '../../../../moves/move-backend.ts';
import { gidPrefix } from '../../../../two-phase/names.ts';
import { obstaclesAtTarget } from '../claiming.ts';
import { prefix } from '../names.ts';
import { type RelationRow, relationsOf } from '../relations.ts';
import type { SqlSession } from '../sessions/sql-session.ts';
import { partingKeys } from './foreign-keys.ts';
import { leavingKeys } from './leaving-keys.ts';
import { schemaDrift } from './schema-drift.ts';

const keyTypes: Readonly<Record<string, RegExp>> = {
  int8: /^(smallint|integer|bigint)$/,
  text: /^(text|character varying(\(\d+\))?)$/,
  uuid: /^uuid$/,
};

/** What stands around the tables: each row is an obstacle. */
const around = `
  SELECT 'foreign_key' AS kind, c.confrelid::regclass::text AS "table",
    format('foreign key %I of %s refers to it: move that table too, or drop the key', c.conname, c.conrelid::regclass) AS words
  FROM pg_constraint c WHERE c.contype = 'f' AND c.conparentid = 0 AND c.confrelid = ANY ($1::oid[]) AND NOT c.conrelid = ANY ($1::oid[])
  UNION ALL SELECT 'inheritance', i.inhparent::regclass::text, format('%s inherits from it: make it a partition', i.inhrelid::regclass)
  FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent WHERE i.inhparent = ANY ($1::oid[]) AND p.relkind <> 'p'
  UNION ALL SELECT 'inheritance', i.inhrelid::regclass::text, format('it is a part of %s: name that one', i.inhparent::regclass)
  FROM pg_inherits i WHERE i.inhrelid = ANY ($1::oid[])
  UNION ALL SELECT 'prepared_transaction', l.relation::regclass::text,
    format('the prepared transaction %L has locked it: commit it or roll it back', p.gid)
  FROM pg_prepared_xacts p JOIN pg_locks x ON x.locktype = 'transactionid' AND x.transactionid = p.transaction AND x.pid IS NULL
  JOIN pg_locks l ON l.virtualtransaction = x.virtualtransaction AND l.pid IS NULL
  WHERE l.relation = ANY ($1::oid[]) AND NOT starts_with(p.gid, '${gidPrefix}')
  UNION ALL SELECT 'subscription', r.srrelid::regclass::text, format('the subscription %I writes into it: drop that first', s.subname)
  FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid
  WHERE r.srrelid = ANY ($1::oid[]) AND NOT starts_with(s.subname, '${prefix}')
  UNION ALL SELECT 'row_security', c.oid::regclass::text,
    'its policies hide rows from the role that moves: use a superuser, or a role with BYPASSRLS'
  FROM pg_class c WHERE c.oid = ANY ($1::oid[]) AND row_security_active(c.oid)
  UNION ALL SELECT 'replica_trigger', t.tgrelid::regclass::text,
    format('trigger %I fires for replicated rows too: make it an ordinary one (ENABLE TRIGGER)', t.tgname)
  FROM pg_trigger t WHERE t.tgrelid = ANY ($1::oid[]) AND t.tgenabled IN ('A', 'R') AND NOT starts_with(t.tgname, 'zz_ashlar_')`;

const cached = `
  SELECT t.oid::regclass::text AS "table", s.seqrelid::regclass::text AS sequence FROM pg_sequence s
  JOIN pg_depend d ON d.objid = s.seqrelid AND d.deptype IN ('a', 'i') JOIN pg_class t ON t.oid = d.refobjid
  WHERE d.refobjid = ANY ($1::oid[]) AND s.seqcache > 1`;

/** Everything that stands in the way of a move at its two shards. */
export async function planOf(
  move: MoveSpec,
  source: SqlSession,
  target: SqlSession,
  faultsOfServer: (session: SqlSession, move: MoveSpec, signal: AbortSignal) => Promise<readonly Obstacle[]>,
  signal: AbortSignal,
): Promise<MovePlan> {
  const obstacles: Obstacle[] = [];
  const warnings: Obstacle[] = [];
  const sides = [source, target] as const;
  const [here, there] = (await Promise.all(sides.map(each => relationsOf(each, move, signal)))) as [
    readonly RelationRow[],
    readonly RelationRow[],
  ];
  for (const [session, relations] of [
    [source, here],
    [target, there],
  ] as const) {
    const { shard } = session;
    obstacles.push(...(await faultsOfServer(session, move, signal)));
    obstacles.push(...relations.flatMap(each => faultsOfTable(each, move, shard)));
    const oids = relations.flatMap(({ oid }) => (oid === null ? [] : [oid]));
    const found = await session.run<{ kind: string; table: string; words: string }>(around, [oids], signal);
    obstacles.push(...found.map(each => ({ shard, ...each })));
    obstacles.push(...(await partingKeys(move, session, relations, signal)));
    for (const { table, sequence } of await session.run(cached, [oids], signal)) {
      const words = `sequence ${sequence} hands out numbers in blocks: a block that a session holds may meet moved rows`;
      warnings.push({ kind: 'sequence_cache', shard, table, words });
    }
  }
  // Who may not administer may not read the notes of this package either
  if (!obstacles.some(({ kind }) => kind === 'privileges'))
    obstacles.push(...(await leavingKeys(source, target, here, there, signal)));
  if (obstacles.length === 0) {
    obstacles.push(...(await schemaDrift(source, target, here, there, signal)));
    obstacles.push(...(await obstaclesAtTarget(move, target, signal)));
  }
  // Ranges and entries of a directory are of any size, and slots that were cut are none: where they are not by hash, a guess
  const share = move.slices.reduce((sum, { from, to }) => sum + to - from, 0) / move.slots;
  const tables = here.map(({ table, rows, bytes }) => ({
    table,
    rows: Math.round(rows * share),
    bytes: Math.round(bytes * share),
  }));
  return { obstacles, warnings, tables };
}

function faultsOfTable(of: RelationRow, move: MoveSpec, shard: string): Obstacle[] {
  const { table } = of;
  if (of.oid === null)
    return [{ kind: 'no_table', shard, table, words: 'it is not there: run the migrations at this shard' }];
  const spec = move.tables[table]!;
  const keyColumns = typeof move.key === 'string' ? [move.key] : move.key;
  const faults: [boolean, string, string][] = [
    [of.kind !== 'r' && of.kind !== 'p', 'no_table', 'it is no table'],
    [
      of.persistence !== 'p',
      'unlogged',
      'it is unlogged or temporary, and cannot be followed: ALTER TABLE … SET LOGGED',
    ],
    [
      of.primaryKey.length === 0,
      'no_primary_key',
      `it has no primary key: add one that includes ${spec.key.join(', ')}`,
    ],
    [
      of.primaryKey.length > 0 && !spec.key.every(column => of.primaryKey.includes(column)),
      'key_not_in_primary_key',
      `its primary key (${of.primaryKey.join(', ')}) lacks the shard key (${spec.key.join(', ')})`,
    ],
    [
      of.replicaIdentity !== 'd' && of.replicaIdentity !== 'f',
      'replica_identity',
      'its replica identity is not its primary key: ALTER TABLE … REPLICA IDENTITY DEFAULT',
    ],
  ];
  for (const [at, name] of spec.key.entries()) {
    const column = of.columns.find(each => each.name === name);
    const wanted = keyColumns[at] ?? '';
    faults.push([
      column !== undefined && !(keyTypes[wanted]?.test(column.type) ?? false),
      'key_type',
      `${name} is ${column?.type}, and the map is for ${wanted}: their slots differ`,
    ]);
    faults.push([
      column?.isLoose === true,
      'key_collation',
      `${name} has a collation that takes different texts for equal: use a deterministic one`,
    ]);
  }
  return faults.flatMap(([isFault, kind, words]) => (isFault ? [{ kind, shard, table, words }] : []));
}
