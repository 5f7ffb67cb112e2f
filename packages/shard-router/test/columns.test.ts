import { type Postgres, startPostgres } from '@workspace/services';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { columnOf } from '../src/columns/column-types.ts';
import type { ColumnType } from '../src/index.ts';

let server: Postgres;
let client: pg.Client;

beforeAll(async () => {
  server = await startPostgres();
  client = new pg.Client(server.url);
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await server.stop();
});

/** The values as PostgreSQL returns them, and their places in its order. */
async function inPostgres(
  type: ColumnType,
  texts: readonly string[],
): Promise<{ values: unknown[]; places: number[] }> {
  const column = columnOf(type);
  const collation = type === 'text' ? ' COLLATE "C"' : '';
  const { rows } = await client.query(
    `SELECT ${column.sqlOut('value')} AS out, dense_rank() OVER (ORDER BY value${collation})::int AS place
      FROM (SELECT ${column.sqlIn('each')} AS value, n FROM unnest($1::text[]) WITH ORDINALITY AS t (each, n)) AS all_values ORDER BY n`,
    [texts],
  );
  return { values: rows.map(({ out }) => column.fromText(out)), places: rows.map(({ place }) => place) };
}

const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: 12 });
const number = fc
  .tuple(
    fc.constantFrom('', '-', '+'),
    digits,
    fc.option(digits),
    fc.option(fc.integer({ min: -20, max: 20 })),
  )
  .filter(([, whole, fraction]) => whole + (fraction ?? '') !== '')
  .map(([sign, whole, fraction, exponent]) => {
    return `${sign}${whole}${fraction === null ? '' : `.${fraction}`}${exponent === null ? '' : `e${exponent}`}`;
  });
const two = (n: number) => String(Math.abs(n)).padStart(2, '0');
const time = fc
  .tuple(
    fc.date({ min: new Date('0002-01-01'), max: new Date('+020000-01-01'), noInvalidDate: true }),
    fc.nat(999_999),
    fc.integer({ min: -15 * 60, max: 15 * 60 }),
    fc.nat(6),
  )
  .map(([date, micros, zone, length]) => {
    const iso = date.toISOString().replace(/^\+0/, '').slice(0, -5);
    const fraction = length === 0 ? '' : `.${String(micros).padStart(6, '0').slice(0, length)}`;
    return `${iso}${fraction}${zone < 0 ? '-' : '+'}${two(Math.trunc(zone / 60))}:${two(zone % 60)}`;
  });
const text = fc.string({ unit: 'binary', maxLength: 6 }).filter(each => !each.includes('\0'));

const kinds: readonly (readonly [ColumnType, fc.Arbitrary<unknown>])[] = [
  ['numeric', fc.oneof(number, fc.double(), fc.bigInt(), fc.constantFrom('NaN', 'inf', '-Infinity'))],
  ['timestamptz', fc.oneof(time, fc.constantFrom('infinity', '-infinity'))],
  ['text', text],
  ['float8', fc.double()],
  ['int8', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
  ['bytea', fc.uint8Array({ maxLength: 5 })],
  ['uuid', fc.uuid()],
];

it.each(kinds)('%s: values and their order are those of PostgreSQL', async (type, arbitrary) => {
  const column = columnOf(type);
  const given = fc
    .sample(arbitrary, { numRuns: 400, seed: 15 })
    .filter(each => column.parse(each) !== undefined);
  expect(given.length).toBeGreaterThan(300);
  const ours = given.map(each => column.parse(each));
  // A text that was given as one goes to the database as it is, so that it reads it too
  const isRead = type === 'numeric' || type === 'timestamptz';
  const texts = given.map((each, i) => (isRead && typeof each === 'string' ? each : column.toText(ours[i])));
  const { values, places } = await inPostgres(type, texts);
  expect(ours).toEqual(values);
  for (let n = 0; n < 4_000; n++) {
    const [i, j] = [(n * 7_919) % given.length, (n * 104_729 + 1) % given.length];
    const [sign, order] = [Math.sign(places[i]! - places[j]!), Math.sign(column.compare!(ours[i], ours[j]))];
    if (sign !== order) expect([ours[i], ours[j], order]).toEqual([ours[i], ours[j], sign]);
    if (sign === 0) expect(column.identity(ours[i])).toBe(column.identity(ours[j]));
  }
});
