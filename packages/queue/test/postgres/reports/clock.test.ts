import { eventually } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { expect, it, onTestFinished } from 'vitest';
import { group, message, Reader, send, topic } from '../../../src/conformance/subject.ts';
import { SteppedPostgres } from '../../support/stepped-postgres.ts';
import { QueueTables } from '../queue-tables.ts';

/** What becomes of times when the clock of the server is set, which users of all queues over PostgreSQL meet one day. */

const hourMs = 3_600_000;
const soon = { withinMs: 15_000 };

describeWith([{ own: 'postgres' }, 'cc'], 'a clock of the server that is set', () => {
  const stepped = new SteppedPostgres();

  for (const [way, aheadMs] of [
    ['back', -hourMs],
    ['ahead', hourMs],
  ] as const) {
    it(`${way}: what is published then comes in its time, and in the order of its key`, async () => {
      stepped.clock.set(0);
      const tables = new QueueTables(stepped.server.url);
      onTestFinished(() => tables[Symbol.asyncDispose]());
      const driver = tables.driver({ leaseMs: 60_000 });
      await driver.migrate();
      await driver.declare(topic, group);
      await using reader = new Reader(driver, topic, group, { ordered: true });
      const next = async (text: string, delayMs: number) => {
        await send(driver, topic, message(text, { key: 'k', delayMs }));
        await eventually(async () => expect(reader.texts.at(-1)).toBe(text), soon);
      };
      for (let n = 0; n < 4; n++) {
        await next('1', 300);
        await reader.received.splice(0)[0]!.ack();
      }
      stepped.clock.set(aheadMs);
      const [now] = await tables.sql('SELECT extract(epoch FROM clock_timestamp())::float8 AS s');
      expect(Math.abs((now!['s'] as number) * 1_000 - Date.now() - aheadMs)).toBeLessThan(hourMs / 2);
      await next('2', 5); // Due before the next look
      await reader.received[0]!.nack({ requeueAfterMs: 1_500 });
      await send(driver, topic, message('3', { key: 'k' }));
      await eventually(async () => expect(reader.texts).toEqual(['2', '2']), soon);
      await reader.received[1]!.ack();
      await eventually(async () => expect(reader.texts).toEqual(['2', '2', '3']), soon);
    });
  }
});
