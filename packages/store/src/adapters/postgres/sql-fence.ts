import { describe, InvalidOptionError, integerOption, knownOptions } from '@ashlar/core';
import { StaleTokenError } from '../../errors.ts';
import { type FencingToken, isStale } from '../../fencing.ts';
import type { QueryableLike } from './pool-like.ts';
import { quote, quotePath } from './sql-names.ts';

export interface SqlFenceOptions {
  /** The number of the first of the two parameters, such as 3 when the statement has `$1` and `$2` of its own. */
  readonly from: number;
  /** Written before the columns in `where`, as `INSERT … ON CONFLICT` needs it. */
  readonly table?: string;
  /** `fence_token`, a bigint, and `fence_holder`, a text, by default. Both may be null before the first write. */
  readonly columns?: { readonly token: string; readonly holder: string };
}

/** Parts of a statement that writes a row with a fence. */
export interface SqlFence {
  /** Holds for a row that has seen no newer token, nor this one from another holder. */
  readonly where: string;
  /** Notes what was presented. */
  readonly set: string;
  /** For the two parameters. */
  readonly values: readonly [token: string, holder: string];
}

const usualColumns = { token: 'fence_token', holder: 'fence_holder' };

/**
 * What a statement of your own needs to be fenced: the row was not written where it gives back no row.
 *
 *     const fence = sqlFence(lease, { from: 3 });
 *     const { rowCount } = await pool.query(
 *       `UPDATE account SET balance = $1, ${fence.set} WHERE id = $2 AND ${fence.where}`,
 *       [balance, id, ...fence.values],
 *     );
 *
 * @throws InvalidOptionError
 */
export function sqlFence({ token, holder }: FencingToken, options: SqlFenceOptions): SqlFence {
  knownOptions('sqlFence', options, ['from', 'table', 'columns']);
  const from = integerOption('from', options.from, { min: 1, max: 65_534 });
  const { table, columns = usualColumns } = options;
  const [own, other] = [quote(columns.token), quote(columns.holder)];
  const of = table === undefined ? '' : `${quotePath(table)}.`;
  const [given, by] = [`$${from}::bigint`, `$${from + 1}::text`];
  return {
    where: `(${of}${own} IS NULL OR ${of}${own} < ${given} OR (${of}${own} = ${given} AND ${of}${other} = ${by}))`,
    set: `${own} = ${given}, ${other} = ${by}`,
    values: [String(token), holder],
  };
}

export interface FencedRow {
  /** `name` or `schema.name`. */
  readonly table: string;
  /** The columns that name one row, with their values. */
  readonly key: Readonly<Record<string, unknown>>;
  /** The columns to write. */
  readonly set: Readonly<Record<string, unknown>>;
  readonly columns?: SqlFenceOptions['columns'];
}

/** How often a write is tried that was refused for a reason which is gone when it is looked up. */
const attempts = 10;

/**
 * Updates a row unless it has seen a newer token, or this one from another holder. Atomic, in one round trip; in a
 * transaction too. Whether there is such a row.
 *
 * @throws StaleTokenError; nothing was written then.
 */
export async function fencedUpdate(
  client: QueryableLike,
  row: FencedRow,
  presented: FencingToken,
): Promise<boolean> {
  const { table, key, set, columns = usualColumns } = row;
  const [keys, changes] = [Object.entries(key), Object.entries(set)];
  if (keys.length === 0) throw new InvalidOptionError('key', '`key` names no column');
  const fence = sqlFence(presented, { from: keys.length + changes.length + 1, columns });
  const is = keys.map(([name], index) => `${quote(name)} = $${index + 1}`).join(' AND ');
  const becomes = changes.map(([name], index) => `${quote(name)} = $${keys.length + index + 1}`);
  const text = `WITH written AS (UPDATE ${quotePath(table)} SET ${[...becomes, fence.set].join(', ')}
      WHERE ${is} AND ${fence.where} RETURNING 1)
    SELECT (SELECT count(*) FROM written)::text AS written, ${quote(columns.token)}::text AS token,
      ${quote(columns.holder)}::text AS holder FROM ${quotePath(table)} WHERE ${is}`;
  const values = [...keys, ...changes].map(([, value]) => value).concat(fence.values);
  for (let attempt = 1; ; attempt++) {
    const { rows } = (await client.query({ text, values })) as { rows: readonly Seen[] };
    const [found] = rows;
    if (found === undefined) return false;
    if (found.written !== '0') return true;
    const seen = { token: BigInt(found.token ?? 0), holder: found.holder ?? '' };
    // what is seen is of the beginning of the statement, the refusal of its end
    if (isStale(presented, seen) || attempt === attempts) {
      throw new StaleTokenError(`${table} ${describeKey(key)}`, pick(presented), seen);
    }
  }
}

interface Seen {
  readonly written: string;
  readonly token: string | null;
  readonly holder: string | null;
}

/** A lease has more to it than an error should hold on to. */
function pick({ token, holder }: FencingToken): FencingToken {
  return { token, holder };
}

function describeKey(key: Readonly<Record<string, unknown>>): string {
  return Object.entries(key)
    .map(([name, value]) => `${name} ${describe(value)}`)
    .join(', ');
}
