import pg from 'pg';
import type { Direct } from '../moving/place.ts';

/** Over a connection of its own, which is another one after a failure. @param url of the primary of the moment */
export function directWrites(url: () => string, customer: string): Direct {
  let client: pg.Client | undefined;
  const end = async () => {
    await client?.end().catch(() => {});
    client = undefined;
  };
  return {
    async write() {
      try {
        if (client === undefined) {
          client = new pg.Client({ connectionString: url(), query_timeout: 3_000 });
          client.on('error', () => {});
          await client.connect();
        }
        const { rowCount } = await client.query('UPDATE customer SET direct = direct + 1 WHERE id = $1', [
          customer,
        ]);
        return rowCount === 1;
      } catch (error) {
        // What the fence refuses is no failure of the connection
        if ((error as { code?: string }).code !== 'AS409') await end();
        return false;
      }
    },
    end,
  };
}
