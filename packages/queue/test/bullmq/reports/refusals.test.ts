import { describeWith } from '@workspace/services/vitest';
import { describe, expect, it, onTestFinished } from 'vitest';
import { messages, Queue } from '../../../src/index.ts';
import { BullSite, libraries, soon } from './site.ts';

describeWith({ own: 'redis' }, 'a Redis under BullMQ that refuses what writes', () => {
  const site = new BullSite();

  const refusals = {
    READONLY: async () => {
      await site.admin.replicaof('127.0.0.1', '1');
      return async () => void (await site.admin.replicaof('NO', 'ONE'));
    },
    MISCONF: () => site.failToSave(),
  };
  for (const [version, library] of Object.entries(libraries)) {
    describe(`BullMQ ${version}`, () => {
      for (const [code, refuse] of Object.entries(refusals)) {
        it(`(${code}) takes no message, and what is handled meanwhile is handled once`, async () => {
          const { driver, name } = await site.begin(library);
          const queue = new Queue(driver, { messages: messages<Record<string, string>>() });
          onTestFinished(() => queue.close());
          const calls: string[] = [];
          let release = () => {};
          const released = new Promise<void>(resolve => {
            release = resolve;
          });
          const subscription = await queue.subscribe(
            name,
            async text => {
              calls.push(text);
              if (text !== 'after') await released;
              if (text === 'bad') throw new Error('bad');
            },
            { concurrency: 2, attempts: 1 },
          );
          await queue.publish(name, 'good');
          await queue.publish(name, 'bad');
          await soon(async () => expect(calls.toSorted()).toEqual(['bad', 'good']));
          const mend = await refuse();
          const refused = { outcome: 'NotExecuted' };
          await expect(queue.publish(name, 'refused')).rejects.toMatchObject(refused);
          release();
          await expect(queue.publish(name, 'refused')).rejects.toMatchObject(refused);
          await mend();
          await soon(async () =>
            expect(subscription.snapshot()).toMatchObject({ handled: 1, dead: 1, lost: 0 }),
          );
          await soon(async () => void (await queue.publish(name, 'after')));
          await soon(async () => expect(calls.slice(2)).toEqual(['after']));
          expect(await queue.dead(name).count()).toBe(1);
        });
      }
    });
  }
});
