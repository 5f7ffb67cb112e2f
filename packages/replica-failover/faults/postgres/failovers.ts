import type { Random } from '@ashlar/core';
import { postgresStore } from '@ashlar/store/postgres';
import { Peer } from '@workspace/faults';
import { type Postgres, startPostgres, startTcpProxy, type TcpProxy } from '@workspace/services';
import pg from 'pg';
import { type Fault, type Finding, Tally } from '../fault.ts';
import { termOf } from '../switchover.ts';
import { busy, judgeWrites, outageOf, Traffic } from '../traffic.ts';
import { nowMs, type WriterSettings } from '../writer.ts';
import { type PostgresCluster, startCluster } from './cluster.ts';
import { kinds, type PostgresKind, primary } from './kinds.ts';
import { rowsOf } from './rows.ts';

const writers = 2;
/** Of a promotion: administering two standbys, asking and detaching them, naming, promoting, following. */
const steps = 10;

/** Processes that write, read and lead, on a primary with two standbys that must one of them acknowledge. */
export const failovers: readonly Fault[] = kinds.map(kind => ({
  name: kind.name,
  about: kind.about,
  usualRuns: kind.usualRuns ?? 20,
  ...(kind.withinMs !== undefined && { within: { outageMs: kind.withinMs } }),
  async begin() {
    const store = await startPostgres({ config: { fsync: true, full_page_writes: true } });
    const pool = new pg.Pool({ connectionString: store.url });
    await postgresStore({ pool }).migrate();
    await pool.end();
    return {
      run: ({ index, random }) => run(kind, store, index, random),
      [Symbol.asyncDispose]: () => store.stop(),
    };
  },
}));

async function run(kind: PostgresKind, store: Postgres, index: number, random: Random): Promise<Finding> {
  const cluster = await startCluster();
  const set = `set-${index}`;
  const way = kind.isProxied ? await wayToPrimary(cluster) : undefined;
  const processes: Traffic[] = [];
  try {
    await cluster.tell(primary, 'CREATE TABLE item (writer int, n int)', 'CREATE TABLE spare (n int)');
    const servers = [...cluster.members].map(([id, { url, port: own }]) => {
      const port = id === primary && way !== undefined ? way.port : own;
      return {
        id,
        connection: url.replace(`:${own}/`, `:${port}/`),
        replication: `host=127.0.0.1 port=${port} user=postgres`,
      };
    });
    for (let writer = 0; writer < writers; writer++) {
      const stopAtStep = kind.stopsAtSteps ? index % steps : undefined;
      const settings: WriterSettings = { writer, set, servers, store: store.url, stopAtStep };
      processes.push(new Traffic(new Peer(new URL('./writer-process.ts', import.meta.url), settings)));
    }
    await Promise.all(processes.map(each => each.begin()));
    await busy(processes, nowMs());
    await new Promise(resolve => setTimeout(resolve, random() * 300));
    let at = Infinity;
    const struck = () => {
      at = nowMs();
    };
    const undo = await kind.happen({ cluster, store, set, servers, way, processes, random, struck });
    await busy(processes, at);
    if (typeof undo === 'function') await undo();
    await busy(processes, nowMs());
    const what = typeof undo === 'string' ? undo : undefined;
    return await judge(cluster, processes, at, { kind, what, begun: await termOf(store.url, set) });
  } finally {
    for (const { peer } of processes) await peer.end();
    await way?.stop();
    await cluster.stop();
  }
}

/** A proxy that the standbys use too. */
async function wayToPrimary(cluster: PostgresCluster): Promise<TcpProxy> {
  const way = await startTcpProxy({ target: cluster.members.get(primary)!.port });
  for (const id of ['standby0', 'standby1']) {
    const conninfo = `host=127.0.0.1 port=${way.port} user=postgres application_name=${id}`;
    await cluster.tell(id, `ALTER SYSTEM SET primary_conninfo = '${conninfo}'`, 'SELECT pg_reload_conf()');
  }
  return way;
}

/** @param what was done, where that differs; begun how many terms have */
async function judge(
  cluster: PostgresCluster,
  processes: readonly Traffic[],
  at: number,
  {
    kind,
    what,
    begun,
  }: { readonly kind: PostgresKind; readonly what: string | undefined; readonly begun: number },
): Promise<Finding> {
  const tally = new Tally();
  if (kind.keepsPrimary) tally.needless = begun - 1;
  const outageMs = outageOf(processes, at, kind.isPlanned);
  for (const { peer } of processes) await peer.end();
  const kept = await rowsOf(cluster);
  const acknowledging = new Set<string>();
  for (const [writer, traffic] of processes.entries()) {
    for (const { server } of traffic.writes) if (server !== undefined) acknowledging.add(server);
    judgeWrites(tally, traffic, n => kept.get(`${writer} ${n}`) ?? 0);
  }
  const timelines = [...acknowledging].map(each => each.split(' ').at(-1));
  tally.expect(
    new Set(timelines).size === timelines.length,
    `two acknowledged in one term: ${[...acknowledging].join(', ')}`,
  );
  if (what !== undefined) tally.explain(what);
  return tally.finding({ outageMs });
}
