import { PGlite } from '@electric-sql/pglite';
import { type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { transactionOf } from '../../src/transactions/transaction.ts';
import { type Client, clients, embedded, ofPool } from './clients.ts';

const table = 'CREATE TABLE IF NOT EXISTS kept (who text, text text)';
const insert = `INSERT INTO kept SELECT $1::text, value FROM json_array_elements_text($2::text::json)
  WHERE $1::text <> 'what?' RETURNING text, '?'::text AS mark`;
const texts = ['one', "two's", 'thr"ee', '{4}', '$1'];

function behavesAs(client: () => Client, kept: (who: string) => Promise<unknown[]>): void {
  it('commits what is asked of its transaction, and takes texts as they are', async () => {
    const rows = await client().transaction(async tx => {
      const { query } = await transactionOf(tx);
      return (await query(insert, ['commits', JSON.stringify(texts)])).rows;
    });
    expect(rows).toEqual(texts.map(text => ({ text, mark: '?' })));
    expect(await kept('commits')).toEqual(texts);
  });

  it('rolls it back', async () => {
    const undone = client().transaction(async tx => {
      const { query } = await transactionOf(tx);
      await query(insert, ['rolls back', JSON.stringify(texts)]);
      throw new Error('no');
    });
    await expect(undone).rejects.toThrow('no');
    expect(await kept('rolls back')).toEqual([]);
  });

  it('rejects with the error of a statement', async () => {
    const failed = client().transaction(async tx => (await transactionOf(tx)).query('SELECT 1 / 0', []));
    await expect(failed).rejects.toSatisfy(error => /division by zero/.test(`${error} ${error.cause}`));
  });

  it('is refused outside of a transaction', async () => {
    await expect(transactionOf(client().bare)).rejects.toMatchObject({
      code: 'ASHLAR_CORE_INVALID_OPTION',
      option: 'tx',
    });
  });
}

describeWith('postgres', 'a transaction on PostgreSQL', () => {
  let server: Postgres;
  let admin: pg.Pool;
  beforeAll(async () => {
    server = await startPostgres();
    admin = new pg.Pool({ connectionString: server.url });
    admin.on('error', () => {}); // The end of the server may come before that of its sessions
    await admin.query(`DROP TABLE IF EXISTS kept; ${table}`);
  });
  afterAll(async () => {
    await admin.end();
    await server.stop();
  });

  for (const [name, open] of Object.entries(clients)) {
    describe(`of ${name}`, () => {
      let client: Client;
      beforeAll(async () => {
        client = await open(server.url);
        await admin.query('TRUNCATE kept');
      });
      afterAll(() => client?.close());
      const kept = async (who: string) => {
        const { rows } = await admin.query('SELECT text FROM kept WHERE who = $1', [who]);
        return rows.map(({ text }) => text);
      };
      behavesAs(() => client, kept);
    });
  }

  it('is refused on a connection that has not begun one, also where pg does not say so', async () => {
    const client = await admin.connect();
    try {
      await expect(transactionOf(client)).rejects.toThrow(/not in a transaction.*BEGIN/);
      const older = { query: (text: string, values: string[]) => client.query(text, values) };
      await expect(transactionOf(older)).rejects.toThrow(/not in a transaction/);
      await client.query('BEGIN');
      const { query } = await transactionOf(older);
      expect(await query('SELECT $1::text AS text', ['a'])).toMatchObject({ rows: [{ text: 'a' }] });
      await client.query('COMMIT');
      await expect(transactionOf(client)).rejects.toThrow(/not in a transaction/);
    } finally {
      client.release();
    }
  });

  it('is refused after its end', async () => {
    const ended = await ofPool(admin, async client => client);
    await expect(transactionOf(ended)).rejects.toThrow(/not in a transaction/);
  });

  it('says how to begin one', async () => {
    await expect(transactionOf(admin)).rejects.toThrow(/take a client, and `BEGIN`/);
    await expect(transactionOf(undefined)).rejects.toThrow(/must be a transaction of pg/);
    await expect(transactionOf({})).rejects.toThrow(/must be a transaction of pg/);
  });
});

describe('a transaction in this process', () => {
  let database: PGlite;
  beforeAll(async () => {
    database = await PGlite.create();
    await database.exec(table);
  });
  afterAll(() => database?.close());

  for (const [name, open] of Object.entries(embedded)) {
    describe(`of ${name}`, () => {
      beforeAll(() => database.exec('TRUNCATE kept').then(() => {}));
      const kept = async (who: string) => {
        const { rows } = await database.query('SELECT text FROM kept WHERE who = $1', [who]);
        return (rows as { text: string }[]).map(({ text }) => text);
      };
      behavesAs(() => open(database), kept);
    });
  }
});
