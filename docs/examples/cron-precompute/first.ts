// #region program
import { Precompute } from '@ashlar/cron-precompute';
import { memoryStore } from '@ashlar/store';

const store = memoryStore(); // redisStore or postgresStore, when there are several processes
let sales = [
  ['books', 120],
  ['lamps', 45],
] as const; // a query of yours

const best = new Precompute<string, number>({
  name: 'best-sellers',
  schedule: '0 3 * * *',
  timeZone: 'Europe/Berlin',
  store,
  source: async function* () {
    yield* sales;
  },
  validate: { maxDelta: 0.5 },
});
await best.start();

await best.refresh(); // now, not at three
console.log(best.get('books').value, best.get('books').status); // 120 fresh

sales = [] as never;
const { status } = await best.refresh();
console.log(status, best.get('books').value); // rejected 120

await best.close();
await store.close();
// #endregion program
