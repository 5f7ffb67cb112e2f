import type { PGlite } from '@electric-sql/pglite';
import { drizzle } from 'drizzle-orm/node-postgres';
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite';
import { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js';
import knexOf from 'knex';
import { CamelCasePlugin, Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import postgres from 'postgres';
import type { Transaction } from '../../src/transactions/shapes.ts';
import { openPrisma } from './prisma.ts';

/** A client library, as somebody uses it who publishes within its transactions. */
export interface Client {
  /** Commits when the work resolves, rolls back when it rejects. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** What is no transaction, though it looks like one. */
  readonly bare: unknown;
  close(): Promise<void>;
}

export const clients: Readonly<Record<string, (url: string) => Promise<Client>>> = {
  pg: async url => {
    const pool = new pg.Pool({ connectionString: url });
    return { transaction: work => ofPool(pool, work), bare: pool, close: () => pool.end() };
  },
  'postgres.js': async url => {
    const sql = postgres(url);
    return {
      transaction: work => sql.begin(work) as Promise<never>,
      bare: sql,
      close: () => sql.end(),
    };
  },
  'drizzle on node-postgres': async url => {
    const pool = new pg.Pool({ connectionString: url });
    const db = drizzle(pool);
    return { transaction: work => db.transaction(work), bare: db, close: () => pool.end() };
  },
  'drizzle on postgres.js': async url => {
    const sql = postgres(url);
    const db = drizzlePostgresJs(sql);
    return { transaction: work => db.transaction(work), bare: db, close: () => sql.end() };
  },
  kysely: async url => {
    const pool = new pg.Pool({ connectionString: url });
    const db = new Kysely<unknown>({
      dialect: new PostgresDialect({ pool }),
      plugins: [new CamelCasePlugin()],
    });
    return {
      transaction: work => db.transaction().execute(work),
      bare: db,
      close: () => db.destroy(),
    };
  },
  knex: async url => {
    const knex = knexOf({ client: 'pg', connection: url });
    return {
      transaction: work => knex.transaction(work),
      bare: knex,
      close: () => knex.destroy(),
    };
  },
  prisma: async url => {
    const prisma = await openPrisma(url);
    return {
      transaction: work => prisma.$transaction(work, { timeout: 30_000 }),
      bare: prisma,
      close: () => prisma.$disconnect(),
    };
  },
};

/** In this process: they reach no server. */
export const embedded: Readonly<Record<string, (database: PGlite) => Client>> = {
  PGlite: database => ({
    transaction: work => database.transaction(work) as Promise<never>,
    bare: database,
    close: async () => {},
  }),
  'drizzle on PGlite': database => {
    const db = drizzlePglite(database);
    return { transaction: work => db.transaction(work), bare: db, close: async () => {} };
  },
};

/** What users of `pg` write. */
export async function ofPool<T>(pool: pg.Pool, work: (tx: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}
