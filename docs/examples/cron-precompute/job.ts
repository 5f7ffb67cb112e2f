// #region program
import { Job } from '@ashlar/cron-precompute/scheduler';
import { memoryStore } from '@ashlar/store';

const store = memoryStore();
const mailing = new Job({
  name: 'mailing',
  schedule: '30 2 * * *',
  timeZone: 'America/New_York',
  skippedHour: 'shift',
  store,
  work: async run => {
    const from = (run.cursor as number | undefined) ?? 0;
    for (let page = from; page < 3; page++) {
      run.assertCurrent();
      await run.checkpoint(page + 1); // what was done stays done, whoever goes on
    }
    return { pages: 3 - from };
  },
});
await mailing.start(); // in every process

const { status, attempt, result } = await mailing.trigger();
console.log(status, attempt, result); // succeeded 1 { pages: 3 }

const march8 = { from: new Date('2026-03-08T00:00:00Z'), to: new Date('2026-03-09T00:00:00Z') };
const [tick] = await mailing.backfill({ ...march8, dryRun: true });
console.log(tick?.toISOString()); // 2026-03-08T07:30:00.000Z

await mailing.close();
await store.close();
// #endregion program
