import { Warnings } from '../../diagnostics.ts';
import { StoreUnavailableError, UnsafeBackendError } from '../../errors.ts';
import type { Connections } from './connections.ts';
import { type Statement, serverStarted } from './statements.ts';
import { shortHash, type Table } from './table.ts';
import { type Shape, shapeQuery, wholeShapeOf } from './table-shape.ts';

/** The settings of a server, and the shape of the table. */
export interface ServerRow {
  readonly fsync: string;
  readonly full_page_writes: string;
  readonly synchronous_commit: string;
  readonly recovering: string;
  /** When the server started, in seconds. */
  readonly started: string;
  /** The JSON of a `Shape`. */
  readonly shape: string | null;
}

const settings = ['fsync', 'full_page_writes', 'synchronous_commit'] as const;

export function serverQuery(table: Table): Statement<ServerRow> {
  const columns = settings.map(name => `current_setting('${name}') AS ${name}`);
  const text = `SELECT ${columns.join(', ')}, pg_is_in_recovery()::text AS recovering,
    ${serverStarted} AS started, (${shapeQuery(table)}) AS shape`;
  return { name: `ashlar_check_${shortHash(text)}`, text };
}

/** How often a server that passed is checked again while it is used. */
const usualCheckAgainMs = 10_000;

export interface ServerCheckOptions {
  readonly store: string;
  readonly table: Table;
  readonly durability: 'linearizable' | 'asynchronous';
  readonly checkAgainMs?: number | undefined;
}

/**
 * Checks the server before the first operation, after it was gone, as it may be another then, and from time to time, as
 * its configuration may have changed.
 */
export class ServerCheck {
  readonly #connections: Connections;
  readonly #options: ServerCheckOptions;
  readonly #query: Statement<ServerRow>;
  readonly #warnings: Warnings;
  #checking: Promise<void> | undefined;
  #isPassed = false;
  #checkedAt = 0;

  constructor(connections: Connections, options: ServerCheckOptions) {
    this.#connections = connections;
    this.#options = options;
    this.#query = serverQuery(options.table);
    this.#warnings = new Warnings(options.store);
  }

  /** Whether operations may be sent. From time to time it checks again beside them, so that none waits for it. */
  isPassed(): boolean {
    const { checkAgainMs = usualCheckAgainMs } = this.#options;
    if (this.#isPassed && performance.now() - this.#checkedAt > checkAgainMs) {
      this.#checkedAt = performance.now();
      this.#check().catch((error: unknown) => {
        // What is unavailable, the operations find out
        if (!(error instanceof StoreUnavailableError)) this.#isPassed = false;
      });
    }
    return this.#isPassed;
  }

  /** @throws TableShapeError, UnsafeBackendError, StoreUnavailableError */
  async pass(): Promise<void> {
    if (this.#isPassed) return;
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined;
    });
    await this.#checking;
  }

  forget(): void {
    this.#isPassed = false;
  }

  async #check(): Promise<void> {
    for (const row of await this.#connections.run('check', 'NotExecuted', this.#query, [])) this.#judge(row);
    this.#isPassed = true;
    this.#checkedAt = performance.now();
  }

  #judge(row: ServerRow): void {
    const { table, durability } = this.#options;
    this.#connections.lost.server = row.started;
    const shape = wholeShapeOf(table, row.shape);
    if (row.recovering === 'true') {
      throw new StoreUnavailableError('the server is a standby, which cannot be written to', 'NotExecuted');
    }
    const warning = weakness(row, shape);
    this.#warnings.publish(warning);
    if (warning === undefined || durability === 'asynchronous') return;
    throw new UnsafeBackendError(`${warning}; where that will do, write \`durability: 'asynchronous'\``);
  }
}

/** Why a crash of the server may take back what it acknowledged, if it may. */
function weakness(row: ServerRow, { persistence }: Shape): string | undefined {
  const found = settings.filter(name => row[name] === 'off').map(name => `${name} is off`);
  if (persistence !== 'p') found.push('the table is unlogged or temporary');
  return found.length === 0 ? undefined : `PostgreSQL may lose what it acknowledged: ${found.join(', ')}`;
}
