import { type Bench, type Figures, figures, type Operation } from '@workspace/bench';
import { Redis } from 'ioredis';
import type { Store } from '../src/index.ts';
import { type PostgresPlace, postgresPlace, type RedisPlace, redisPlace } from './places.ts';

const value = new Uint8Array(10);
const times = 50;

/** Of a store over any backend; each is done once before it is counted. */
function operationsOf(store: Store): Record<string, Operation> {
  let token = 0n;
  return {
    get: () => store.get('key'),
    'getMany of 100': () => store.getMany(Array.from({ length: 100 }, (_, i) => `key-${i}`)),
    set: () => store.set('key', value, { ttlMs: 60_000 }),
    'set of an absent key': () => store.set(`key ${Math.random()}`, value, { ifVersion: 'absent' }),
    'setMany of 100': () => store.setMany(Array.from({ length: 100 }, (_, i) => [`key-${i}`, value])),
    delete: () => store.delete('key'),
    claim: async () => {
      token = (await store.claim('name', 'a', 60_000))!.token;
    },
    release: () => store.release('name', token),
  };
}

interface Counts {
  readonly ours: Readonly<Record<string, number>>;
  readonly peers: Readonly<Record<string, number>>;
}

/** What the server counts for one of each operation. */
async function counted(
  operations: Record<string, Operation>,
  commands: () => Promise<number>,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [name, operation] of Object.entries(operations)) {
    await operation();
    const before = await commands();
    for (let i = 0; i < times; i++) await operation();
    counts[name] = ((await commands()) - before) / times;
  }
  return counts;
}

/** Commands that came over a connection: those within scripts are no round trips. */
async function onRedis({ server, store, keyv, redlock }: RedisPlace): Promise<Counts> {
  const admin = new Redis(server.port);
  const monitor = await admin.monitor();
  let seen = 0;
  let marks = 0;
  monitor.on('monitor', (_time: string, args: string[], source: string) => {
    if (args[0] === 'echo') marks++;
    else if (source !== 'lua') seen++;
  });
  const commands = async () => {
    const mark = marks + 1;
    await admin.echo('mark');
    while (marks < mark) await new Promise(resolve => setImmediate(resolve));
    return seen;
  };
  try {
    const peers = await counted(
      {
        'keyv get': () => keyv.get('key'),
        'keyv set': () => keyv.set('key', 'value', 60_000),
        'keyv delete': () => keyv.delete('key'),
        'redlock lock, unlock': async () => (await redlock.lock('locked', 10_000)).unlock(),
      },
      commands,
    );
    return { ours: await counted(operationsOf(store), commands), peers };
  } finally {
    monitor.disconnect();
    admin.disconnect();
  }
}

async function onPostgres({ pool, store, keyv }: PostgresPlace): Promise<Counts> {
  const count = `SELECT coalesce(sum(calls), 0)::int AS calls FROM pg_stat_statements
    WHERE toplevel AND query NOT LIKE '%pg_stat_statements%'`;
  const commands = async () => (await pool.query(count)).rows[0].calls as number;
  const peers = await counted(
    {
      'keyv get': () => keyv.get('key'),
      'keyv set': () => keyv.set('key', 'value', 60_000),
      'keyv delete': () => keyv.delete('key'),
    },
    commands,
  );
  return { ours: await counted(operationsOf(store), commands), peers };
}

/** The first operation stands for ours, which are all in the list. */
function figuresOf({ ours, peers }: Counts): Figures {
  const [first, ...others] = Object.entries(ours) as [[string, number], ...[string, number][]];
  const theirs = Object.entries(peers);
  return { ours: first, peers: Object.fromEntries([...others, ...theirs]) };
}

export const trips: readonly Bench[] = [
  figures('round trips on Redis', 'commands', async () => {
    await using place = await redisPlace();
    return figuresOf(await onRedis(place));
  }),
  figures('round trips on PostgreSQL', 'commands', async () => {
    await using place = await postgresPlace();
    return figuresOf(await onPostgres(place));
  }),
];
