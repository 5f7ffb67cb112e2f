import type pg from 'pg';
import type { PoolClientLike, PoolLike } from '../../../src/transactions/pool.ts';

type Answer = ReturnType<PoolClientLike['query']>;
/** What becomes of a statement. */
export type Meddle = (text: string, ask: () => Answer) => Answer;

/** An answer that does not come. */
export const silence: Answer = new Promise(() => {});

/** A pool between whose clients and server somebody meddles. */
export function meddled(pool: pg.Pool, meddle: Meddle): PoolLike {
  const changed = (client: PoolClientLike) =>
    new Proxy(client, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        if (name !== 'query') return value.bind(target);
        return (statement: { readonly text: string }) =>
          meddle(statement.text, () => target.query(statement));
      },
    });
  return { connect: async () => changed(await pool.connect()) };
}
