import { type CallOutcome, sleep } from '@ashlar/core';
import pg from 'pg';
import postgres from 'postgres';
import { postgresServers } from '../../src/adapters/postgres.ts';
import { ReplicaSet } from '../../src/index.ts';
import { nowMs, type WriterMessage } from '../writer.ts';
import type { PromotedSettings } from './promoted.ts';

const { writer, by, ports } = JSON.parse(process.argv[2]!) as PromotedSettings;
const say = (message: WriterMessage) => process.send!(message);
const urlOf = (port: number) => `postgres://postgres@127.0.0.1:${port}/postgres`;

const insert = by === 'roles' ? await insertBySet() : insertAlone();
await insert(-1);
say({ type: 'ready' });

// Until the process is ended
for (let n = 0; ; n++) {
  const begunAt = nowMs();
  const outcome: CallOutcome = await insert(n).then(
    () => 'Executed',
    error => ((error as { outcome?: unknown }).outcome === 'NotExecuted' ? 'NotExecuted' : 'Unknown'),
  );
  say({ type: 'write', write: { n, begunAt, endedAt: nowMs(), outcome } });
  await sleep(1);
}

async function insertBySet(): Promise<(n: number) => Promise<unknown>> {
  const servers = ports.map((port, index) => ({ id: `server${index}`, connection: urlOf(port) }));
  const newClient = (connectionString: string) => new pg.Client({ connectionString });
  const set = await ReplicaSet.connect({
    servers: postgresServers({ servers, newClient }),
    timeoutMs: 15_000,
  });
  return n => set.transaction(db => db.query('INSERT INTO item VALUES ($1, $2)', [writer, n]));
}

function insertAlone(): (n: number) => Promise<unknown> {
  const hosts = ports.map(port => `127.0.0.1:${port}`).join(',');
  const sql = postgres(`postgres://postgres@${hosts}/postgres`, { target_session_attrs: 'primary', max: 2 });
  return async n => sql`INSERT INTO item VALUES (${writer}, ${n})`;
}
