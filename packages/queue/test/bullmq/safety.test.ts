import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Peer } from '@workspace/faults';
import {
  type Redis as RedisServer,
  startRedis,
  startTcpProxy,
  type TcpProxy,
  within,
} from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import * as six from 'bullmq';
import * as five from 'bullmq-5';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type BullmqLibrary, bullmq } from '../../src/adapters/bullmq.ts';
import { group, message, Reader, send, textOf, times, topic } from '../../src/conformance/subject.ts';
import {
  type Delivery,
  type Driver,
  messages,
  type NackOptions,
  type Published,
  Queue,
} from '../../src/index.ts';
import type { SettlerMessage } from './settler-process.ts';

const libraries: Record<string, BullmqLibrary> = { '5': five, '6': six };
const queueName = `${topic}@${group}`;
const leaseMs = 1_000;

describeWith('redis', 'BullMQ, when something fails', () => {
  let server: RedisServer;
  let admin: Redis;
  beforeAll(async () => {
    server = await startRedis({ own: true });
    admin = new Redis(server.port);
  });
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });

  for (const [version, library] of Object.entries(libraries)) {
    describe(`BullMQ ${version}`, () => {
      /** Drivers over one state, as many processes have them. */
      const begin = async (options: { readonly leaseMs: number } = { leaseMs }) => {
        const prefix = randomUUID();
        const open = (): Driver => {
          const driver = bullmq({ connection: { port: server.port }, prefix, ...options, library });
          onTestFinished(() => driver[Symbol.asyncDispose]());
          return driver;
        };
        const driver = open();
        await driver.declare(topic, group);
        const key = (type: string) => `${prefix}:${queueName}:${type}`;
        return { driver, other: open(), open, key, prefix };
      };
      const read = (driver: Driver, options: ConstructorParameters<typeof Reader>[3] = {}) => {
        const reader = new Reader(driver, topic, group, options);
        onTestFinished(() => reader[Symbol.asyncDispose]());
        const has = (count: number) => reader.has({ driver } as never, count);
        return Object.assign(reader, { take: has });
      };

      it('what is deferred, in whichever way, runs again and once, whoever of two processes has it', async () => {
        const { driver, key, prefix } = await begin();
        const ways: readonly NackOptions[] = [
          { requeueAfterMs: 30 },
          {},
          { charge: false, requeueAfterMs: 30 },
          { charge: false },
        ];
        const runs = new Map<string, number>();
        const listen = async () => {
          const settings = { version, port: server.port, prefix, topic, group };
          const program = new URL('./settler-process.ts', import.meta.url);
          const peer = new Peer<SettlerMessage>(program, settings);
          onTestFinished(() => peer.end());
          let count = 0;
          const listening = (async () => {
            for (;;) {
              const { id } = await peer.next();
              runs.set(id, (runs.get(id) ?? 0) + 1);
              count++;
            }
          })();
          listening.catch(() => {}); // It has ended
          return () => count;
        };
        const counts = [await listen(), await listen()];
        let sent = 0;
        const sendSome = async () => {
          await send(driver, topic, ...ways.map(how => message(JSON.stringify(how))));
          sent += ways.length;
        };
        // Until each has some, however long it takes to start
        await within(30_000, async () => {
          await sendSome();
          // Not as many as a slow start leaves time for
          await delay(100);
          return counts.every(count => count() > 0) || undefined;
        });
        for (let more = 0; more < 30; more++) await sendSome();
        const isDone = async () => (await admin.zcard(key('completed'))) === sent || undefined;
        expect(await within(35_000, isDone)).toBe(true);
        expect([...runs.values()]).toEqual(times(sent, () => 2));
        expect(counts.every(count => count() > 0)).toBe(true);
      });

      it('a connection that breaks costs no attempt, and what was acknowledged is not lost', async () => {
        const { driver, prefix } = await begin();
        await driver[Symbol.asyncDispose]();
        const connection = { port: server.port };
        const make = () =>
          new Queue(bullmq({ connection, prefix, leaseMs: 10_000, library }), {
            messages: messages<{ topic: number }>(),
          });
        const queue = make();
        const worker = make();
        onTestFinished(() => queue.close());
        onTestFinished(() => worker.close());
        const attempts = new Map<number, number[]>();
        const handler = async (n: number, { attempt }: { attempt: number }) => {
          attempts.set(n, [...(attempts.get(n) ?? []), attempt]);
          await delay(1);
          if (n % 2 === 0 && attempt === 1) throw new Error('once');
        };
        const options = { group, concurrency: 5, backoff: { firstMs: 5, maxMs: 5 } };
        const subscription = await worker.subscribe('topic', handler, options);
        const all = times(400, n => n);
        await queue.publishMany('topic', all);
        const runs = () => [...attempts.values()].flat().length;
        for (let n = 0; n < 16 && runs() < 600; n++) {
          await delay(25);
          await admin.call('CLIENT', ['KILL', 'TYPE', 'normal']);
        }
        await within(30_000, () => runs() === 600 || undefined);
        await within(30_000, () => subscription.snapshot().running === 0 || undefined);
        const expected = (n: number) => (n % 2 === 0 ? '1,2' : '1');
        const wrong = all.filter(n => `${attempts.get(n)}` !== expected(n));
        expect(wrong.map(n => `${n}: ${attempts.get(n)}`)).toEqual([]);
        expect(subscription.snapshot()).toMatchObject({ handled: 400, failed: 200, lost: 0, dead: 0 });
      });

      it('what comes with an answer that is lost, is handed out all the same, and what was settled stays so', async () => {
        const { prefix } = await begin();
        // Too long a lease for anything to come by its end
        const proxy = await startTcpProxy({ target: server.port });
        const driver = bullmq({ connection: { port: proxy.port }, prefix, leaseMs: 60_000, library });
        onTestFinished(async () => {
          await driver[Symbol.asyncDispose]();
          await proxy.stop();
        });
        const reader = read(driver, { prefetch: 2 });
        // So that the server knows each script
        await send(driver, topic, ...times(3, () => message('warm')));
        const warm = [...(await reader.take(2))];
        await warm[0]!.nack({ requeueAfterMs: 60_000 });
        await warm[1]!.ack();
        await (await reader.take(3))[2]!.nack({ dead: 'for the test' });
        await send(driver, topic, ...times(6, n => message(`${n}`)));
        const settle: readonly ((delivery: Delivery) => Promise<void>)[] = [
          each => each.ack(),
          each => each.nack({ dead: 'for the test' }),
          each => each.nack({ requeueAfterMs: 60_000 }),
        ];
        for (const [index, how] of settle.entries()) {
          const delivery = (await reader.take(index + 5))[index + 3]!;
          await answerIsLost(proxy, async () => {
            await expect(how(delivery)).rejects.toMatchObject({ retryable: true });
          });
          await how(delivery);
          const next = (await reader.take(index + 6))[index + 5]!;
          expect([textOf(next), next.deliveries]).toEqual([`${index + 2}`, 1]);
        }
        const stats = { waiting: 1, delayed: 2, active: 2, dead: 2 };
        expect(await driver.stats!(topic, group)).toEqual(stats);
      });

      it('what is fetched while a consumer closes goes back at once, uncharged', async () => {
        // Too long a lease for anything to come by its end
        const { driver, other } = await begin({ leaseMs: 60_000 });
        await send(driver, topic, ...times(100, index => message(`${index}`)));
        const seen = new Set<string>();
        for (let round = 0; round < 10; round++) {
          const closing = read(round % 2 === 0 ? driver : other, { prefetch: 5 });
          const received = await closing.take(5);
          const acks = received.slice(0, 5).map(each => each.ack());
          const closed = closing[Symbol.asyncDispose]();
          await Promise.all([...acks, closed]);
          for (const each of closing.received.slice(5)) await each.nack({ charge: false });
          for (const each of received.slice(0, 5)) seen.add(textOf(each));
        }
        const rest = read(driver, { prefetch: 50 });
        for (const each of await rest.take(50)) {
          expect(each.deliveries).toBe(1);
          seen.add(textOf(each));
        }
        expect(seen.size).toBe(100);
      });

      it('crashes are counted apart from failures, and BullMQ does not fail a job for them', async () => {
        const { driver } = await begin();
        await send(driver, topic, message('survivor'));
        for (let crash = 0; crash < 3; crash++) {
          const dying = new Reader(driver, topic, group, { prefetch: 1 });
          const [delivery] = await dying.has({ driver } as never, 1);
          expect([delivery!.deliveries, delivery!.failures]).toEqual([crash + 1, 0]);
          await dying[Symbol.asyncDispose]();
        }
        const living = read(driver, { prefetch: 1 });
        const [delivery] = await living.take(1);
        expect([delivery!.deliveries, delivery!.failures]).toEqual([4, 0]);
        await delivery!.nack({ dead: 'its process died 3 times', charge: false });
        const [letter] = await driver.inspect!(topic, group, { limit: 1 });
        expect(letter).toMatchObject({ reason: 'its process died 3 times', deliveries: 4, failures: 0 });
      });

      it('a dead consumer is noticed in time, also beside workers that look for it rarely', async () => {
        const { driver, key } = await begin();
        await send(driver, topic, message('orphan'));
        const dying = new Reader(driver, topic, group, { prefetch: 1 });
        await dying.has({ driver } as never, 1);
        await dying[Symbol.asyncDispose]();
        // As a worker with BullMQ's own interval leaves it
        await admin.set(key('stalled-check'), '1', 'PX', 60_000);
        const living = read(driver, { prefetch: 1 });
        await (await living.take(1))[0]!.ack();
      });

      it('a key of deduplication is free when its job is gone, however it went', async () => {
        const { driver, key } = await begin();
        const deduplication = { key: 'report:7', mode: 'simple' } as const;
        const publish = async (text: string) =>
          (await driver.publish(topic, [message(text, { deduplication })]))[0];
        expect(await publish('first')).toEqual({ ok: true });
        expect(await publish('dropped')).toEqual({ ok: true, isDuplicate: true });
        // As an evicting or half-restored server has it: the key is there, its job is not
        const holder = await admin.get(key('de:report:7'));
        await admin.del(key(holder!));
        await admin.lrem(key('wait'), 0, holder!);
        expect(await publish('second')).toEqual({ ok: true });
        const second = await admin.get(key('de:report:7'));
        expect(await driver.cancel!(topic, group, second!)).toBe(true);
        expect(await publish('third')).toEqual({ ok: true });
        const reader = read(driver, { prefetch: 1 });
        const [third] = await reader.take(1);
        expect(textOf(third!)).toBe('third');
        expect(await driver.cancel!(topic, group, third!.id)).toBe(true);
        expect(await publish('fourth')).toEqual({ ok: true });
        expect(await publish('dropped')).toEqual({ ok: true, isDuplicate: true });
      });

      it('debounce: the last comes also while the one before waits or runs', async () => {
        const { driver } = await begin();
        const deduplication = { key: 'search', mode: 'debounce', ttlMs: 50 } as const;
        const publish = (text: string) => send(driver, topic, message(text, { deduplication }));
        const reader = read(driver, { prefetch: 1 });
        await publish('a');
        const [running] = await reader.take(1);
        await publish('ab');
        await publish('abc');
        // It is due, and its consumer is busy
        await delay(100);
        await driver.publish(topic, [message('other')]);
        await running!.ack();
        for (let index = 1; index < 3; index++) await (await reader.take(index + 1))[index]!.ack();
        expect(reader.texts.sort()).toEqual(['a', 'abc', 'other']);
      });

      it('debounce: one that is due and waits is replaced by the next', async () => {
        const { driver, key } = await begin();
        const deduplication = { key: 'search', mode: 'debounce', ttlMs: 30 } as const;
        const busy = read(driver, { prefetch: 1 });
        await send(driver, topic, message('busy'));
        await busy.take(1);
        await send(driver, topic, message('a', { deduplication }));
        await delay(60);
        // A job that comes or goes makes BullMQ look for those that are due
        const queue = new Reader(driver, topic, group, { prefetch: 1 });
        const [early] = await queue.has({ driver } as never, 1);
        expect(textOf(early!)).toBe('a');
        await early!.nack({ charge: false });
        await queue[Symbol.asyncDispose]();
        await within(30_000, async () => (await admin.llen(key('wait'))) === 1 || undefined);
        await send(driver, topic, message('ab', { deduplication }));
        await busy.received[0]!.ack();
        await (await busy.take(2))[1]!.ack();
        expect(busy.texts).toEqual(['busy', 'ab']);
      });

      it('a priority is heeded by every publisher from the first on, and by what waits already', async () => {
        const { driver, other } = await begin();
        await send(driver, topic, message('early'));
        await send(other, topic, message('urgent', { priority: 9 }));
        await send(driver, topic, message('late'));
        await send(other, topic, message('soon', { priority: 5 }));
        const reader = read(driver, { prefetch: 1, each: each => each.ack() });
        await reader.take(4);
        expect(reader.texts).toEqual(['urgent', 'soon', 'early', 'late']);
      });

      it('what was sorted by key is there for consumers of any other kind', async () => {
        const { driver, other } = await begin();
        const keys = ['a', 'b', 'c'];
        await send(driver, topic, ...times(60, n => message(`${n}`, { key: keys[n % 3]! })));
        const seen: string[] = [];
        const sharings = [
          { fair: true },
          { ordered: true },
          {},
          { fair: true, ordered: true },
          { ordered: true },
        ];
        for (const [round, sharing] of sharings.entries()) {
          const reader = read(round % 2 === 0 ? driver : other, { prefetch: 1, ...sharing });
          for (let n = 0; n < 10; n++) {
            const delivery = (await reader.take(n + 1))[n]!;
            seen.push(textOf(delivery));
            await delivery.ack();
          }
          await reader[Symbol.asyncDispose]();
          for (const each of reader.received.slice(10)) await each.nack({ charge: false }).catch(() => {});
        }
        const last = read(driver, { prefetch: 20, each: each => each.ack() });
        await within(30_000, () => new Set([...seen, ...last.texts]).size === 60 || undefined);
        expect(new Set([...seen, ...last.texts]).size).toBe(60);
      });

      it('with `ordered`, a key waits for its message whose consumer died, and goes on in order', async () => {
        const { driver, other } = await begin();
        await send(
          driver,
          topic,
          message('a1', { key: 'a' }),
          message('a2', { key: 'a' }),
          message('b1', { key: 'b' }),
        );
        const dying = new Reader(driver, topic, group, { prefetch: 1, ordered: true });
        expect(textOf((await dying.has({ driver } as never, 1))[0]!)).toBe('a1');
        await dying[Symbol.asyncDispose]();
        const living = read(other, { prefetch: 5, ordered: true, each: each => each.ack() });
        await living.take(3);
        expect(living.texts).toEqual(['b1', 'a1', 'a2']);
      });

      it('a pause holds up every consumer, by key or not, until it ends', async () => {
        const { driver, other } = await begin();
        await driver.pause!(topic, group);
        await send(driver, topic, message('one', { key: 'a' }), message('two', { key: 'b' }));
        const plain = read(driver, { prefetch: 1, each: each => each.ack() });
        const fair = read(other, { prefetch: 1, fair: true, each: each => each.ack() });
        await delay(200);
        expect([...plain.texts, ...fair.texts]).toEqual([]);
        expect(await driver.stats!(topic, group)).toEqual({ waiting: 2, delayed: 0, active: 0, dead: 0 });
        await other.resume!(topic, group);
        await within(30_000, () => plain.texts.length + fair.texts.length === 2 || undefined);
        expect([...plain.texts, ...fair.texts].sort()).toEqual(['one', 'two']);
      });

      it('the id of a message that was canceled or purged stays taken, and headers come as they went', async () => {
        const { driver } = await begin();
        const headers = { 'x-shop': 'north', 'ce-subject': 'order 7', 'content-type': 'text/plain' };
        const [canceled, purged] = [message('canceled'), message('purged', { headers, key: 'a' })];
        await send(driver, topic, canceled, purged);
        expect(await driver.cancel!(topic, group, canceled.id)).toBe(true);
        const reader = read(driver, { prefetch: 1 });
        const [doomed] = await reader.take(1);
        expect(doomed!.headers).toEqual(headers);
        await doomed!.nack({ dead: 'for the test' });
        expect(await driver.purge!(topic, group, {})).toBe(1);
        for (const { id } of [canceled, purged]) {
          expect(await driver.find!(topic, group, id)).toBeUndefined();
          expect(await driver.cancel!(topic, group, id)).toBe(false);
        }
        await send(driver, topic, canceled, purged, message('last'));
        await (await reader.take(2))[1]!.ack();
        expect(reader.texts).toEqual(['purged', 'last']);
      });

      it('a message for several groups reaches all, or is completed by its id', async () => {
        const { driver, other, prefix } = await begin();
        await driver.declare(topic, 'second');
        const sent = times(5, n => message(`${n}`));
        // As a crash leaves it in the middle, if there were no transaction
        const bull = new (library as typeof six).Queue(queueName, {
          connection: { port: server.port },
          prefix,
        });
        onTestFinished(() => bull.close());
        await bull.add(topic, {}, { jobId: sent[0]!.id });
        await admin.script('FLUSH');
        const results = await other.publish(topic, sent);
        expect(results).toEqual(sent.map(() => ({ ok: true })));
        expect(await other.stats!(topic, 'second')).toMatchObject({ waiting: 5 });
        expect(await other.stats!(topic, group)).toMatchObject({ waiting: 5 });
        // One that fails for a group has failed
        await admin.set(`${prefix}:${topic}@third:wait`, 'no list');
        await other.declare(topic, 'third');
        const [failed] = await driver.publish(topic, [message('')]);
        expect(failed).toMatchObject({ ok: false, outcome: 'Unknown' });
      });

      it('an unavailable or full server rejects, for each message', async () => {
        const config = { maxmemory: '2mb', 'maxmemory-policy': 'noeviction' };
        const small = await startRedis({ config });
        onTestFinished(() => small.stop());
        const connection = { port: small.port };
        const driver = bullmq({ connection, timeoutMs: 500, leaseMs, library });
        onTestFinished(() => driver[Symbol.asyncDispose]());
        const body = Buffer.alloc(100_000);
        const memory = new Redis(small.port);
        memory.on('error', () => {}); // It is killed below
        onTestFinished(() => memory.disconnect());
        await driver.declare('work', 'one');
        for (const each of ['one', 'two']) await driver.declare('events', each);
        for (const [round, name] of ['work', 'events'].entries()) {
          await memory.config('SET', 'maxmemory', `${3 + 4 * round}mb`);
          const batch = times(60, () => message('', { body }));
          const results: Published[] = [];
          for (let at = 0; at < 60; at += 10)
            results.push(...(await driver.publish(name, batch.slice(at, at + 10))));
          const refused = results.flatMap((result, n) => (result.ok ? [] : [{ ...result, n }]));
          expect(refused.length).toBeGreaterThan(0);
          expect(refused.length).toBeLessThan(60);
          for (const { outcome, n } of refused) {
            const job = await driver.find!(name, 'one', batch[n]!.id);
            if (outcome === 'NotExecuted') expect(job).toBeUndefined();
          }
          for (const [n, result] of results.entries()) {
            if (result.ok) expect(await driver.find!(name, 'one', batch[n]!.id)).toBeDefined();
          }
        }
        await small.kill();
        const [away] = await driver.publish(topic, [message('')]);
        expect(away).toMatchObject({ ok: false, outcome: 'NotExecuted' });
      });
    });
  }
});

/** Does something whose command the server executes, and breaks every connection before its answer is there. */
async function answerIsLost(proxy: TcpProxy, work: () => Promise<void>): Promise<void> {
  proxy.hush();
  const working = work();
  await delay(500);
  proxy.cut();
  proxy.resume();
  await working;
}
