import { describeWith } from '@workspace/services/vitest';
import { expect, it } from 'vitest';
import { message, Reader, send, textOf } from '../../../src/conformance/subject.ts';
import type { Deduplication } from '../../../src/index.ts';
import { BullSite, libraries, soon } from './site.ts';

/** What users of queues over Redis have reported of keys, pauses and lost messages, tried here on BullMQ. */

describeWith([{ own: 'redis' }], 'reports of keys', () => {
  const site = new BullSite();

  for (const [version, library] of Object.entries(libraries)) {
    it(`BullMQ ${version}: messages of a key go on when one that waits among them is replaced or canceled (avifenesh/glide-mq 206)`, async () => {
      const { name, driver, read } = await site.begin(library);
      const deduplication: Deduplication = { key: 'd', mode: 'debounce', ttlMs: 10 };
      const publish = (text: string, more = {}) => send(driver, name, message(text, { key: 'k', ...more }));
      const reader = read({ prefetch: 10, ordered: true });
      await publish('a');
      await reader.has({ driver } as never, 1);
      await publish('old', { deduplication });
      await publish('b');
      await soon(async () =>
        expect(await driver.stats!(name, 'default')).toMatchObject({ waiting: 2, delayed: 0 }),
      );
      await publish('new', { deduplication });
      const canceled = message('canceled', { key: 'k' });
      await send(driver, name, canceled);
      await publish('c');
      expect(await driver.cancel!(name, 'default', canceled.id)).toBe(true);
      for (let n = 0; n < 4; n++) await (await reader.has({ driver } as never, n + 1))[n]!.ack();
      expect(reader.texts[0]).toBe('a');
      expect(reader.texts.toSorted()).toEqual(['a', 'b', 'c', 'new']);
      expect(reader.texts.indexOf('b')).toBeLessThan(reader.texts.indexOf('c'));
    });

    for (const how of [{}, { ordered: true }]) {
      it(`BullMQ ${version}: what comes back while a group is paused waits for its end, however it comes back ${JSON.stringify(how)} (OptimalBits/bull 247, OptimalBits/bull 447, OptimalBits/bull 1087)`, async () => {
        const { name, open, key } = await site.begin(library);
        const driver = open({ leaseMs: 1_000 });
        await send(driver, name, message('lost', { key: '1' }), message('failed', { key: '2' }));
        const dying = new Reader(driver, name, 'default', { prefetch: 2, ...how });
        await dying.has({ driver } as never, 2);
        await driver.pause!(name, 'default');
        await dying.received.find(each => textOf(each) === 'failed')!.nack({ requeueAfterMs: 50 });
        // It settles nothing more, as a process that dies
        await dying[Symbol.asyncDispose]();
        await send(driver, name, message('delayed', { delayMs: 50, key: '3' }), message('new', { key: '4' }));
        await using living = new Reader(driver, name, 'default', {
          prefetch: 5,
          each: each => each.ack(),
          ...how,
        });
        // All that was held back is due, and the lost one is found: only the pause holds them up
        await soon(async () => {
          const stats = await driver.stats!(name, 'default');
          expect(stats).toEqual({ waiting: 4, delayed: 0, active: 0, dead: 0 });
        });
        expect(living.texts).toEqual([]);
        await driver.resume!(name, 'default');
        await living.has({ driver } as never, 4);
        expect(living.texts.toSorted()).toEqual(['delayed', 'failed', 'lost', 'new']);
        await soon(async () => expect(await site.admin.llen(key('active'))).toBe(0));
      });
    }

    it(`BullMQ ${version}: progress of a message that was canceled leaves nothing behind, and its id is free again in time (OptimalBits/bull 2286)`, async () => {
      const { name, open, key } = await site.begin(library);
      const driver = open({ deduplicationMs: 1_000 });
      await send(driver, name, { ...message('a'), id: 'a' });
      await using reader = new Reader(driver, name, 'default', { prefetch: 1 });
      const [held] = await reader.has({ driver } as never, 1);
      expect(await driver.cancel!(name, 'default', 'a')).toBe(true);
      await held!.progress!(Buffer.from('50')).catch(() => {});
      await expect(held!.ack()).rejects.toMatchObject({ code: 'ASHLAR_QUEUE_DELIVERY_LOST' });
      expect(await driver.find!(name, 'default', 'a')).toBeUndefined();
      await soon(async () => expect(await site.admin.exists(key('a'))).toBe(0));
      await send(driver, name, { ...message('again'), id: 'a' });
      expect(textOf((await reader.has({ driver } as never, 2))[1]!)).toBe('again');
    });
  }
});
