import type { Random } from '@ashlar/core';
import type { ColumnType } from '../../src/index.ts';
import {
  collations,
  literal,
  type Name,
  names,
  pick,
  references,
  sqlShown,
  tenants,
  typeOf,
  valueFor,
} from './items.ts';

export type Condition = readonly [column: string, op: string, value?: unknown];
export interface Ordering {
  readonly name: string;
  readonly direction: 'asc' | 'desc';
  readonly nulls: 'first' | 'last' | undefined;
  /** Of a text; undefined for `C`. */
  readonly collation: string | undefined;
}

/** A question, as data: the builder asks it in one way and plain SQL in another. */
export type Question = SelectQuestion | PagesQuestion | AggregateQuestion | JoinQuestion;

export interface SelectQuestion {
  readonly kind: 'select';
  readonly columns: readonly Name[];
  readonly where: readonly Condition[];
  readonly orderBy: readonly Ordering[];
  readonly limit: number | undefined;
  readonly batchRows: number;
}

/** All pages of this size, one after another. */
export interface PagesQuestion extends Omit<SelectQuestion, 'kind'> {
  readonly kind: 'pages';
  readonly size: number;
}

/** Items, each with another item of its tenant, or with a town, that equals it in a column. */
export interface Joined {
  readonly to: 'items' | 'towns';
  readonly on: readonly [left: string, right: string];
  /** Of what is joined. */
  readonly others: readonly Condition[];
  readonly isOuter: boolean;
  /** Of the pairs. */
  readonly pairs: readonly Condition[];
}

/** All columns of pairs; with a size all pages of it, one after another. */
export interface JoinQuestion extends Omit<SelectQuestion, 'kind' | 'columns'> {
  readonly kind: 'join';
  readonly join: Joined;
  readonly size: number | undefined;
}

export interface AggregateQuestion {
  readonly kind: 'aggregate';
  readonly join: Joined | undefined;
  readonly where: readonly Condition[];
  readonly groupBy: readonly string[];
  readonly aggregates: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly having: readonly [name: string, op: string, value: unknown] | undefined;
  readonly orderBy: readonly Ordering[];
  readonly limit: number | undefined;
}

const comparable = names.filter(name => typeOf(name) !== 'jsonb');
const numbers = ['int4', 'int8', 'numeric', 'float8'];
const withExtremes = [...numbers, 'text', 'timestamptz', 'date'];
const townNames = Object.keys(references.towns.columns);
const comparisons = ['=', '<>', '<', '<=', '>', '>='];

/** @param tenant the key that it is about; undefined for all */
export function questionOf(random: Random, tenant: string | undefined): Question {
  const where: Condition[] = Array.from({ length: Math.floor(random() * 3) }, () => conditionOf(random));
  if (tenant !== undefined) where.push(['tenant', '=', tenant]);
  else if (random() < 0.15)
    where.push([
      'tenant',
      'in',
      Array.from({ length: 1 + Math.floor(random() * 4) }, () => pick(random, tenants)),
    ]);
  if (random() < 0.4) return aggregateOf(random, where, random() < 0.4 ? joinOf(random) : undefined);
  if (random() < 0.3) return pairsOf(random, where);
  const orderBy = Array.from({ length: Math.floor(random() * 4) }, () =>
    orderingOf(random, pick(random, comparable)),
  );
  const columns = random() < 0.5 ? names : [...new Set(Array.from({ length: 3 }, () => pick(random, names)))];
  const batchRows = pick(random, random() < 0.1 ? [1] : [3, 20, 500, 500]);
  if (random() < 0.25) {
    return {
      kind: 'pages',
      columns,
      where,
      orderBy,
      limit: undefined,
      batchRows,
      size: pick(random, [3, 10, 40]),
    };
  }
  const limit = orderBy.length > 0 && random() < 0.5 ? Math.floor(random() * 30) : undefined;
  return { kind: 'select', columns, where, orderBy, limit, batchRows };
}

function joinOf(random: Random): Joined {
  const isOuter = random() < 0.5;
  const to = random() < 0.4 ? 'towns' : 'items';
  const integers = names.filter(name => ['int4', 'int8'].includes(typeOf(name)));
  const left = pick(random, comparable);
  const right = integers.includes(left) && random() < 0.7 ? pick(random, integers) : left;
  const on: Joined['on'] =
    to === 'items' ? [left, right] : random() < 0.5 ? ['name', 'label'] : [pick(random, integers), 'rank'];
  const columns = columnsOf(to);
  const some = (of: readonly string[]) =>
    Array.from({ length: Math.floor(random() * 2) }, () => conditionOf(random, pick(random, of)));
  const pairs = random() < 0.4 ? some(columns.map(name => `other.${name}`)) : [];
  return { to, on, others: some(columns), isOuter, pairs };
}

function pairsOf(random: Random, where: readonly Condition[]): JoinQuestion {
  const join = joinOf(random);
  const orderBy = Array.from({ length: Math.floor(random() * 3) }, () =>
    orderingOf(random, pick(random, comparableOf(join))),
  );
  // All rows of a tenant with each other are thousands of pairs, which shards in memory join anew for each page
  const sizes = join.on[0] === 'tenant' ? [1_000] : [5, 20, 60];
  const size = random() < 0.4 ? pick(random, sizes) : undefined;
  const isCut = size === undefined && orderBy.length > 0 && random() < 0.5;
  const limit = isCut ? Math.floor(random() * 30) : undefined;
  const batchRows = pick(random, [3, 20, 500, 500]);
  return { kind: 'join', where, orderBy, limit, batchRows, join, size };
}

function columnsOf(to: Joined['to']): readonly string[] {
  return to === 'items' ? names : townNames;
}

/** The columns of the pairs. */
export function namesOf(join: Joined | undefined): readonly string[] {
  return join === undefined ? names : [...names, ...columnsOf(join.to).map(name => `other.${name}`)];
}

function comparableOf(join: Joined | undefined): readonly string[] {
  return namesOf(join).filter(name => typeOf(name) !== 'jsonb');
}

export function conditionOf(random: Random, column: string = pick(random, names)): Condition {
  if (random() < 0.2 || typeOf(column) === 'jsonb') return [column, pick(random, ['is null', 'is not null'])];
  if (random() < 0.2)
    return [column, 'in', Array.from({ length: Math.floor(random() * 4) }, () => valueFor(random, column))];
  return [column, pick(random, comparisons), valueFor(random, column)];
}

function orderingOf(random: Random, name: string, type: ColumnType = typeOf(name)): Ordering {
  return {
    name,
    collation: type === 'text' && random() < 0.6 ? pick(random, collations) : undefined,
    direction: pick(random, ['asc', 'desc']),
    nulls: pick(random, ['first', 'last', undefined, undefined]),
  };
}

function aggregateOf(
  random: Random,
  where: readonly Condition[],
  join: Joined | undefined,
): AggregateQuestion {
  const all = namesOf(join);
  const ofTypes = (types: readonly string[]) => all.filter(name => types.includes(typeOf(name)));
  const groupBy = [
    ...new Set(Array.from({ length: Math.floor(random() * 3) }, () => pick(random, comparableOf(join)))),
  ];
  const aggregates = Object.fromEntries(
    Array.from({ length: 1 + Math.floor(random() * 3) }, (_, i) => {
      const fn = pick(random, ['count', 'sum', 'avg', 'stddev', 'variance', 'min', 'max']);
      if (fn === 'count') return [`x${i}`, { count: pick(random, ['*', ...all]) }];
      return [
        `x${i}`,
        { [fn]: pick(random, ofTypes(fn === 'min' || fn === 'max' ? withExtremes : numbers)) },
      ];
    }),
  );
  // Sums of floating-point numbers are equal but for rounding, which an order would show
  const exact = Object.keys(aggregates).filter(name => typeOfResult(aggregates[name]!) !== 'float8');
  const sortable = [...exact, ...groupBy];
  const sorted = pick(random, sortable.length > 0 ? sortable : ['']);
  const typeOfSorted = aggregates[sorted] === undefined ? typeOf(sorted) : typeOfResult(aggregates[sorted]);
  const orderBy = sortable.length > 0 && random() < 0.5 ? [orderingOf(random, sorted, typeOfSorted)] : [];
  const countable = exact.filter(name => ['int8', 'numeric'].includes(typeOfResult(aggregates[name]!)));
  const having =
    countable.length > 0 && random() < 0.4
      ? ([pick(random, countable), pick(random, comparisons), pick(random, [0n, 1n, 3n])] as const)
      : undefined;
  const limit = random() < 0.3 ? Math.floor(random() * 6) : undefined;
  return { kind: 'aggregate', join, where, groupBy, aggregates, having, orderBy, limit };
}

export function typeOfResult(aggregate: Readonly<Record<string, string>>): ColumnType {
  const [[fn, column]] = Object.entries(aggregate) as [[string, string]];
  if (fn === 'count') return 'int8';
  const type = typeOf(column);
  if (fn === 'min' || fn === 'max' || type === 'float8') return type;
  return fn === 'sum' && type === 'int4' ? 'int8' : 'numeric';
}

/** Whether only databases can answer it: an order has a collation of theirs. */
export function isForDatabases({ orderBy }: Question): boolean {
  return orderBy.some(({ collation }) => collation !== undefined);
}

/** The question in plain SQL for one database, with columns of text. */
export function sqlOf(question: Question): string {
  const limit = question.limit === undefined ? '' : ` LIMIT ${question.limit}`;
  const from = sourceOf(question);
  if (question.kind !== 'aggregate') {
    const [columns, keys] =
      question.kind === 'join'
        ? [namesOf(question.join), pairKeys(question.join)]
        : [question.columns, ['tenant', 'id']];
    const out = columns.map(name => `${sqlShown(typeOf(name), quoted(name))} AS ${quoted(`${name}_shown`)}`);
    const isOrdered = question.orderBy.length > 0 || ('size' in question && question.size !== undefined);
    const order = [
      ...question.orderBy.map(each => sqlOfOrdering(each, collated(each.name))),
      ...keys.map(collated),
    ];
    return `SELECT ${out.join(', ')} FROM ${from}${isOrdered ? ` ORDER BY ${order.join(', ')}` : ''}${limit}`;
  }
  const { groupBy, aggregates, having, orderBy } = question;
  const expressions = Object.fromEntries(
    Object.entries(aggregates).map(([name, of]) => [name, sqlOfAggregate(of)]),
  );
  const out = [
    ...groupBy.map(
      name => `${sqlShown(typeOf(name), simplest(typeOf(name), quoted(name)))} AS ${quoted(`${name}_shown`)}`,
    ),
    ...Object.entries(expressions).map(([name, sql]) => {
      const type = typeOfResult(aggregates[name]!);
      const isExtreme = /^(min|max)/.test(sql);
      return `${sqlShown(type, isExtreme ? simplest(type, sql) : sql)} AS ${name}_shown`;
    }),
  ];
  const order = [
    ...orderBy.map(each => sqlOfOrdering(each, expressions[each.name] ?? collated(each.name))),
    ...groupBy.map(name => `${collated(name)} NULLS LAST`),
  ];
  const grouping = groupBy.length === 0 ? '' : ` GROUP BY ${groupBy.map(quoted).join(', ')}`;
  const filter = having === undefined ? '' : ` HAVING ${expressions[having[0]]} ${having[1]} ${having[2]}`;
  return `SELECT ${out.join(', ')} FROM ${from}${grouping}${filter}${order.length === 0 ? '' : ` ORDER BY ${order.join(', ')}`}${limit}`;
}

/** The items, or the pairs, that pass. */
function sourceOf(question: Question): string {
  const filter = (conditions: readonly Condition[]) =>
    conditions.length === 0 ? '' : ` WHERE ${conditions.map(sqlOfCondition).join(' AND ')}`;
  const items = `(SELECT * FROM items${filter(question.where)})`;
  const join = 'join' in question ? question.join : undefined;
  if (join === undefined) return `${items} t`;
  const { to, on, others, isOuter, pairs } = join;
  const columns = columnsOf(to).map(name => `o.${name} AS ${quoted(`other.${name}`)}`);
  const tenants = to === 'items' ? 't.tenant = o.tenant AND ' : '';
  const joined = `SELECT t.*, ${columns.join(', ')} FROM ${items} t ${isOuter ? 'LEFT ' : ''}JOIN
    (SELECT * FROM ${to}${filter(others)}) o ON ${tenants}t.${on[0]} = o.${on[1]}`;
  return `(SELECT * FROM (${joined}) all_pairs${filter(pairs)}) pairs`;
}

/** What tells pairs apart. */
function pairKeys({ to }: Joined): readonly string[] {
  return ['tenant', 'id', ...(to === 'items' ? ['other.tenant', 'other.id'] : ['other.label'])];
}

export function sqlOfCondition([column, op, value]: Condition): string {
  if (op === 'is null' || op === 'is not null') return `${quoted(column)} ${op}`;
  if (op !== 'in') return `${op === '=' ? quoted(column) : collated(column)} ${op} ${literal(column, value)}`;
  const values = value as readonly unknown[];
  return values.length === 0
    ? 'false'
    : `${quoted(column)} IN (${values.map(each => literal(column, each)).join(', ')})`;
}

/** Of numbers that are equal and written differently, any may stand for a group. */
function simplest(type: ColumnType, sql: string): string {
  if (type === 'numeric') return `trim_scale(${sql})`;
  return type === 'float8' ? `(${sql} + 0)` : sql;
}

function sqlOfAggregate(aggregate: Readonly<Record<string, string>>): string {
  const [[fn, column]] = Object.entries(aggregate) as [[string, string]];
  if (column === '*') return 'count(*)';
  return `${fn}(${fn === 'min' || fn === 'max' ? collated(column) : quoted(column)})`;
}

function sqlOfOrdering({ direction, nulls, collation }: Ordering, expression: string): string {
  const collated = collation === undefined ? expression : `(${expression}) COLLATE "${collation}"`;
  return `${collated} ${direction}${nulls === undefined ? '' : ` NULLS ${nulls}`}`;
}

function collated(name: string): string {
  return typeOf(name) === 'text' ? `${quoted(name)} COLLATE "C"` : quoted(name);
}

function quoted(name: string): string {
  return `"${name}"`;
}
