import { within } from '@workspace/services';
import { driverAt, queueAt, queueOver } from '../../../faults/kinds.ts';
import type { Driver } from '../../../src/index.ts';
import { withMethods } from '../../support/with-methods.ts';
import { type Scenario, soonMs, unhurried } from './scenario.ts';

export const versions: Scenario = {
  title:
    'a message of a newer form waits for a newer worker, uncharged, and holds up no other (dbos-inc/dbos-transact-ts 1291)',
  async play(site, { expect, onTestFinished }) {
    const address = unhurried(site);
    let offers = 0;
    const older = queueOver(newerCounted(driverAt(address), () => offers++));
    const newer = queueAt(address);
    onTestFinished(async () => {
      await Promise.all([older, newer].map(queue => queue.close({ timeoutMs: 0 })));
    });
    const seen: [worker: string, n: number, attempt: number][] = [];
    const handler =
      (worker: string) =>
      ({ n }: { readonly n: number }, { attempt }: { readonly attempt: number }) =>
        void seen.push([worker, n, attempt]);
    // The first failure, and the second delivery that counts, would be its death
    const strict = { attempts: 1, crashes: 0 };
    await older.subscribe('work', handler('older'), { version: 1, concurrency: 1, ...strict } as object);
    await older.publish('work', { n: 2 }, { version: 2 });
    for (let round = 1; round <= 3; round++) {
      expect(await within(soonMs, () => offers >= round || undefined), `offer ${round}`).toBe(true);
      await older.publish('work', { n: 1 }, { version: 1 });
      expect(await within(soonMs, () => seen.length === round || undefined), `message ${round}`).toBe(true);
    }
    expect(seen).toEqual([1, 2, 3].map(() => ['older', 1, 1]));
    await newer.subscribe('work', handler('newer'), { version: 2, ...strict } as object);
    expect(await within(soonMs, () => seen.length > 3 || undefined), 'the newer form').toBe(true);
    expect(seen.slice(3)).toEqual([['newer', 2, 1]]);
    expect(await newer.dead('work').count()).toBe(0);
  },
};

/** The driver, and a call for each delivery of a message of the second form. */
function newerCounted(driver: Driver, counted: () => void): Driver {
  async function* consume(...args: Parameters<Driver['consume']>) {
    for await (const delivery of driver.consume(...args)) {
      if (delivery.headers['ce-schemaversion'] === '2') counted();
      yield delivery;
    }
  }
  return withMethods(driver, { consume });
}
