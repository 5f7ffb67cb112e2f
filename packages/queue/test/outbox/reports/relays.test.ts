import { eventually, type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type OutgoingMessage, type Published, UnroutedError } from '../../../src/index.ts';
import { OutboxSite, Recorder, settles, soon } from '../site.ts';

/** What users of outboxes have reported of relays: that they publish again and again, hold up others, or stand still. */

const refused: Published = { ok: false, outcome: 'NotExecuted', error: new UnroutedError('order') };
const numbers = (count: number) => Array.from({ length: count }, (_, n) => ({ n }));
const sorted = (all: readonly number[]) => all.toSorted((a, b) => a - b);

describeWith('postgres', 'reports of relays', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  const unable = {
    'whose server takes no writes, as a standby': '-c default_transaction_read_only=on',
    'whose user may not delete': '-c role=pg_read_all_data',
  };
  for (const [which, options] of Object.entries(unable)) {
    it(`a relay ${which}, publishes nothing, not again and again what it cannot delete (JasperFx/wolverine 689, JasperFx/wolverine 3173, JasperFx/wolverine 2361, valtimo-platform/valtimo-backend-libraries 1130)`, async () => {
      await using site = new OutboxSite(server.url);
      const writer = site.driver(new Recorder().driver, { relay: false });
      await writer.migrate();
      await site.transaction(tx => site.queue(writer).publish('order', { n: 1 }, { tx }));
      const recorder = new Recorder();
      const pool = site.newPool({ options });
      const driver = site.driver(recorder.driver, { pool, listenPool: site.pool, pollMs: 5 });
      let passes = 0;
      pool.on('acquire', () => passes++);
      await settles(() => expect(passes).toBeGreaterThan(8));
      await settles(() =>
        expect(driver.snapshot()).toMatchObject({ state: 'failing', error: expect.any(String) }),
      );
      expect(recorder.numbers).toEqual([]);
      expect(await site.waiting()).toBe(1);
    });
  }

  it('a topic whose broker does not answer holds up no other, not even the order of its keys (gruelbox/transaction-outbox 788, MassTransit/MassTransit 6216, Farfetch/kafkaflow-retry-extensions 158)', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const writer = site.driver(recorder.driver, { relay: false });
    const queue = site.queue(writer);
    await writer.migrate();
    await site.transaction(async tx => {
      await queue.publish('order', { n: -1 }, { tx });
      await queue.publishMany('other', numbers(20), { tx, key: 'a' });
    });
    let silences = 0;
    recorder.answer = (_, topic) => {
      if (topic === 'other') return { ok: true };
      silences++;
      return new Promise(() => {});
    };
    const driver = site.driver(recorder.driver, { timeoutMs: 2_000, drainMs: 0 });
    await settles(() => expect(recorder.numbers).toEqual(numbers(20).map(({ n }) => n)));
    expect(silences).toBeLessThan(4);
    await settles(() => expect(driver.snapshot().error).toMatch(/not answered/));
    expect(await site.waiting()).toBeLessThanOrEqual(1 + 20);
  });

  it('a message that makes the driver reject its batch is put aside alone (googleapis/google-cloud-go 8179, confluentinc/librdkafka 488, MassTransit/MassTransit 800)', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const { publish } = recorder.driver;
    recorder.driver.publish = async (topic, batch, settings) => {
      if (batch.some(({ id }) => id === 'poison')) throw new TypeError('a batch with that is not to be had');
      return publish.call(recorder.driver, topic, batch, settings);
    };
    const driver = site.driver(recorder.driver, { attempts: 2, backoff: { firstMs: 1, maxMs: 5 } });
    const queue = site.queue(driver);
    await driver.migrate();
    await site.transaction(tx =>
      queue.publishMany('order', numbers(30), ({ n }) => ({ tx, ...(n === 7 && { id: 'poison' }) }) as never),
    );
    const dead = queue.dead('order', 'outbox');
    await eventually(async () => expect(await dead.count()).toBeGreaterThan(0), soon);
    await settles(() => expect(recorder.numbers).toHaveLength(29));
    expect(await dead.count()).toBe(1);
    expect(sorted(recorder.numbers)).not.toContain(7);
  });

  it('a message that fails is tried as often as it may be and in its pauses, by however many relays (YakShaveFx/outboxkit 35, zarusz/SlimMessageBus 475, dotnetcore/CAP 1257)', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const tries = new Map<string, number>();
    recorder.answer = ({ id }: OutgoingMessage) => {
      if (!id.startsWith('poison')) return { ok: true };
      tries.set(id, (tries.get(id) ?? 0) + 1);
      return refused;
    };
    const relays = [1, 2, 3, 4].map(() =>
      site.driver(recorder.driver, {
        pool: site.newPool(),
        attempts: 3,
        backoff: { firstMs: 20, maxMs: 20 },
        pollMs: 1,
      }),
    );
    const queue = site.queue(relays[0]!);
    await relays[0]!.migrate();
    await site.transaction(tx =>
      queue.publishMany(
        'order',
        numbers(200),
        ({ n }) => ({ tx, ...(n % 20 === 0 && { id: `poison ${n}` }) }) as never,
      ),
    );
    const dead = queue.dead('order', 'outbox');
    await eventually(async () => expect(await dead.count()).toBe(10), soon);
    await settles(() => expect(recorder.numbers).toHaveLength(190));
    expect([...tries.values()]).toEqual(Array.from({ length: 10 }, () => 3));
  });

  it('dead letters that several operators send again at once are sent once (cyberfabric/cyberfabric-core 908, spring-projects/spring-modulith 1051)', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    recorder.answer = () => refused;
    const driver = site.driver(recorder.driver, { attempts: 1 });
    const queue = site.queue(driver);
    await driver.migrate();
    await site.transaction(tx => queue.publishMany('order', numbers(300), { tx }));
    const dead = queue.dead('order', 'outbox');
    await eventually(async () => expect(await dead.count()).toBe(300), soon);
    recorder.answer = () => ({ ok: true });
    const operators = [1, 2, 3].map(() => site.driver(recorder.driver, { relay: false }));
    const sent = await Promise.all(operators.map(each => each.redrive('order', 'outbox', {})));
    expect(sent.reduce((sum, each) => sum + each)).toBe(300);
    await settles(() => expect(sorted(recorder.numbers)).toEqual(numbers(300).map(({ n }) => n)));
    expect(await dead.count()).toBe(0);
  });

  it('while the database is away, it is asked in growing pauses, and an error is told once a try (MassTransit/MassTransit 5944)', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const driver = site.driver(recorder.driver, { relay: false });
    await driver.migrate();
    await site.transaction(tx => site.queue(driver).publish('order', { n: 1 }, { tx }));
    let isAway = true;
    const pool = {
      connect: () => (isAway ? Promise.reject(new Error('connect ECONNREFUSED')) : site.pool.connect()),
    };
    const slept: number[] = [];
    const clock = {
      now: () => performance.now(),
      sleep: (ms: number, signal?: AbortSignal) => {
        slept.push(ms);
        return new Promise<void>((resolve, reject) => {
          const timer = setTimeout(resolve, Math.min(ms, 20));
          signal?.addEventListener('abort', () => {
            clearTimeout(timer);
            reject(signal.reason);
          });
        });
      },
    };
    const relay = site.driver(recorder.driver, { pool, clock, listenPool: site.pool });
    const pauses = () => slept.filter(ms => ms !== 10_000); // But those of the look at the lag
    await settles(() => expect(pauses().length).toBeGreaterThan(6));
    expect(pauses().slice(0, 6)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    expect(relay.snapshot()).toMatchObject({
      state: 'failing',
      error: expect.stringMatching(/ECONNREFUSED/),
    });
    isAway = false;
    await settles(() => expect(recorder.numbers).toEqual([1]));
    await settles(() => expect(relay.snapshot()).toMatchObject({ state: 'relaying', error: undefined }));
  });
});
