import { eventually, type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import pg from 'pg';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { messages, Queue } from '../../../src/index.ts';
import { QueueTables } from '../queue-tables.ts';
import { meddled } from './meddled-pool.ts';

const soon = { withinMs: 20_000 };
const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);

interface Messages {
  blob: Uint8Array;
}

describeWith('postgres', 'what the pool makes of values', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  function site(): QueueTables {
    const tables = new QueueTables(server.url);
    onTestFinished(() => tables[Symbol.asyncDispose]());
    return tables;
  }

  const pools: Record<string, pg.PoolConfig> = {
    'with parsers of its own': {
      types: { getTypeParser: () => () => 'parsed' } as unknown as typeof pg.types,
    },
    'whose server escapes bytes': { options: '-c bytea_output=escape' },
  };
  for (const [what, pooled] of Object.entries(pools)) {
    for (const ordered of [false, true]) {
      it(`does not reach postgresDriver from a pool ${what}${ordered ? ', also by key' : ''}`, async () => {
        const driver = site().driver({}, pooled);
        await driver.migrate();
        await driver.migrate();
        await using queue = new Queue(driver, { messages: messages<Messages>() });
        const found: unknown[] = [];
        await queue.subscribe(
          'blob',
          (payload, { key, attempt }) => {
            found.push([Buffer.from(payload).equals(bytes), key, attempt]);
            if (attempt === 2) throw new Error('no');
            return attempt === 1 ? Promise.reject(new Error('again')) : undefined;
          },
          { ordered, attempts: 2, backoff: { firstMs: 1 } },
        );
        await queue.publish('blob', bytes, { key: 'a', id: 'x' });
        await eventually(async () => expect(await queue.dead('blob').count()).toBe(1), soon);
        expect(found).toEqual([
          [true, 'a', 1],
          [true, 'a', 2],
        ]);
        expect(await queue.stats('blob')).toMatchObject({ waiting: 0, delayed: 0, active: 0, dead: 1 });
        expect(await queue.find('blob', 'x')).toMatchObject({ state: 'dead', failures: 2 });
        for await (const letter of queue.dead('blob')) expect(letter).toMatchObject({ id: 'x', failures: 2 });
        expect(queue.health()).toMatchObject({ ok: true });
      });
    }
  }

  it('is refused where it is `binary`, which spoils bytes', async () => {
    const driver = site().driver({}, { binary: true } as pg.PoolConfig);
    const refused = { code: 'ASHLAR_CORE_INVALID_OPTION', option: 'pool' };
    await expect(driver.migrate()).rejects.toMatchObject(refused);
    await using queue = new Queue(driver, { messages: messages<Messages>() });
    await expect(queue.subscribe('blob', () => {})).rejects.toMatchObject(refused);
  });

  for (const ordered of [false, true]) {
    it(`fails and gives back what it has claimed and cannot read${ordered ? ', also by key' : ''}`, async () => {
      const tables = site();
      const own = new pg.Pool({ connectionString: server.url, max: 6 });
      own.on('error', () => {});
      onTestFinished(() => own.end());
      let isSpoiled = true;
      const pool = meddled(own, async (_, ask) => {
        const answer = await ask();
        const [row] = answer.rows ?? [];
        if (isSpoiled && row?.bodies != null) row.bodies = row.bodies.toString('hex');
        return answer;
      });
      const driver = tables.driver({ pool, leaseMs: 600_000 });
      await driver.migrate();
      await using queue = new Queue(driver, { messages: messages<Messages>() });
      let deliveries = 0;
      await queue.subscribe('blob', () => void deliveries++, { ordered });
      await queue.publish('blob', bytes, { key: 'a', id: 'x' });
      await eventually(async () => {
        const [subscription] = queue.health().subscriptions;
        expect(subscription).toMatchObject({ ok: false, reason: expect.stringMatching(/`pool`.*bytea/) });
        expect(await queue.stats('blob')).toMatchObject({ waiting: 1, active: 0 });
      }, soon);
      isSpoiled = false;
      await eventually(async () => expect(deliveries).toBe(1), soon);
      await eventually(async () => expect(queue.health()).toMatchObject({ ok: true }), soon);
      expect(queue.snapshot().subscriptions[0]).toMatchObject({ failed: 0, lost: 0 });
    });
  }
});
