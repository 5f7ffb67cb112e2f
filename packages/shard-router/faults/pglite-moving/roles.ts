import { subscribe } from 'node:diagnostics_channel';
import { PGlite } from '@electric-sql/pglite';
import type { MoveMessage } from '../../src/diagnostics.ts';
import type { MoveRequest } from '../../src/moves/planner.ts';
import type { TableSpec } from '../../src/tables/table.ts';
import type { PlaceSettings } from '../moving/place.ts';
import type { ClientMessage, CoordinatorMessage } from '../moving/roles.ts';

export const names = ['one', 'two'] as const;
export type Name = (typeof names)[number];
export type Databases = Readonly<Record<Name, PGlite>>;

/** Where a process kills itself: at the n-th transaction of the mover in a step, or when the step ends before that. */
export interface Death {
  readonly step: string;
  readonly n: number;
  readonly when: 'before' | 'within' | 'after';
}

export interface Settings extends PlaceSettings {
  readonly folders: Readonly<Record<Name, string>>;
  /** A number for the process, or its rows would be those of another. */
  readonly process: number;
  readonly request: MoveRequest;
  readonly dies?: Death | undefined;
}

/** A write past the router that a database let in. */
export interface LetIn {
  readonly customer: string;
  readonly at: Name;
  readonly begunAt: number;
  readonly endedAt: number;
}

export type Message = ClientMessage | CoordinatorMessage | { readonly type: 'let in'; readonly write: LetIn };

export const tables: Readonly<Record<string, TableSpec>> = {
  customer: { key: ['id'], primaryKey: ['id'], columns: { id: 'text', n: 'int8', direct: 'int8' } },
  purchase: { key: ['customer'], primaryKey: ['customer', 'id'], columns: { customer: 'text', id: 'text' } },
};

export async function opened(folders: Settings['folders']): Promise<Databases> {
  return { one: await PGlite.create(folders.one), two: await PGlite.create(folders.two) };
}

type Transaction = PGlite['transaction'];

/** Databases as a mover has them that is to die. */
export function dying(
  databases: Databases,
  { step, n, when }: Death,
): Readonly<Record<Name, { readonly db: Pick<PGlite, 'transaction'> }>> {
  const die = () => process.kill(process.pid, 'SIGKILL');
  let at = '';
  let seen = 0;
  subscribe('ashlar:shard-router:move', message => {
    const next = (message as MoveMessage).step;
    if (at === step && next !== step) die();
    at = next;
  });
  const transactionOf =
    (db: PGlite): Transaction =>
    async work => {
      const isIt = at === step && ++seen === n;
      if (isIt && when === 'before') die();
      const result = await db.transaction(async tx => {
        const done = await work(tx);
        if (isIt && when === 'within') die();
        return done;
      });
      if (isIt && when === 'after') die();
      return result;
    };
  const of = (db: PGlite) => ({ db: { transaction: transactionOf(db) } });
  return { one: of(databases.one), two: of(databases.two) };
}
