import { describeWith } from '@workspace/services/vitest';
import { expect, it } from 'vitest';
import { message, send } from '../../../src/conformance/subject.ts';
import { BullSite, libraries, soon } from './site.ts';

/** What users of BullMQ and Bull have reported of queues that are paused, tried here. */

describeWith([{ own: 'redis' }], 'reports of paused queues', () => {
  const site = new BullSite();

  for (const [version, library] of Object.entries(libraries)) {
    it(`BullMQ ${version}: what comes back while the queue is paused is there when it goes on (OptimalBits/bull 1813, OptimalBits/bull 2540, taskforcesh/bullmq 322)`, async () => {
      const { name, driver, open, read } = await site.begin(library);
      const reader = read({ prefetch: 1 });
      // So that the server knows each script
      await send(driver, name, message('warm'));
      await (await reader.has({ driver } as never, 1))[0]!.ack();
      const other = open();
      await other.pause!(name, 'default');
      await other.resume!(name, 'default');
      await send(driver, name, message('a'), message('b'), message('c'));
      const [, first] = await reader.has({ driver } as never, 2);
      // Its acknowledgement brings the next one, and the queue is paused before anybody knows
      await site.answerIsLost(
        () => expect(first!.ack()).rejects.toMatchObject({ retryable: true }),
        () => other.pause!(name, 'default').catch(() => {}),
      );
      await soon(async () =>
        expect(await driver.stats!(name, 'default')).toMatchObject({ waiting: 2, active: 0 }),
      );
      await first!.ack();
      await other.resume!(name, 'default');
      for (let n = 2; n < 4; n++) await (await reader.has({ driver } as never, n + 1))[n]!.ack();
      expect(reader.texts).toEqual(['warm', 'a', 'b', 'c']);
    });

    it(`BullMQ ${version}: the last of a key replaces the one that has waited since the pause (taskforcesh/bullmq 3250)`, async () => {
      const { name, driver, read } = await site.begin(library);
      const deduplication = { key: 'k', mode: 'debounce', ttlMs: 20 } as const;
      const reader = read({ prefetch: 5, each: each => each.ack() });
      await driver.pause!(name, 'default');
      for (const text of ['one', 'two']) {
        await send(driver, name, message(text, { deduplication }));
        await soon(async () =>
          expect(await driver.stats!(name, 'default')).toMatchObject({ waiting: 1, delayed: 0 }),
        );
      }
      await driver.resume!(name, 'default');
      await send(driver, name, message('end'));
      await soon(async () => expect(reader.texts).toEqual(expect.arrayContaining(['two', 'end'])));
      expect(reader.texts).not.toContain('one');
    });

    it(`BullMQ ${version}: a priority goes before what has waited without one since the pause (OptimalBits/bull 921, OptimalBits/bull 922)`, async () => {
      const { name, driver, read } = await site.begin(library);
      await driver.pause!(name, 'default');
      await send(driver, name, message('plain'));
      await send(driver, name, message('high', { priority: 9 }));
      expect(await driver.stats!(name, 'default')).toMatchObject({ waiting: 2 });
      await driver.resume!(name, 'default');
      const reader = read({ prefetch: 1, each: each => each.ack() });
      await reader.has({ driver } as never, 2);
      expect(reader.texts).toEqual(['high', 'plain']);
    });
  }
});
