import type { PoolClientLike, PoolLike } from '../../src/transactions/pool.ts';

type Statement = Parameters<PoolClientLike['query']>[0];
type Answer = Awaited<ReturnType<PoolClientLike['query']>>;

/** A pool whose statements are given to `query`, which asks for the answer. */
export function intercepted(
  pool: PoolLike,
  query: (statement: Statement, ask: () => Promise<Answer>) => Promise<Answer>,
): PoolLike {
  return {
    connect: async () => {
      const client = await pool.connect();
      return new Proxy(client, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name, target);
          if (typeof value !== 'function') return value;
          if (name !== 'query') return value.bind(target);
          return (statement: Statement) => query(statement, () => target.query(statement));
        },
      });
    },
  };
}
