import {
  describe,
  InvalidOptionError,
  integer,
  objectWith,
  type RulesFor,
  readOptions,
  record,
  refused,
  required,
  text,
} from '@ashlar/core';
import { checkFencingToken, type FencingToken, isStale, StaleTokenError } from '../../leases/fencing.ts';
import type { QueryableLike } from './pool-like.ts';
import { quote, quotePath } from './sql-text.ts';

export interface SqlFenceOptions {
  /** The number of the first of the two parameters: 3 when the statement has `$1` and `$2` of its own. */
  readonly from: number;
  /** Written before the columns in `where`, as `INSERT … ON CONFLICT` needs it. Default: none. */
  readonly table?: string;
  /** A bigint and a text column; both may be null before the first write. Default: `fence_token` and `fence_holder`. */
  readonly columns?: { readonly token?: string; readonly holder?: string };
}

const columnRules = { token: text('fence_token'), holder: text('fence_holder') };
const rules = {
  from: required(
    integer(undefined, { min: 1, max: 65_534 }),
    'the number of the first parameter of the fence',
  ),
  table: text(),
  columns: record(columnRules),
} satisfies RulesFor<SqlFenceOptions>;

/** Parts of a statement that writes a fenced row. */
export interface SqlFence {
  /** Holds for a row that has seen no newer token, nor an equal one from another holder. */
  readonly where: string;
  /** Writes what was presented. */
  readonly set: string;
  /** The values of the two parameters. */
  readonly values: readonly [token: string, holder: string];
}

/**
 * Fences a statement of your own: a statement that writes no row was refused.
 *
 *     const fence = sqlFence(lease, { from: 3 });
 *     const { rowCount } = await pool.query(
 *       `UPDATE account SET balance = $1, ${fence.set} WHERE id = $2 AND ${fence.where}`,
 *       [balance, id, ...fence.values],
 *     );
 *
 * @throws InvalidOptionError
 */
export function sqlFence(lease: FencingToken, options: SqlFenceOptions): SqlFence {
  const { token, holder } = checkFencingToken(lease, 'lease');
  if (BigInt.asIntN(64, token) !== token) throw refused('lease.token', 'a bigint of 64 bits', token);
  if (holder.includes('\0')) {
    throw refused(
      'lease.holder',
      'a string without zero characters, which no text of PostgreSQL has',
      holder,
    );
  }
  const { from, table, columns } = readOptions('sqlFence', options, rules);
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
  /** The columns that identify one row, with their values. */
  readonly key: Readonly<Record<string, unknown>>;
  /** The columns to write, with their values. */
  readonly set: Readonly<Record<string, unknown>>;
  /** As for `sqlFence`. Default: `fence_token` and `fence_holder`. */
  readonly columns?: SqlFenceOptions['columns'];
}

const advice = 'write `{ column: value }`';
const valuesByColumn = required(objectWith<Readonly<Record<string, unknown>>>([], advice), advice);
const rowRules = {
  table: required(text(), 'the name of the table'),
  key: valuesByColumn,
  set: valuesByColumn,
  columns: record(columnRules),
} satisfies RulesFor<FencedRow>;
const queryable = required(
  objectWith<QueryableLike>(['query'], 'pass a Pool or a connection of pg'),
  'a Pool of pg',
);

/** The most attempts at a write that was refused for a reason which is gone when it is looked up. */
const attempts = 10;

/**
 * Updates a row unless it has seen a newer token, or an equal one from another holder. Atomic, in one round trip, also in
 * a transaction. Returns whether there is such a row.
 *
 * @throws StaleTokenError when it is refused, and nothing was written; InvalidOptionError; and what the client rejects with
 */
export async function fencedUpdate(
  client: QueryableLike,
  row: FencedRow,
  lease: FencingToken,
): Promise<boolean> {
  const database = queryable(client, 'client');
  const { table, key, set, columns } = readOptions('fencedUpdate', row, rowRules);
  const presented = checkFencingToken(lease, 'lease');
  const [keys, changes] = [Object.entries(key), Object.entries(set)];
  if (keys.length === 0) throw new InvalidOptionError('key', `\`key\` names no column; ${advice}`);
  const fence = sqlFence(presented, { from: keys.length + changes.length + 1, columns });
  const is = keys.map(([name], index) => `${quote(name)} = $${index + 1}`).join(' AND ');
  const becomes = changes.map(([name], index) => `${quote(name)} = $${keys.length + index + 1}`);
  const text = `WITH written AS (UPDATE ${quotePath(table)} SET ${[...becomes, fence.set].join(', ')}
      WHERE ${is} AND ${fence.where} RETURNING 1)
    SELECT (SELECT count(*) FROM written)::text AS written, ${quote(columns.token)}::text AS token,
      ${quote(columns.holder)}::text AS holder FROM ${quotePath(table)} WHERE ${is}`;
  const values = [...keys, ...changes].map(([, value]) => value).concat(fence.values);
  for (let attempt = 1; ; attempt++) {
    const { rows } = (await database.query({ text, values })) as { rows: readonly Seen[] };
    const [found] = rows;
    if (found === undefined) return false;
    if (found.written !== '0') return true;
    const seen = { token: BigInt(found.token ?? 0), holder: found.holder ?? '' };
    // `seen` is of the beginning of the statement, the refusal of its end
    if (isStale(presented, seen) || attempt === attempts) {
      throw new StaleTokenError(`${table} ${describeKey(key)}`, presented, seen);
    }
  }
}

interface Seen {
  readonly written: string;
  readonly token: string | null;
  readonly holder: string | null;
}

function describeKey(key: Readonly<Record<string, unknown>>): string {
  return Object.entries(key)
    .map(([name, value]) => `${name} ${describe(value)}`)
    .join(', ');
}
