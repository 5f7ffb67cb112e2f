import { within } from '@workspace/services';
import { queueAt } from '../../../faults/kinds.ts';
import { type Scenario, soonMs, unhurried } from './scenario.ts';

export const silence: Scenario = {
  title: 'health fails while the network is silent, and not because handlers take long',
  async play(site, { expect, onTestFinished }) {
    const address = unhurried(site);
    const [idle, busy] = [queueAt(address), queueAt(address)];
    const stop = new AbortController();
    onTestFinished(async () => {
      stop.abort();
      await Promise.all([idle, busy].map(queue => queue.close({ timeoutMs: 0 })));
    });
    await idle.subscribe('work', () => {}, { group: 'idle' });
    let begun = 0;
    const endless = () => {
      begun++;
      return new Promise<void>(resolve => stop.signal.addEventListener('abort', () => resolve()));
    };
    const subscription = await busy.subscribe('work', endless, { group: 'busy', concurrency: 2 });
    for (const n of [1, 2, 3]) await idle.publish('work', { n });
    expect(await within(soonMs, () => begun === 2 || undefined)).toBe(true);
    for (let answers = 1; answers <= 2; answers++) {
      let longest = 0;
      const isAnswered = () => {
        const silentMs = subscription.snapshot().silentMs ?? 0;
        longest = Math.max(longest, silentMs);
        return silentMs < longest || undefined;
      };
      expect(await within(soonMs, isAnswered), `answer ${answers} while all places are taken`).toBe(true);
    }
    site.proxy.stall();
    const isIll = await Promise.all(
      [idle, busy].map(queue => within(soonMs, () => !queue.health().ok || undefined)),
    );
    expect(isIll).toEqual([true, true]);
    site.proxy.resume();
    const isWell = await Promise.all(
      [idle, busy].map(queue => within(soonMs, () => queue.health().ok || undefined)),
    );
    expect(isWell).toEqual([true, true]);
  },
};
