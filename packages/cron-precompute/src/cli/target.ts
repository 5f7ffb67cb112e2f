import { MissingPeerError } from '@ashlar/core';
import type { ManagedStore } from '@ashlar/store';
import { ConfigError, type Flags, type GivenFlags, importConfig, UsageError } from '@workspace/program';
import { systemWallClock } from '../clock.ts';
import type { Precompute } from '../precompute.ts';
import type { VersionInfo } from '../publish/pointer.ts';
import { Publisher } from '../publish/publisher.ts';
import { Vault } from '../publish/vault.ts';
import type { Job } from '../runs/job.ts';
import { Ledger } from '../runs/ledger.ts';
import type { RunRecord } from '../runs/record.ts';

type Live = Job | Precompute<unknown, unknown>;

/** What can be seen and done with a store alone. */
export interface Stored {
  readonly name: string;
  history(): Promise<RunRecord[]>;
  versions(): Promise<(VersionInfo & { readonly isCurrent: boolean })[]>;
  rollback(version?: number): Promise<void>;
}

export const configFlag: Flags = {
  config: {
    value: 'FILE',
    help: 'an ES module that exports a Precompute or a Job, as `default`, `precompute` or `job`',
  },
};

export const storeFlags: Flags = {
  ...configFlag,
  url: {
    value: 'URL',
    help: 'redis://… for redisStore, postgres://… for postgresStore, with their usual options; with --name',
  },
  name: { value: 'NAME', help: 'the `name` of the data set or the job; with --url' },
  prefix: { value: 'TEXT', help: 'the `prefix` of redisStore; with --url' },
  table: { value: 'NAME', help: 'the `table` of postgresStore; with --url' },
  durability: { value: 'WHAT', help: 'the `durability` of postgresStore (default linearizable); with --url' },
};

export function isDataSet(live: Live): live is Precompute<unknown, unknown> {
  return 'rollback' in live;
}

/** Loads what the file exports, and closes it whatever becomes of the work. @throws UsageError, ConfigError */
export async function withLive<T>(given: GivenFlags, work: (live: Live) => Promise<T>): Promise<T> {
  const file = given.get('config');
  if (file === undefined) throw new UsageError('--config is needed: --config FILE');
  const live = await liveOf(file);
  try {
    return await work(live);
  } finally {
    await live.close();
  }
}

/** Opens what the flags say, and closes it whatever becomes of the work. @throws UsageError, ConfigError */
export async function withStored<T>(given: GivenFlags, work: (stored: Stored) => Promise<T>): Promise<T> {
  for (const flag of ['url', 'name', 'prefix', 'table', 'durability']) given.exclusive('config', flag);
  if (given.has('config')) return withLive(given, live => work(isDataSet(live) ? live : ofJob(live)));
  const url = given.url('url', ['redis:', 'rediss:', 'postgres:', 'postgresql:']);
  if (url === undefined)
    throw new UsageError('say where it is: --config FILE, or --url URL with --name NAME');
  const name = given.get('name');
  if (name === undefined) throw new UsageError('--name is needed with --url: --name NAME');
  const open = url.startsWith('redis') ? fromRedis(url, given.get('prefix')) : fromPostgres(url, given);
  await using store = await open;
  return await work(inStore(store, name));
}

function ofJob(job: Job): Stored {
  const none = () => Promise.reject(new ConfigError(`${job.name} is a Job, which has no versions`));
  return { name: job.name, history: () => job.history(), versions: none, rollback: none };
}

function inStore(store: ManagedStore, name: string): Stored {
  const vault = new Vault(store, name);
  const publisher = new Publisher({ vault, clock: systemWallClock, keep: 1, graceMs: 0 });
  return {
    name,
    history: () => new Ledger(store, name).history(),
    async versions() {
      const { versions, current } = await vault.pointer();
      return versions.map(info => ({ ...info, isCurrent: info.version === current }));
    },
    async rollback(version) {
      await publisher.rollback(version);
    },
  };
}

async function liveOf(file: string): Promise<Live> {
  const loaded = await importConfig(file);
  for (const name of ['default', 'precompute', 'job']) {
    const found = (await loaded[name]) as Partial<Live> | null | undefined;
    if (['backfill', 'history', 'pause', 'resume', 'next', 'close'].every(isMethodOf(found)))
      return found as Live;
  }
  const names = Object.keys(loaded).join(', ') || 'nothing';
  throw new ConfigError(
    `--config ${file} exports ${names}: it needs a Precompute or a Job as \`default\`, \`precompute\` or \`job\``,
  );
}

function isMethodOf(value: object | null | undefined): (name: string) => boolean {
  return name =>
    typeof (value as Readonly<Record<string, unknown>> | null | undefined)?.[name] === 'function';
}

async function fromRedis(url: string, prefix: string | undefined): Promise<ManagedStore & AsyncDisposable> {
  const [{ redisStore }, { Redis }] = await Promise.all([
    import('@ashlar/store/redis'),
    import('ioredis').catch(cause => {
      throw new MissingPeerError('ashlar-cron-precompute --url redis://…', 'ioredis', 'ioredis', { cause });
    }),
  ]);
  const redis = new Redis(url, { lazyConnect: true });
  redis.on('error', () => {}); // The store's error says it
  const store = redisStore({ redis, ...(prefix !== undefined && { prefix }) });
  return closing(store, () => redis.disconnect());
}

async function fromPostgres(
  connectionString: string,
  given: GivenFlags,
): Promise<ManagedStore & AsyncDisposable> {
  const [{ postgresStore }, { default: pg }] = await Promise.all([
    import('@ashlar/store/postgres'),
    import('pg').catch(cause => {
      throw new MissingPeerError('ashlar-cron-precompute --url postgres://…', 'pg', 'pg', { cause });
    }),
  ]);
  const pool = new pg.Pool({ connectionString, max: 2 });
  // An idle connection that breaks is replaced by the next statement
  pool.on('error', () => {});
  const table = given.get('table');
  const durability = given.get('durability') as 'linearizable' | 'asynchronous' | undefined; // It checks
  const store = postgresStore({
    pool,
    ...(table !== undefined && { table }),
    ...(durability !== undefined && { durability }),
  });
  return closing(store, () => pool.end());
}

function closing(store: ManagedStore, client: () => unknown): ManagedStore & AsyncDisposable {
  return Object.assign(store, {
    async [Symbol.asyncDispose]() {
      await store.close();
      await client();
    },
  });
}
