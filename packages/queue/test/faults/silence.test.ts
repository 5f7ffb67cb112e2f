import { available, within } from '@workspace/services';
import { it } from 'vitest';
import { kindNames, kinds, queueAt } from '../../faults/kinds.ts';
import { Site } from '../../faults/site.ts';

/** No answer comes because a lease is extended. */
const longLeaseMs = 3_600_000;
const soonMs = 90_000;

for (const kind of kindNames) {
  it.concurrent(`${kind}: health fails while the network is silent, and not because handlers take long`, {
    timeout: 300_000,
  }, async ({ expect, onTestFinished, skip }) => {
    const { needs } = kinds[kind];
    const found = needs === undefined ? { ok: true as const } : await available({ own: needs });
    if (!found.ok) return skip(found.reason);
    const site = await Site.start(kind, longLeaseMs);
    onTestFinished(() => site[Symbol.asyncDispose]());
    const address = site.fresh();
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
  });
}
