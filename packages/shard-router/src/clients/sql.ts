import type { Column, Row } from '../columns/column.ts';
import { columnOf } from '../columns/column-types.ts';
import type { Part } from '../tables/aggregate-functions.ts';
import { momentsOf } from '../tables/moments.ts';
import {
  type Aggregate,
  groupOrder,
  type Insert,
  partName,
  type Query,
  type Select,
  type Statement,
  type Update,
} from '../tables/statement.ts';
import type { Table } from '../tables/table-of.ts';
import { behind, collated, filter, nameOf, orderOf, parameter, quoted, sourceOf } from './sql-parts.ts';

/** A statement of PostgreSQL. Every parameter is text, so that it does not matter how a client sends values. */
export interface Sql {
  readonly text: string;
  readonly values: readonly string[];
}

/** Parameters that one statement of PostgreSQL may have. */
export const mostParameters = 65_535;

/** The statement as SQL, with the values as parameters. */
export function sqlOf(statement: Statement): Sql {
  const values: string[] = [];
  const { table } = statement;
  switch (statement.kind) {
    case 'insert':
      return { text: insert(statement, values), values };
    case 'update':
      return {
        text: `UPDATE ${nameOf(table)} SET ${assignments(statement, values)}${filter(statement, values)}`,
        values,
      };
    case 'delete':
      return { text: `DELETE FROM ${nameOf(table)}${filter(statement, values)}`, values };
    case 'truncate':
      return { text: `TRUNCATE ${nameOf(table)}`, values };
    case 'select':
      return { text: select(statement, values), values };
    case 'aggregate':
      return { text: aggregate(statement, values), values };
  }
}

/** A row as a client returns it. */
export type Returned = Readonly<Record<string, string | null>>;

/**
 * The name of an output: of the columns `c0`, `c1`, in order, and of the parts of aggregates. No column has a quote in its name, so an ORDER BY
 * never takes an output for a column.
 */
function outputName(name: string): string {
  return `"${name}`;
}

function as(name: string): string {
  return ` AS """${name}"`;
}

/** The rows that a client returned for a query. */
export function rowsOf(query: Query, returned: readonly Returned[]): readonly Row[] {
  const decoders = decodersOf(query);
  return returned.map(each => {
    const row: Record<string, unknown> = {};
    for (const { name, decode } of decoders) row[name] = decode(each);
    return row;
  });
}

interface Decoder {
  readonly name: string;
  decode(returned: Returned): unknown;
}

function decodersOf(query: Query): readonly Decoder[] {
  const { table } = query;
  const columns = query.kind === 'select' ? query.columns : query.groupBy;
  const decoders = columns.map((column, i) => ({
    name: column,
    decode: valueIn(outputName(`c${i}`), table.type(column)),
  }));
  if (query.kind === 'select') return decoders;
  return [
    ...decoders,
    ...query.parts.map((part, i) => ({ name: partName(i), decode: partIn(table, part, i) })),
  ];
}

function valueIn(field: string, type: Column): Decoder['decode'] {
  return returned => {
    const text = returned[field]!;
    return text === null ? null : type.fromText(text);
  };
}

function partIn(table: Table, part: Part, i: number): Decoder['decode'] {
  if (part.kind === 'count') return returned => BigInt(returned[outputName(`p${i}`)]!);
  if (part.kind === 'extreme') return valueIn(outputName(`p${i}`), table.type(part.column));
  const type = table.spec.columns[part.column]!;
  const [n, s, q] = ['n', 's', 'q'].map(each => outputName(`p${i}${each}`)) as [string, string, string];
  return returned => momentsOf(type, returned[n]!, returned[s]!, returned[q] ?? null);
}

function select(query: Select, values: string[]): string {
  const { table, columns, orderBy, limit } = query;
  const out = columns.map((column, i) => `${table.type(column).sqlOut(quoted(column))}${as(`c${i}`)}`);
  const from = ` FROM ${sourceOf(query, values)}${filter(query, values, behind(query, values))}`;
  const order =
    orderBy.length === 0 ? '' : ` ORDER BY ${orderBy.map(each => orderOf(table, each)).join(', ')}`;
  const lock = query.forUpdate === true ? ' FOR UPDATE' : '';
  return `SELECT ${out.join(', ')}${from}${order}${limit === undefined ? '' : ` LIMIT ${limit}`}${lock}`;
}

function aggregate(query: Aggregate, values: string[]): string {
  const { table, groupBy, parts } = query;
  // Groups are of equal code points, also where the collation of a column takes different texts for equal
  const groups = groupBy.map(column => collated(table, column));
  const columns = groupBy.map((column, i) => `${table.type(column).sqlOut(`(${groups[i]})`)}${as(`c${i}`)}`);
  const out = [...columns, ...parts.flatMap((part, i) => partOf(table, part, i))].join(', ');
  const from = ` FROM ${sourceOf(query, values)}${filter(query, values)}`;
  if (groupBy.length === 0) return `SELECT ${out}${from} HAVING count(*) > 0`;
  const order = groupOrder(query).map(each => orderOf(table, each));
  return `SELECT ${out}${from} GROUP BY ${groups.join(', ')} ORDER BY ${order.join(', ')}`;
}

function partOf(table: Table, part: Part, i: number): readonly string[] {
  if (part.kind === 'count')
    return [`count(${part.column === undefined ? '*' : quoted(part.column)})::text${as(`p${i}`)}`];
  const name = quoted(part.column);
  if (part.kind === 'extreme') {
    return [
      `${table.type(part.column).sqlOut(`${part.which}(${collated(table, part.column)})`)}${as(`p${i}`)}`,
    ];
  }
  const isFloat = table.spec.columns[part.column] === 'float8';
  const { sqlOut } = columnOf(isFloat ? 'float8' : 'numeric');
  const value = isFloat ? name : `${name}::numeric`;
  const spread = isFloat ? `var_pop(${value}) * count(${value})` : `sum(${value} * ${value})`;
  const moments = [`count(${value})::text${as(`p${i}n`)}`, `${sqlOut(`sum(${value})`)}${as(`p${i}s`)}`];
  return part.degree === 1 ? moments : [...moments, `${sqlOut(`(${spread})`)}${as(`p${i}q`)}`];
}

function insert({ table, rows, onConflict }: Insert, values: string[]): string {
  const columns = table.columns.filter(column => rows.some(row => row[column] !== undefined));
  const tuples = rows.map(
    row => `(${columns.map(column => parameter(table, column, row[column], values)).join(', ')})`,
  );
  const into = `INSERT INTO ${nameOf(table)} (${columns.map(quoted).join(', ')}) VALUES ${tuples.join(', ')}`;
  if (onConflict === 'fail') return into;
  const { primaryKey } = table.spec;
  const others = columns.filter(column => !primaryKey.includes(column));
  const sets = others.map(column => `${quoted(column)} = EXCLUDED.${quoted(column)}`).join(', ');
  const action = onConflict === 'nothing' || sets === '' ? 'NOTHING' : `UPDATE SET ${sets}`;
  return `${into} ON CONFLICT (${primaryKey.map(quoted).join(', ')}) DO ${action}`;
}

function assignments({ table, set }: Update, values: string[]): string {
  return Object.entries(set)
    .map(([column, value]) => `${quoted(column)} = ${parameter(table, column, value, values)}`)
    .join(', ');
}
