import type { ReferenceTable, ShardedTable } from '../../src/index.ts';
import { names, type references, shown, shownText, type tables, typeOf } from './items.ts';
import {
  type Condition,
  type Joined,
  type JoinQuestion,
  namesOf,
  type Question,
  typeOfResult,
} from './questions.ts';

type Items = ShardedTable<unknown, typeof tables.items>;
export type Towns = ReferenceTable<unknown, typeof references.towns>;
type Row = Readonly<Record<string, unknown>>;

/** The builder's methods, for questions that are made at random. */
interface Loose {
  where(...condition: unknown[]): Loose;
  orderBy(name: string, how: object): Loose;
  groupBy(...columns: string[]): Loose;
  having(...having: unknown[]): Loose;
  limit(limit: number): Loose;
  join(name: string, from: unknown, on: object): Loose;
  leftJoin(name: string, from: unknown, on: object): Loose;
  aggregate(aggregates: object): Loose;
  everywhere(): Loose;
  all(): Promise<readonly Row[]>;
  page(page: object): Promise<{ rows: readonly Row[]; next: string | undefined }>;
  stream(scope: object): AsyncIterable<Row>;
}

/** The answer of the builder: a line for each row. */
export async function ask(items: Items, towns: Towns, question: Question): Promise<string[]> {
  if (question.kind === 'join') return pairs(items, towns, question);
  const rows =
    question.kind === 'aggregate' ? await aggregates(items, towns, question) : await select(items, question);
  return rows.map(row => lineOf(question, name => shown(typeIn(question, name), row[name])));
}

/** The answer of one database, which has its columns as text. */
export function answerOf(question: Question, rows: readonly Row[]): string[] {
  return rows.map(row =>
    lineOf(question, name => shownText(typeIn(question, name), row[`${name}_shown`] as string | null)),
  );
}

/** Where the answers differ, in words; undefined when they are equal. */
export function difference(
  question: Question,
  ours: readonly string[],
  theirs: readonly string[],
): string | undefined {
  const isOrdered =
    question.kind === 'aggregate' ||
    question.orderBy.length > 0 ||
    ('size' in question && question.size !== undefined);
  const [a, b] = isOrdered ? [ours, theirs] : [[...ours].sort(), [...theirs].sort()];
  if (a.length !== b.length) return `${a.length} rows, not ${b.length}`;
  const at = a.findIndex((line, i) => line !== b[i] && !areClose(question, line, b[i]!));
  return at < 0 ? undefined : `row ${at} is ${a[at]}, not ${b[at]}`;
}

export function where(query: Loose, conditions: readonly Condition[]): Loose {
  return conditions.reduce((so, condition) => so.where(...condition), query);
}

/** The items with what is joined to them. */
function joined(
  items: Items,
  towns: Towns,
  { where: own, join }: { where: readonly Condition[]; join: Joined },
): Loose {
  const { to, on, others, isOuter, pairs } = join;
  const from = where((to === 'items' ? items.select() : towns.select()) as unknown as Loose, others);
  const equal = { ...(to === 'items' && { tenant: 'tenant' }), [on[0]]: on[1] };
  const query = where(items.select() as unknown as Loose, own).everywhere();
  return where(isOuter ? query.leftJoin('other', from, equal) : query.join('other', from, equal), pairs);
}

async function pairs(items: Items, towns: Towns, question: JoinQuestion): Promise<string[]> {
  const { orderBy, limit, batchRows, size } = question;
  let query = joined(items, towns, question);
  for (const { name, ...how } of orderBy) query = query.orderBy(name, how);
  if (limit !== undefined) query = query.limit(limit);
  const rows = size === undefined ? await rowsOf(query, batchRows) : await pagesOf(query, size);
  return rows.map(row =>
    lineOf(question, name => {
      const other = row['other'] as Row | null;
      const isOwn = !name.startsWith('other.');
      return shown(typeOf(name), isOwn ? row[name] : (other?.[name.slice('other.'.length)] ?? null));
    }),
  );
}

async function rowsOf(query: Loose, batchRows: number): Promise<readonly Row[]> {
  if (batchRows === 500) return query.all();
  const rows: Row[] = [];
  for await (const row of query.stream({ batchRows })) rows.push(row);
  return rows;
}

async function pagesOf(query: Loose, size: number): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (let after: string | undefined, isFirst = true; isFirst || after !== undefined; isFirst = false) {
    const page = await query.page({ size, after });
    rows.push(...page.rows);
    after = page.next;
  }
  return rows;
}

async function select(
  items: Items,
  question: Exclude<Question, { kind: 'aggregate' | 'join' }>,
): Promise<readonly Row[]> {
  let query = where(items.select(...question.columns) as unknown as Loose, question.where).everywhere();
  for (const { name, ...how } of question.orderBy) query = query.orderBy(name, how);
  if (question.limit !== undefined) query = query.limit(question.limit);
  return question.kind === 'pages' ? pagesOf(query, question.size) : rowsOf(query, question.batchRows);
}

async function aggregates(
  items: Items,
  towns: Towns,
  question: Extract<Question, { kind: 'aggregate' }>,
): Promise<readonly Row[]> {
  const { join } = question;
  let query =
    join === undefined
      ? where(items.aggregate(question.aggregates as never) as unknown as Loose, question.where).everywhere()
      : joined(items, towns, { where: question.where, join }).aggregate(question.aggregates);
  query = query.groupBy(...question.groupBy);
  if (question.having !== undefined) query = query.having(...question.having);
  for (const { name, ...how } of question.orderBy) query = query.orderBy(name, how);
  return (question.limit === undefined ? query : query.limit(question.limit)).all();
}

function typeIn(question: Question, name: string) {
  const aggregate = question.kind === 'aggregate' ? question.aggregates[name] : undefined;
  return aggregate === undefined ? typeOf(name) : typeOfResult(aggregate);
}

function lineOf(question: Question, show: (name: string) => string | null): string {
  if (question.kind === 'join') return JSON.stringify(namesOf(question.join).map(show));
  if (question.kind !== 'aggregate')
    return JSON.stringify(names.filter(name => question.columns.includes(name)).map(show));
  const groups = question.groupBy.map(name => simplest(typeOf(name), show(name)));
  const results = Object.entries(question.aggregates).map(([name, of]) => {
    const isExtreme = 'min' in of || 'max' in of;
    return isExtreme ? simplest(typeOfResult(of), show(name)) : show(name);
  });
  return JSON.stringify([...groups, ...results]);
}

/** Of numbers that are equal and written differently, any may stand for a group. */
function simplest(type: string, text: string | null): string | null {
  if (type === 'float8' && text === '-0') return '0';
  return type === 'numeric' && text?.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** Sums of floating-point numbers may differ by rounding: up to 1e-12 of the numbers that are summed. */
function areClose(question: Question, a: string, b: string): boolean {
  if (question.kind !== 'aggregate') return false;
  const [left, right] = [JSON.parse(a), JSON.parse(b)] as [string[], string[]];
  const types = [...question.groupBy.map(typeOf), ...Object.values(question.aggregates).map(typeOfResult)];
  return types.every((type, i) => {
    if (left[i] === right[i]) return true;
    const [x, y] = [Number(left[i]), Number(right[i])];
    return type === 'float8' && Math.abs(x - y) <= 1e-12 * Math.max(1e6, Math.abs(x));
  });
}
