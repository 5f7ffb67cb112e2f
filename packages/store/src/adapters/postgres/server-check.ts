import { AshlarError, type CallOutcome, describe } from '@ashlar/core';
import { StoreUnavailableError } from '../../errors.ts';
import type { Statement } from './statements.ts';
import { differences, missingIndexes, type Shape, shapeQuery, shortHash, type Table } from './table.ts';

/** The table is missing, or is not a store's. */
export class TableShapeError extends AshlarError {
  static override readonly code: string = 'ASHLAR_TABLE_SHAPE';
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly table: string;
  /** Each a sentence; empty when there is no such table. */
  readonly differences: readonly string[];

  constructor(table: string, differences: readonly string[]) {
    super(
      differences.length === 0
        ? `there is no table ${describe(table)}; \`await store.migrate()\` makes it`
        : `table ${describe(table)} is not a store's: ${differences.join('; ')}`,
    );
    this.table = table;
    this.differences = differences;
  }
}

/** What a server says of itself. */
export interface ServerRow {
  readonly fsync: string;
  readonly full_page_writes: string;
  readonly synchronous_commit: string;
  readonly recovering: string;
  /** The JSON of a `Shape`. */
  readonly shape: string | null;
}

const settings = ['fsync', 'full_page_writes', 'synchronous_commit'] as const;

/** What is asked of a server before anything else is. */
export function serverCheck(table: Table): Statement<ServerRow> {
  const columns = settings.map(name => `current_setting('${name}') AS ${name}`);
  const text = `SELECT ${columns.join(', ')}, pg_is_in_recovery()::text AS recovering, (${shapeQuery(table)}) AS shape`;
  return { name: `ashlar_check_${shortHash(text)}`, text };
}

/** The shape of the table, its indexes not considered; undefined where there is none. @throws TableShapeError */
export function shapeIn(table: Table, { shape: json }: ServerRow): Shape | undefined {
  if (json === null) return undefined;
  const shape = JSON.parse(json) as Shape;
  const found = differences(shape);
  if (found.length > 0) throw new TableShapeError(table.name, found);
  return shape;
}

/** @throws TableShapeError, StoreUnavailableError when the server does not keep what `durability` promises */
export function judge(table: Table, durability: 'linearizable' | 'asynchronous', answer: ServerRow): void {
  const shape = shapeIn(table, answer);
  if (shape === undefined) throw new TableShapeError(table.name, []);
  const missing = missingIndexes(table, shape);
  if (missing.length > 0) throw new TableShapeError(table.name, missing);
  if (answer.recovering === 'true') {
    throw new StoreUnavailableError('the server is a standby, which cannot be written to', 'NotExecuted');
  }
  const lacks = settings.filter(name => answer[name] === 'off').map(name => `${name} is off`);
  if (shape.persistence !== 'p') lacks.push(`table ${table.name} is unlogged or temporary`);
  if (durability === 'asynchronous' || lacks.length === 0) return;
  throw new StoreUnavailableError(
    `the server may lose what it acknowledges: ${lacks.join(', ')}; where that will do, say durability: 'asynchronous'`,
    'NotExecuted',
  );
}
