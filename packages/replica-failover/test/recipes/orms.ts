import { drizzle } from 'drizzle-orm/node-postgres';
import { pgTable, text } from 'drizzle-orm/pg-core';
import { eq } from 'drizzle-orm/sql';
import knexOf from 'knex';
import { Kysely, PostgresDialect } from 'kysely';
import type pg from 'pg';
import { openPrisma } from './prisma.ts';

/** Some statements of an ORM, over the client that work has got. */
export interface Orm {
  get(client: pg.Client, key: string): Promise<string | undefined>;
  put(client: pg.Client, key: string, value: string): Promise<unknown>;
  /** A transaction of the ORM's own. */
  transaction(client: pg.Client, put: readonly (readonly [key: string, value: string])[]): Promise<unknown>;
  close(): Promise<void>;
}

export const orms: Readonly<Record<string, () => Promise<Orm>>> = {
  async drizzle() {
    const item = pgTable('item', { key: text().primaryKey(), value: text() });
    type Database = Pick<ReturnType<typeof drizzle>, 'insert'>;
    const put = (db: Database, key: string, value: string) =>
      db.insert(item).values({ key, value }).onConflictDoUpdate({ target: item.key, set: { value } });
    return {
      async get(client, key) {
        const [row] = await drizzle(client).select().from(item).where(eq(item.key, key));
        return row?.value ?? undefined;
      },
      put: (client, key, value) => put(drizzle(client), key, value),
      transaction: (client, all) =>
        drizzle(client).transaction(async tx => {
          for (const [key, value] of all) await put(tx, key, value);
        }),
      async close() {},
    };
  },

  async kysely() {
    interface Tables {
      item: { key: string; value: string };
    }
    const over = (client: pg.Client) => {
      const pool = { connect: async () => Object.assign(client, { release() {} }), async end() {} };
      return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
    };
    const put = (db: Kysely<Tables>, key: string, value: string) =>
      db
        .insertInto('item')
        .values({ key, value })
        .onConflict(conflict => conflict.column('key').doUpdateSet({ value }))
        .execute();
    return {
      async get(client, key) {
        const rows = over(client).selectFrom('item').select('value').where('key', '=', key);
        return (await rows.executeTakeFirst())?.value;
      },
      put: (client, key, value) => put(over(client), key, value),
      transaction: (client, all) =>
        over(client)
          .transaction()
          .execute(async tx => {
            for (const [key, value] of all) await put(tx, key, value);
          }),
      async close() {},
    };
  },

  async knex() {
    const knex = knexOf({ client: 'pg' }); // without a connection: it has no pool
    const put = (client: pg.Client, key: string, value: string) =>
      knex('item').connection(client).insert({ key, value }).onConflict('key').merge();
    return {
      async get(client, key) {
        const row = await knex('item').connection(client).where({ key }).first('value');
        return row?.value;
      },
      put,
      transaction: (client, all) =>
        knex.transaction(
          async tx => {
            for (const [key, value] of all) await tx('item').insert({ key, value }).onConflict('key').merge();
          },
          { connection: client } as never,
        ),
      close: () => knex.destroy(),
    };
  },

  async prisma() {
    const { over, close } = await openPrisma();
    return {
      async get(client, key) {
        return (await over(client).item.findUnique({ where: { key } }))?.value ?? undefined;
      },
      put: (client, key, value) =>
        over(client).item.upsert({ where: { key }, create: { key, value }, update: { value } }),
      transaction: (client, all) =>
        over(client).$transaction(async tx => {
          for (const [key, value] of all)
            await tx.item.upsert({ where: { key }, create: { key, value }, update: { value } });
        }),
      close,
    };
  },
};
