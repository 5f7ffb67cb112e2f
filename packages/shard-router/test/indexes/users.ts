import { backgroundClock, type Clock } from '@ashlar/core';
import { memoryStore, type Store } from '@ashlar/store';
import { eventually } from '@workspace/services';
import { expect } from 'vitest';
import { ShardRouter, type ShardRouterOptions } from '../../src/index.ts';
import { indexTablesOf } from '../../src/indexes/index-tables.ts';
import { altered } from '../support/altered.ts';

/** Users, found by their mail, which is theirs alone, and by their town. */
export const tables = {
  users: {
    key: ['tenant'],
    primaryKey: ['tenant', 'id'],
    columns: { tenant: 'text', id: 'int8', mail: 'text', town: 'text', seen: 'int4' },
    indexes: { mail: { columns: ['mail'], unique: true }, town: { columns: ['town'] } },
  },
} as const;

export const ddl =
  'CREATE TABLE users (tenant text, id int8, mail text, town text, seen int4, PRIMARY KEY (tenant, id))';

export type Users = ShardRouter<unknown, typeof tables>;

export function usersRouter(
  shards: Readonly<Record<string, unknown>>,
  store: Store,
  options: Pick<ShardRouterOptions<unknown>, 'sweepMs' | 'inDoubtMs' | 'twoPhase' | 'clock'> = {},
): Users {
  return new ShardRouter<unknown, typeof tables>({
    shards: shards as never,
    store,
    key: 'text',
    tables,
    sweepMs: 600_000,
    ...options,
  });
}

/** What is wrong: rows that an index does not find, values of two rows, and entries that find nothing. */
export async function faultsOf(router: Users): Promise<string[]> {
  const faults: string[] = [];
  const rows = await router.table('users').select().everywhere().all();
  const mails = new Map<string, number>();
  for (const { tenant, id, mail, town } of rows) {
    for (const found of [
      mail === null ? undefined : await router.table('users').findBy('mail', { mail }),
      town === null ? undefined : await router.table('users').findBy('town', { town }),
    ]) {
      if (found !== undefined && !found.some(each => each.tenant === tenant && each.id === id))
        faults.push(`${tenant}/${id} is not found by ${mail} or ${town}`);
    }
    if (mail !== null) mails.set(mail, (mails.get(mail) ?? 0) + 1);
  }
  for (const [mail, count] of mails) if (count > 1) faults.push(`${mail} is that of ${count} users`);
  return faults;
}

/** What is left over: entries that are not known to be of a row, or are of none, and notes of claims that were taken for dead. */
export async function leftoversOf(
  shards: Readonly<Record<string, unknown>>,
  store: Store,
): Promise<{ readonly entries: string[]; readonly voids: number }> {
  const own = indexTablesOf('users', tables.users, 'text');
  const raw = new ShardRouter({ shards: shards as never, store, key: 'text', tables: own });
  const router = usersRouter(shards, store);
  try {
    await Promise.all([raw.ready(), router.ready()]);
    const all = (name: string) =>
      raw.table(name).select().everywhere().all() as unknown as Promise<readonly Entry[]>;
    const entries: string[] = [];
    for (const name of ['mail', 'town'] as const) {
      for (const { value, row, live, former } of await all(`users_by_${name}`)) {
        const [tenant, id] = JSON.parse(row) as [string, string];
        const there = await router.table('users').get({ tenant, id: BigInt(id) });
        const isRight = live && former === '' && JSON.stringify([there?.[name]]) === value;
        if (!isRight)
          entries.push(`${name} ${value} of ${row}: ${live ? 'live' : 'claimed'}${former && ' of another'}`);
      }
    }
    const notes = await all('users_claims');
    for (const each of notes) if (each.ashlar_gone) entries.push(`a note of ${each.ashlar_value}: gone`);
    const voids = notes.filter(each => each.ashlar_void && !each.ashlar_gone).length;
    return { entries, voids };
  } finally {
    await raw.close();
    await router.close();
  }
}

interface Entry {
  readonly value: string;
  readonly row: string;
  readonly live: boolean;
  readonly former: string;
  readonly ashlar_void: boolean;
  readonly ashlar_gone: boolean;
  readonly ashlar_value: string;
}

/** A tenant on each shard of these, in the order of the names. */
export function tenantsOn(router: Users, shards: readonly string[]): string[] {
  return shards.map(shard => {
    for (let i = 0; ; i++) if (router.route(`tenant ${i}`).shard === shard) return `tenant ${i}`;
  });
}

/** Of routers for which whoever does not answer is dead. */
export const options = { inDoubtMs: 0, twoPhase: true };

/** Between two sweeps, in milliseconds, by which its clock knows what is slept for. */
const everyMs = 123_457;

/** The machine's time, but that one sweep of a router follows the other; they are counted. */
class Sweeps implements Clock {
  readonly #most: number;
  #isSweeping = false;
  #over = 0;
  #enough = () => {};
  /** Resolves after so many whole sweeps. */
  readonly enough = new Promise<void>(resolve => {
    this.#enough = resolve;
  });

  constructor(most: number) {
    this.#most = most;
  }

  now(): number {
    return backgroundClock.now();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms !== everyMs) return backgroundClock.sleep(ms, signal);
    // It sleeps for as long beside each sweep, to renew its claim, and after it
    this.#isSweeping = !this.#isSweeping;
    if (this.#isSweeping) return backgroundClock.sleep(ms, signal);
    if (++this.#over === this.#most) this.#enough();
    return backgroundClock.sleep(5, signal);
  }
}

/**
 * Settles what a process has left, as a router does from time to time, until nothing is only claimed, and nothing that was
 * had is left. Returns what is wrong with entries then.
 *
 * @param most so many sweeps find all that they ever do, where nothing else goes on; default: a minute of them
 */
export async function sweep(
  router: Users,
  shards: Readonly<Record<string, unknown>>,
  store: Store,
  most: number = Infinity,
): Promise<readonly string[]> {
  expect((await router.recover(0)).failed).toEqual([]);
  // Another router has the claim to sweep
  const own = memoryStore();
  const { claim, release } = own;
  const free = altered(store, { claim: claim.bind(own), release: release.bind(own) });
  const clock = new Sweeps(most);
  const sweeper = usersRouter(shards, free, { ...options, sweepMs: everyMs, clock });
  try {
    await sweeper.ready();
    let left: readonly string[] = [];
    await eventually(
      async () => {
        left = (await leftoversOf(shards, store)).entries;
        expect(left).toEqual([]);
      },
      { withinMs: 60_000, giveUp: clock.enough },
    ).catch(() => {});
    return left;
  } finally {
    await sweeper.close();
    await own.close();
  }
}
