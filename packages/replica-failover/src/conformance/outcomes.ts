import { OutcomeUnknownError } from '../errors.ts';
import { equal, until } from './check.ts';
import type { Subject, Tests } from './subject.ts';

/** What is told of a commit whose answer does not come, and what is true. */
export function outcomeTests<C>(): Tests<C> {
  return {
    'a commit to a primary that stands still is executed once when it goes on': async subject => {
      const set = await subject.connect({ heartbeat: { intervalMs: 20, deadlineMs: 100 } });
      const [primary] = subject.ids;
      let runs = 0;
      const committing = set.transaction(async db => {
        runs++;
        await subject.put(db, 'a', String(runs));
        if (runs === 1) await subject.stop(primary!);
      });
      committing.catch(() => {});
      try {
        const isDown = () =>
          set.snapshot().servers.some(({ id, state }) => id === primary && state === 'down');
        await until(isDown, 'the primary is known to be silent');
      } finally {
        await subject.resume(primary!);
      }
      await committing;
      equal(await set.read(db => subject.get(db, 'a')), '1', 'the value');
      equal(runs, 1, 'the runs');
    },
    'a commit that dies with its primary is told as it is': async subject => {
      const set = await subject.connect({ heartbeat: { intervalMs: 20 } });
      const [primary, next, ...others] = subject.ids;
      await set.write(db => subject.put(db, 'a', '0'));
      await reach(subject, '0');
      for (const id of [next!, ...others]) await subject.stop(id);
      let runs = 0;
      let told = 'executed';
      const committing = set
        .transaction(async db => {
          runs++;
          await subject.put(db, 'a', String(runs));
        })
        .catch(error => {
          if (!(error instanceof OutcomeUnknownError)) throw error;
          told = 'Unknown';
        });
      try {
        await until(() => runs > 0, 'the work runs');
        await subject.kill(primary!);
      } finally {
        for (const id of [next!, ...others]) await subject.resume(id);
      }
      await subject.promote(next!);
      await committing;
      const value = Number(await set.read(db => subject.get(db, 'a')));
      // What was acknowledged may be lost where nobody else need have it
      const isTrue = told === 'executed' ? value === runs || subject.losesAcknowledged === true : value <= 1;
      if (!isTrue) throw new Error(`told ${told} after ${runs} runs, and the value is ${value}`);
      equal(told === 'Unknown' && runs > 1, false, 'repeated, and then Unknown');
    },
    'a commit that the next primary has is told as executed': async subject => {
      const set = await subject.connect();
      const [primary, next] = subject.ids;
      if (subject.holdAcknowledgments === undefined) throw new Error('the subject must hold acknowledgments');
      await set.write(db => subject.put(db, 'a', '0'));
      await subject.holdAcknowledgments();
      let runs = 0;
      const committing = set.transaction(async db => {
        runs++;
        await subject.put(db, 'a', String(runs));
      });
      committing.catch(() => {});
      await reach(subject, '1');
      await subject.kill(primary!);
      await subject.promote(next!);
      await committing;
      equal(await set.read(db => subject.get(db, 'a')), '1', 'the value');
      equal(runs, 1, 'the runs');
    },
  };
}

/** Waits until every replica shows the value. */
async function reach<C>(subject: Subject<C>, value: string): Promise<void> {
  const set = await subject.connect({ heartbeat: { intervalMs: 20 } });
  const seen = new Set<string>();
  const replicas = () =>
    set.snapshot().servers.filter(({ role, state }) => role === 'replica' && state === 'up');
  await until(() => replicas().length === subject.ids.length - 1, 'the replicas are seen');
  await until(async () => {
    for (let turn = 0; turn < 2 * subject.ids.length; turn++) {
      const read = await set.read(db => subject.get(db, 'a'), { consistency: 'eventual' });
      if (read === value) seen.add(String(turn));
      else seen.clear();
    }
    return seen.size === 2 * subject.ids.length;
  }, `the replicas have ${value}`);
}
