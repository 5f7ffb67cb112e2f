import { Peer } from '@workspace/faults';
import { within } from '@workspace/services';
import { driverAt, queueOver } from '../../../faults/kinds.ts';
import { type Scenario, soonMs, unhurried } from './scenario.ts';
import type { SlowMessage, SlowSettings } from './slow-process.ts';

const count = 400;
const messageBytes = 100_000;
/** Of the backlog of each group, which is 40 MB. */
const mostBytes = 20_000_000;

export const slowConsumers: Scenario = {
  title: 'a slow consumer keeps no more in memory than it handles, whatever waits',
  async play(site, { expect, onTestFinished }) {
    const address = unhurried(site);
    const driver = driverAt(address);
    const queue = queueOver(driver);
    onTestFinished(() => queue.close({ timeoutMs: 0 }));
    const { fairness } = driver.capabilities;
    const groups = { plain: {}, ...(fairness && { fair: { fair: true } }) };
    for (const group of Object.keys(groups)) await queue.declare('work', group);
    const settings: SlowSettings = { address, groups, count };
    const peer = new Peer<SlowMessage>(new URL('./slow-process.ts', import.meta.url), settings);
    onTestFinished(() => peer.end());
    const measured = async (kind: 'ready' | 'measured') => {
      const message = await peer.next();
      if (message.kind !== kind) throw new Error(`${message.kind} in place of ${kind}`);
      return message;
    };
    const before = await measured('ready');
    const pad = 'x'.repeat(messageBytes);
    for (let n = 0; n < count; n += 20) {
      const payloads = Array.from({ length: 20 }, (_, index) => ({ n: n + index, pad }));
      // What is not confirmed on a busy machine is published again
      const publish = async () => {
        const published = await queue.publishMany('work', payloads, ({ n }) => ({
          id: `message ${n}`,
          key: `tenant ${n % 3}`,
        }));
        return published.every(({ ok }) => ok) || undefined;
      };
      expect(await within(soonMs, publish)).toBe(true);
    }
    const places = 2 * Object.keys(groups).length;
    const waiting = async () => {
      peer.process.send('measure');
      const { begun, keptBytes } = await measured('measured');
      expect(keptBytes - before.keptBytes).toBeLessThan(mostBytes);
      return begun === places || undefined;
    };
    expect(await within(soonMs, waiting)).toBe(true);
    // One that reads ahead does so by now
    for (let look = 0; look < 10; look++) expect(await waiting()).toBe(true);
    peer.process.send('go on');
    const done = await peer.next();
    expect(done).toMatchObject({ kind: 'done' });
    expect((done as { mostBytes: number }).mostBytes - before.keptBytes).toBeLessThan(mostBytes);
  },
};
