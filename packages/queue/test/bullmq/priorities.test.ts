import { describeWith } from '@workspace/services/vitest';
import { expect, it } from 'vitest';
import { message, send } from '../../src/conformance/subject.ts';
import { BullSite, libraries, soon } from './reports/site.ts';

describeWith([{ own: 'redis' }], 'priorities on BullMQ, from the first on', () => {
  const site = new BullSite();

  for (const [version, library] of Object.entries(libraries)) {
    it(`BullMQ ${version}: what waited before is behind, also when the first to publish one has died over it`, async () => {
      const { name, driver, open, read } = await site.begin(library);
      await send(driver, name, message('early'));
      // It has told the others, and sorted nothing
      await site.admin.hset(`bull:ashlar-queue@:${name}`, 'priorities', 1);
      await send(open(), name, message('urgent', { priority: 9 }));
      const reader = read({ prefetch: 1, each: each => each.ack() });
      await reader.has({ driver } as never, 2);
      expect(reader.texts).toEqual(['urgent', 'early']);
    });

    it(`BullMQ ${version}: what was in hands, dead or held back is behind when it comes back`, async () => {
      const { name, bull, driver, open, read } = await site.begin(library);
      const held = message('held back', { delayMs: 600_000 });
      await send(driver, name, message('fails'), message('dies'), held);
      const first = read({ prefetch: 2 });
      const [failing, dying] = await first.has({ driver } as never, 2);
      await driver.pause!(name, 'default');
      await dying!.nack({ dead: 'for the test' });
      await send(open(), name, message('urgent', { priority: 9 }));
      await failing!.nack({});
      expect(await driver.redrive!(name, 'default', {})).toBe(1);
      await (await bull.getJob(held.id))!.promote();
      await first[Symbol.asyncDispose]();
      await soon(async () =>
        expect(await driver.stats!(name, 'default')).toMatchObject({ waiting: 4, delayed: 0, active: 0 }),
      );
      await driver.resume!(name, 'default');
      const reader = read({ prefetch: 1, each: each => each.ack() });
      await reader.has({ driver } as never, 4);
      // BullMQ 5 sends a failed job again before all others
      const texts = version === '5' ? reader.texts.filter(each => each !== 'dies') : reader.texts;
      expect(texts[0]).toBe('urgent');
    });
  }
});
