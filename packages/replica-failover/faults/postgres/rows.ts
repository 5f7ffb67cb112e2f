import pg from 'pg';
import type { PostgresCluster } from './cluster.ts';

/** How often each write is there, on the primary of the latest timeline. */
export async function rowsOf(cluster: PostgresCluster): Promise<Map<string, number>> {
  let latest = { timeline: -1, rows: new Map<string, number>() };
  for (const { url } of cluster.members.values()) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
    client.on('error', () => {});
    try {
      await client.connect();
      const { rows: roles } = await client.query(
        "SELECT CASE WHEN pg_is_in_recovery() THEN -1 ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END AS timeline",
      );
      const { timeline } = roles[0];
      if (timeline <= latest.timeline) continue;
      const { rows } = await client.query('SELECT writer, n, count(*)::int AS count FROM item GROUP BY 1, 2');
      latest = { timeline, rows: new Map(rows.map(({ writer, n, count }) => [`${writer} ${n}`, count])) };
    } catch {
      // One of them is dead
    } finally {
      await client.end().catch(() => {});
    }
  }
  return latest.rows;
}
