import type { Obstacle } from '../../../../moves/obstacle.ts';
import { type SchemaRow, schemaOf } from '../../migrations/drift.ts';
import type { RelationRow } from '../relations.ts';
import type { SqlSession } from '../sessions/sql-session.ts';

/** Tables of the target that are not made as those of the source. Names of indexes and constraints do not matter. */
export async function schemaDrift(
  source: SqlSession,
  target: SqlSession,
  here: readonly RelationRow[],
  there: readonly RelationRow[],
  signal: AbortSignal,
): Promise<Obstacle[]> {
  const [a, b] = [await partsOf(source, here, signal), await partsOf(target, there, signal)];
  return here.flatMap(({ table }, at) => {
    const [its, other] = [a[at]!, b[at]!];
    const lacks = [...its].filter(each => !other.has(each)).map(each => `lacks ${each}`);
    const has = [...other].filter(each => !its.has(each)).map(each => `has ${each}`);
    if (lacks.length + has.length === 0) return [];
    const words = `it differs from the source: ${[...lacks, ...has].join('; ')}. Run the same migrations at both`;
    return [{ kind: 'drift', shard: target.shard, table, words }];
  });
}

async function partsOf(
  session: SqlSession,
  relations: readonly RelationRow[],
  signal: AbortSignal,
): Promise<readonly ReadonlySet<string>[]> {
  const parts: ReadonlySet<string>[] = [];
  for (const { oid } of relations)
    parts.push(new Set((await schemaOf(session, [oid!], signal)).map(wordsOf)));
  return parts;
}

function wordsOf({ kind, name, definition }: SchemaRow): string {
  if (kind === 'column') return `${name} ${definition}`;
  return kind === 'index' ? definition.replace(/ INDEX .+? ON /, ' INDEX ON ') : definition;
}
