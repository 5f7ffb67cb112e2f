import type { CallOutcome } from '@ashlar/core';
import { postgresStore } from '@ashlar/store/postgres';
import pg from 'pg';
import { postgresServers } from '../../src/adapters/postgres.ts';
import { leading, ReplicaSet, Session } from '../../src/index.ts';
import { Steps } from '../steps.ts';
import { nowMs, type WriterMessage, type WriterSettings } from '../writer.ts';

const settings = JSON.parse(process.argv[2]!) as WriterSettings;
const { writer, set: name, servers, store: storeUrl, stopAtStep } = settings;
const say = (message: WriterMessage) => process.send!(message);

const pool = new pg.Pool({ connectionString: storeUrl, connectionTimeoutMillis: 1_000 });
pool.on('error', () => {});
const newClient = (connectionString: string) => new pg.Client({ connectionString });
const all = postgresServers({ servers, newClient });
const steps = stopAtStep === undefined ? undefined : new Steps({ at: stopAtStep, signal: 'SIGSTOP' });
steps?.listen();
const set = await ReplicaSet.connect({
  name,
  authority: leading({ store: postgresStore({ pool }) }),
  servers: steps === undefined ? all : steps.ofServers(all),
});
const insert = `INSERT INTO item VALUES ($1, $2) RETURNING current_setting('port') AS port,
  substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS timeline`;
say({ type: 'ready' });

// Until the process is ended: a write, and reads that must see it
for (let n = 0; ; n++) {
  const session = new Session();
  const begunAt = nowMs();
  let server: string | undefined;
  const outcome: CallOutcome = await set
    .transaction(db => db.query(insert, [writer, n]), { session, timeoutMs: 15_000 })
    .then(
      ({ rows }) => {
        server = `${rows[0].port} in timeline ${rows[0].timeline}`;
        return 'Executed';
      },
      error => {
        const told: unknown = (error as { outcome?: unknown }).outcome;
        if (told !== 'Unknown' && told !== 'NotExecuted')
          say({ type: 'broken', remark: `a write: ${error}` });
        return told === 'NotExecuted' ? 'NotExecuted' : 'Unknown';
      },
    );
  say({ type: 'write', write: { n, begunAt, endedAt: nowMs(), outcome, server } });
  if (outcome !== 'Executed') continue;
  for (const consistency of ['session', 'strong'] as const) {
    try {
      const { rows } = await set.read(
        db => db.query('SELECT count(*)::int AS count FROM item WHERE writer = $1 AND n = $2', [writer, n]),
        { session, consistency, timeoutMs: 15_000 },
      );
      if (rows[0].count !== 1)
        say({ type: 'broken', remark: `a ${consistency} read saw ${rows[0].count} of its write` });
    } catch (error) {
      say({ type: 'broken', remark: `a ${consistency} read: ${error}` });
    }
  }
}
