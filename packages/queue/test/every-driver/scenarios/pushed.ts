import { setTimeout as delay } from 'node:timers/promises';
import { within } from '@workspace/services';
import { driverAt, type KindName, queueAt, queueOver } from '../../../faults/kinds.ts';
import { Way } from '../../support/way.ts';
import { type Scenario, soonMs, unhurried } from './scenario.ts';

const outageMs = 3_000;
/** How long one message has to come: no question that stands at a server does so for longer. */
const roundMs = 2_000;

/** What a server says of a message that nobody has asked for since, by the name of the topic and the id of the message. */
const news: Readonly<Partial<Record<KindName, (topic: string) => string>>> = {
  // That there is a job, and not which
  bullmq: topic => `:${topic}:marker`,
  postgres: topic => topic,
};

/** A consumer that polls hears of nothing while what it says is held back. */
export const pushed: Scenario = {
  title:
    'after an outage of 3 s the server says by itself that there is a message, to a consumer that can ask for none',
  async play(site, { expect, onTestFinished }) {
    const way = await Way.to(site.proxy.port);
    onTestFinished(() => way[Symbol.asyncDispose]());
    const address = unhurried(site);
    const consuming = queueAt({ ...address, port: way.port });
    const driver = driverAt({ ...address, port: site.server.port });
    const publishing = queueOver(driver);
    onTestFinished(async () => {
      way.unmute();
      await Promise.all([consuming, publishing].map(queue => queue.close({ timeoutMs: 0 })));
    });
    const handled = new Set<number>();
    const isHandled = (n: number) => within(soonMs, () => handled.has(n) || undefined);
    // Places are free also while an acknowledgment is held back
    await consuming.subscribe('work', ({ n }) => void handled.add(n), { concurrency: 100 });
    await publishing.publish('work', { n: 0 });
    expect(await isHandled(0)).toBe(true);
    await site.proxy.refuse();
    await delay(outageMs);
    await site.proxy.accept();
    await publishing.publish('work', { n: 1 });
    expect(await isHandled(1)).toBe(true);
    let n = 1;
    // While it is muted, what it waits with may end, and it cannot wait again
    const isPushed = async () => {
      const isSettled = async () => ((await driver.stats!('work', 'default')).active ? undefined : true);
      expect(await within(soonMs, isSettled)).toBe(true);
      // On a busy machine it takes longer until it waits again
      await delay(20 * n);
      n++;
      way.mute();
      // What it has said before is answered by now
      await driver.stats!('work', 'default');
      way.heard = '';
      const id = `news-${n}`;
      await publishing.publish('work', { n }, { id });
      const said = news[site.kind]?.(`${address.prefix}.work`) ?? id;
      const came = await within(roundMs, () => way.heard.includes(said) || undefined);
      way.unmute();
      expect(await isHandled(n), `message ${n}`).toBe(true);
      return came;
    };
    expect(await within(soonMs, isPushed)).toBe(true);
  },
};
