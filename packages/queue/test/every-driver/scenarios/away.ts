import { within } from '@workspace/services';
import { queueAt } from '../../../faults/kinds.ts';
import { QueueUnavailableError } from '../../../src/index.ts';
import { type Scenario, soonMs } from './scenario.ts';

export const away: Scenario = {
  title: 'a server that is not there yet refuses what is asked, and serves when it is there',
  async play(site, { expect, onTestFinished }) {
    await site.proxy.refuse();
    const queue = queueAt(site.fresh());
    onTestFinished(() => queue.close({ timeoutMs: 0 }));
    const handled: number[] = [];
    const subscribe = () => queue.subscribe('work', ({ n }) => void handled.push(n));
    for (const call of [() => queue.declare('work'), subscribe]) {
      await expect(call()).rejects.toBeInstanceOf(QueueUnavailableError);
    }
    const refused = await queue.publish('work', { n: 1 }, { id: 'first' }).catch(error => error);
    expect(refused).toBeInstanceOf(QueueUnavailableError);
    expect(refused).toMatchObject({ outcome: 'NotExecuted', retryable: true });
    const each = await queue.publishMany('work', [{ n: 1 }, { n: 2 }]);
    for (const published of each) expect(published).toMatchObject({ ok: false, outcome: 'NotExecuted' });
    expect(queue.snapshot().subscriptions).toEqual([]);
    await site.proxy.accept();
    const isDone = (call: () => Promise<unknown>) =>
      call().then(
        () => true,
        () => undefined,
      );
    expect(await within(soonMs, () => isDone(subscribe))).toBe(true);
    expect(await within(soonMs, () => isDone(() => queue.publish('work', { n: 3 })))).toBe(true);
    expect(await within(soonMs, () => handled.includes(3) || undefined)).toBe(true);
    expect(handled).toEqual([3]);
  },
};
