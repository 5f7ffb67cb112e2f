import type { Random } from '@ashlar/core';
import { postgresStore } from '@ashlar/store/postgres';
import { Peer } from '@workspace/faults';
import { eventually, type Postgres, startPostgres, startTcpProxy, type TcpProxy } from '@workspace/services';
import { Redis } from 'ioredis';
import pg from 'pg';
import { type Fault, type Finding, Tally } from '../fault.ts';
import { termOf } from '../switchover.ts';
import { busy, judgeWrites, outageOf, Traffic } from '../traffic.ts';
import { nowMs } from '../writer.ts';
import { type By, primary, type RedisKind, redisKinds } from './kinds.ts';
import { type RedisReplication, startReplication } from './replication.ts';
import type { RedisWriterSettings } from './writer.ts';

const writers = 2;

const whos: Readonly<Record<By, string>> = {
  leading: 'the set leads',
  sentinel: 'the set follows Sentinel',
  ioredis: 'ioredis with Sentinel alone',
};

/** Processes that write to a primary with two replicas; Sentinels count a server as down after 500 ms. */
export const redisFailovers: readonly Fault[] = redisKinds.flatMap(kind =>
  kind.bys.map(by => ({
    name: `redis-${kind.name}-${by}`,
    about: `${kind.about}: ${whos[by]}`,
    usualRuns: 20,
    ...(by === 'leading' && kind.withinMs !== undefined && { within: { outageMs: kind.withinMs } }),
    async begin() {
      const store = await startPostgres({ config: { fsync: true, full_page_writes: true } });
      const pool = new pg.Pool({ connectionString: store.url });
      await postgresStore({ pool }).migrate();
      await pool.end();
      return {
        run: ({ index, random }: { index: number; random: Random }) =>
          run(kind, by, store, `${kind.name}-${by}-${index}`, random),
        [Symbol.asyncDispose]: () => store.stop(),
      };
    },
  })),
);

async function run(kind: RedisKind, by: By, store: Postgres, set: string, random: Random): Promise<Finding> {
  const replication = await startReplication(by === 'leading' ? {} : { sentinels: 3 });
  const processes: Traffic[] = [];
  const way = kind.isProxied ? await wayToPrimary(replication) : undefined;
  try {
    const servers = [...replication.members].map(([id, { url, port: own }]) => {
      const port = id === primary && way !== undefined ? way.port : own;
      return { id, connection: url.replace(`:${own}`, `:${port}`), replication: `127.0.0.1:${port}` };
    });
    const sentinels = replication.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
    const { masterName } = replication;
    for (let writer = 0; writer < writers; writer++) {
      const settings: RedisWriterSettings = {
        writer,
        set,
        by,
        servers,
        sentinels,
        masterName,
        store: store.url,
        acknowledge: kind.acknowledge ?? 1,
      };
      processes.push(new Traffic(new Peer(new URL('./writer-process.ts', import.meta.url), settings)));
    }
    await Promise.all(processes.map(each => each.begin()));
    await busy(processes, nowMs());
    await new Promise(resolve => setTimeout(resolve, random() * 300));
    let at = Infinity;
    const struck = () => {
      at = nowMs();
    };
    const undo = await kind.happen({
      cluster: replication,
      store,
      set,
      servers,
      way,
      processes,
      random,
      struck,
    });
    await busy(processes, at).catch(error => {
      // Without a time limit for commands, the peer waits for a server that stands still until that goes on
      if (by !== 'ioredis') throw error;
    });
    if (typeof undo === 'function') await undo();
    await busy(processes, nowMs());
    if (by === 'leading') await termOf(store.url, set);
    const outageMs = outageOf(processes, at, kind.isPlanned);
    for (const { peer } of processes) await peer.end();
    const tally = await judge(replication, processes);
    if (typeof undo === 'string') tally.explain(undo);
    return tally.finding({ outageMs });
  } finally {
    for (const { peer } of processes) await peer.end();
    await way?.stop();
    await replication.stop();
  }
}

/** A proxy that the replicas use too. */
async function wayToPrimary(replication: RedisReplication): Promise<TcpProxy> {
  const way = await startTcpProxy({ target: replication.members.get(primary)!.port });
  for (const id of ['replica0', 'replica1']) await replication.tell(id, 'REPLICAOF', '127.0.0.1', way.port);
  const connected = async () => {
    for (const id of ['replica0', 'replica1']) {
      const info = String(await replication.tell(id, 'INFO', 'replication'));
      if (!info.includes('master_link_status:up')) throw new Error(`${id} does not follow through the proxy`);
    }
  };
  await eventually(connected, { withinMs: 30_000 });
  return way;
}

async function judge(replication: RedisReplication, processes: readonly Traffic[]): Promise<Tally> {
  const tally = new Tally();
  for (const [writer, traffic] of processes.entries()) {
    const kept = new Map<number, number>();
    for (const n of await longest(replication, `writer${writer}`)) kept.set(n, (kept.get(n) ?? 0) + 1);
    judgeWrites(tally, traffic, n => kept.get(n) ?? 0);
  }
  return tally;
}

/** What the primary has to which was written last. */
async function longest({ members }: RedisReplication, key: string): Promise<number[]> {
  let latest: number[] = [];
  for (const { url } of members.values()) {
    const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 2_000 });
    client.on('error', () => {});
    try {
      await client.connect();
      const list = (await client.lrange(key, 0, -1)).map(Number);
      if ((list.at(-1) ?? -1) > (latest.at(-1) ?? -1)) latest = list;
    } catch {
      // One of them is dead
    } finally {
      client.disconnect();
    }
  }
  return latest;
}
