import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { redisStore } from '@ashlar/store/redis';
import { programArgs } from '@workspace/faults';
import { type Redis as RedisServer, startRedis, temporaryDirectory } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  Cache,
  cacheAside,
  memoryTier,
  type WriteStrategy,
  writeBehind,
  writeThrough,
} from '../../src/index.ts';
import { deferred, manualCache, settle } from '../support/caches.ts';

/** A source that stores what it is given in capitals, when it is let. */
function source() {
  const rows = new Map([['a', 'OLD']]);
  const state = { hold: Promise.resolve(), fails: false };
  const write = async (key: string, value: string | undefined) => {
    await state.hold;
    if (state.fails) throw new Error('the source is down');
    if (value === undefined) rows.delete(key);
    else rows.set(key, value.toUpperCase());
  };
  const many = async (batch: readonly { readonly key: string; readonly value: string | undefined }[]) => {
    for (const { key, value } of batch) await write(key, value);
  };
  return { rows, state, write, many, load: async (key: string) => rows.get(key) };
}

function cacheOver(make: (from: ReturnType<typeof source>) => WriteStrategy<string, string>) {
  const from = source();
  return { ...from, ...manualCache({ load: from.load, write: make(from) }) };
}

describe('what a reader may see, line by line of the table', () => {
  it.each([
    ['cacheAside', ({ write }: ReturnType<typeof source>) => cacheAside<string, string>({ write })],
    ['writeThrough', ({ write }: ReturnType<typeof source>) => writeThrough<string, string>({ write })],
  ])('%s: until `set` has resolved, the old value', async (_, make) => {
    const { cache, state } = cacheOver(make);
    expect(await cache.get('a')).toBe('OLD');
    const hold = deferred<void>();
    state.hold = hold.promise;
    const setting = cache.set('a', 'new');
    await settle();
    expect(await cache.get('a')).toBe('OLD');
    hold.resolve();
    await setting;
    expect((await cache.get('a'))?.toLowerCase()).toBe('new');
  });

  it('cacheAside: after it, what the source made of it', async () => {
    const { cache } = cacheOver(({ write }) => cacheAside({ write }));
    await cache.set('a', 'new');
    expect(cache.peek('a')).toBeUndefined();
    expect(await cache.get('a')).toBe('NEW');
  });

  it('writeThrough: after it, the value as it was given, without a load', async () => {
    const { cache } = cacheOver(({ write }) => writeThrough({ write }));
    await cache.set('a', 'new');
    expect(await cache.get('a')).toBe('new');
    expect(cache.snapshot().loads).toBe(0);
  });

  it('writeBehind: the new value at once, while the source still has the old', async () => {
    const { cache, rows } = cacheOver(({ many }) => writeBehind({ write: many }));
    await cache.set('a', 'new');
    expect([await cache.get('a'), rows.get('a')]).toEqual(['new', 'OLD']);
    await cache.flush();
    expect(rows.get('a')).toBe('NEW');
  });

  it('writeBehind over a shared tier: other caches too, and after it was written what the source has', async () => {
    const remote = memoryTier();
    const { many, load, rows } = source();
    const { cache } = manualCache({ load, remote, write: writeBehind({ write: many }) });
    const { cache: other } = manualCache({ load, remote });
    expect(await other.get('a')).toBe('OLD');
    await cache.set('a', 'new');
    expect([await other.get('a'), rows.get('a')]).toEqual(['new', 'OLD']);
    remote.empty(); // it may lose what is not in the source yet
    expect(await other.get('a')).toBe('OLD');
    await cache.flush();
    expect(await other.get('a')).toBe('NEW');
  });

  it.each([
    ['cacheAside', ({ write }: ReturnType<typeof source>) => cacheAside<string, string>({ write })],
    ['writeThrough', ({ write }: ReturnType<typeof source>) => writeThrough<string, string>({ write })],
  ])('%s: when the source fails, `set` rejects and the next read asks it', async (_, make) => {
    const { cache, state } = cacheOver(make);
    await cache.get('a');
    state.fails = true;
    await expect(cache.set('a', 'new')).rejects.toMatchObject({
      code: 'ASHLAR_CACHE_POLICIES_WRITE',
      outcome: 'Unknown',
      cause: { message: 'the source is down' },
    });
    expect(cache.peek('a')).toBeUndefined();
    expect(await cache.get('a')).toBe('OLD');
  });

  it('writeBehind: when the source fails, `set` resolves, and it is tried again', async () => {
    const { cache, state, rows, clock } = cacheOver(({ many }) =>
      writeBehind({ write: many, maxDelayMs: 0 }),
    );
    state.fails = true;
    await cache.set('a', 'new');
    await clock.advance(500);
    expect(await cache.get('a')).toBe('new');
    state.fails = false;
    await clock.advance(30_000); // the longest pause
    expect(rows.get('a')).toBe('NEW');
  });

  it('without a strategy: the cache is all there is', async () => {
    const { rows, load } = source();
    const { cache } = manualCache({ load });
    await cache.set('a', 'new');
    expect([await cache.get('a'), rows.get('a')]).toEqual(['new', 'OLD']);
    await cache.delete('a');
    expect(await cache.get('a')).toBe('OLD');
  });
});

/** Starts a process that writes, with a source in a file. */
function writing(strategy: string, file: string, port: number, from = 0) {
  const program = new URL('../fixtures/writes.ts', import.meta.url);
  const args = programArgs(program, strategy, file, `${port}`, `${from}`);
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** Lets a process write until it has acknowledged so many, kills it, and tells what it acknowledged and what the source has. */
async function killed(strategy: string, port: number, count: number) {
  const directory = temporaryDirectory('writes');
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'source');
  const child = writing(strategy, file, port);
  const acknowledged: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    acknowledged.push(line);
    if (acknowledged.length === count) child.kill('SIGKILL');
  }
  if (child.signalCode === null) await once(child, 'exit');
  expect(child.signalCode).toBe('SIGKILL');
  const written = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
  return { acknowledged, written };
}

function lastOfEachKey(lines: readonly string[]): Map<string, number> {
  return new Map(
    lines.map(line => line.split('=') as [string, string]).map(([key, value]) => [key, Number(value)]),
  );
}

describeWith('redis', 'what a crash loses, line by line of the table', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis({ own: true });
  });
  afterAll(() => server.stop());

  it.each(['cacheAside', 'writeThrough'])('%s: nothing that was acknowledged', async strategy => {
    const { acknowledged, written } = await killed(strategy, server.port, 200);
    expect(acknowledged.length).toBeGreaterThanOrEqual(200);
    expect(written.slice(0, acknowledged.length)).toEqual(acknowledged);
  });

  it('writeBehind: what was pending', async () => {
    const { acknowledged, written } = await killed('writeBehind', server.port, 200);
    expect(acknowledged.length).toBeGreaterThanOrEqual(200);
    expect(written).toEqual([]);
  });

  it('writeBehind with a journal: what the journal loses, here nothing; and no key goes back', async () => {
    const { acknowledged, written } = await killed('journaled', server.port, 200);
    expect(written.length).toBeGreaterThan(0);
    const redis = new Redis({ port: server.port });
    onTestFinished(() => redis.disconnect());
    const store = redisStore({ redis, prefix: 'kill' });
    onTestFinished(() => store.close());
    const replayed: string[] = [];
    const cache = new Cache<string, string>({
      max: 10,
      write: writeBehind({
        write: async batch => void replayed.push(...batch.map(({ key, value }) => `${key}=${value}`)),
        journal: { store, prefix: 'journal:' },
      }),
    });
    await cache.get('any'); // waits for the replay
    await cache.close();
    const source = lastOfEachKey([...written, ...replayed]);
    for (const [key, value] of lastOfEachKey(acknowledged)) {
      expect(source.get(key), key).toBeGreaterThanOrEqual(value);
    }
    for (const key of lastOfEachKey(acknowledged).keys()) {
      const values = [...written, ...replayed]
        .filter(line => line.startsWith(`${key}=`))
        .map(line => Number(line.slice(key.length + 1)));
      expect(values, key).toEqual([...values].sort((a, b) => a - b));
    }
  });

  it('writeBehind with a journal: a second process waits, and takes over when the first is killed', async () => {
    const directory = temporaryDirectory('writes');
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const file = join(directory, 'source');
    const start = (from: number) => {
      const child = writing('journaled', file, server.port, from);
      const said: string[] = [];
      createInterface(child.stdout).on('line', line => said.push(line));
      const acknowledged = () => said.filter(line => line !== 'up');
      return { child, said, acknowledged, exit: once(child, 'exit') };
    };
    const waiting = { timeout: 25_000 };
    const first = start(1_000);
    await expect.poll(() => first.acknowledged().length, waiting).toBeGreaterThan(50);
    const second = start(1_000_000);
    await expect.poll(() => second.said, waiting).toEqual(['up']);
    const before = first.said.length;
    await expect.poll(() => first.said.length, waiting).toBeGreaterThan(before + 50);
    expect(second.acknowledged()).toEqual([]);
    first.child.kill('SIGKILL');
    await first.exit;
    await expect.poll(() => second.acknowledged().length, waiting).toBeGreaterThan(50);
    const isWritten = () =>
      readFileSync(file, 'utf8')
        .split('\n')
        .some(line => Number(line.split('=')[1]) > 1_000_050);
    await expect.poll(isWritten, waiting).toBe(true);
    second.child.kill('SIGKILL');
    await second.exit;
    const values = new Map<string, number[]>();
    for (const line of readFileSync(file, 'utf8').split('\n').slice(0, -1)) {
      const [key, value] = line.split('=') as [string, string];
      values.set(key, [...(values.get(key) ?? []), Number(value)]);
    }
    for (const [key, value] of lastOfEachKey(first.acknowledged())) {
      const all = values.get(key)!;
      expect(all, key).toEqual([...all].sort((a, b) => a - b));
      // what was acknowledged last by the first was written, unless the second had a newer value before
      const written = all.filter(one => one >= value);
      expect(written.length, key).toBeGreaterThan(0);
    }
  }, 60_000);
});
