// #region program
import { memoryStore, oncePer } from '@ashlar/store';

const store = memoryStore(); // shared by the instances: redisStore({ redis }) or postgresStore({ pool })

async function nightlyReport(instance: string) {
  const today = '2026-11-28'; // new Date().toISOString().slice(0, 10)
  return oncePer(store, 'nightly-report', { key: today, ttlMs: 10_000 }, async lease => {
    lease.assertHeld(); // before each step that must not happen twice
    return `written by ${instance}`;
  });
}

const results = await Promise.all(['a', 'b', 'c'].map(nightlyReport));
console.log(results.filter(({ ran }) => ran).length); // 1
console.log((await nightlyReport('a')).ran); // false
// #endregion program
await store.close();
