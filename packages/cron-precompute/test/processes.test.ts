import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { Peer } from '@workspace/faults';
import { startPostgres, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { expect, it, onTestFinished } from 'vitest';
import type { Lookup } from '../src/index.ts';
import { type Backend, connect } from './fixtures/backends.ts';
import { dataSet, keys, type Said } from './fixtures/data.ts';
import { ending } from './support/site.ts';

class Builder extends Peer<Said> {
  constructor(backend: Backend) {
    super(new URL('./fixtures/builder-process.ts', import.meta.url), backend);
    onTestFinished(() => this.end());
  }
}

const servers = { redis: startRedis, postgres: startPostgres } as const;

for (const kind of ['redis', 'postgres'] as const) {
  describeWith(kind, `processes that share ${kind}`, () => {
    it('publish each tick at most once, and readers see whole versions, while builders are killed and stopped', async () => {
      const server = await servers[kind]();
      onTestFinished(() => server.stop());
      const place = `test_${randomUUID().replaceAll('-', '')}`;
      const backend: Backend = { kind, url: server.url, place };
      const own = ending(connect(backend));
      await own.prepare();
      const reader = ending(dataSet(own.store, async () => {}, { launches: false }));
      await reader.start();

      let isOver = false;
      let reads = 0;
      const wrong: Lookup<string>[] = [];
      const versions: number[] = [];
      const reading = (async () => {
        while (!isOver) {
          const pinned = reader.pin();
          const found = keys.map(key => reader.get(key));
          const values = new Set(found.map(({ value }) => value));
          if (values.size !== 1 || (pinned.version > 0 && values.has(undefined))) wrong.push(...found);
          if (versions.at(-1) !== pinned.version) versions.push(pinned.version);
          reads++;
          await setImmediate();
        }
      })();

      const published = new Map<number, number[]>();
      const untilBuilding = async (builder: Builder): Promise<void> => {
        for (;;) {
          const { what, scheduledAt, version } = await builder.next();
          if (what === 'building') return;
          published.set(scheduledAt, [...(published.get(scheduledAt) ?? []), version!]);
        }
      };
      const stopped: Builder[] = [];
      for (let round = 0; round < 4; round++) {
        const builder = new Builder(backend);
        await untilBuilding(builder);
        if (round % 2 === 0) await builder.end();
        else {
          builder.process.kill('SIGSTOP');
          stopped.push(builder);
        }
      }
      const last = new Builder(backend);
      await untilBuilding(last);
      for (const { process } of stopped) process.kill('SIGCONT');
      while (published.size < 2) await untilBuilding(last);
      isOver = true;
      await reading;

      expect(wrong).toEqual([]);
      expect(reads).toBeGreaterThan(0);
      expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
      for (const each of published.values()) expect(each.length).toBe(1);
      const kept = await reader.versions();
      expect(new Set(kept.map(({ scheduledAt }) => scheduledAt)).size).toBe(kept.length);
      const history = await reader.history();
      const ids = history.map(({ scheduledAt, trigger }) => `${scheduledAt} ${trigger}`);
      expect(new Set(ids).size).toBe(ids.length);
      expect(history.some(({ attempt, status }) => attempt > 1 && status !== 'running')).toBe(true);
    });
  });
}
