// #region program
import { getJson, memoryStore, setJson, VersionConflictError } from '@ashlar/store';

const store = memoryStore(); // later: redisStore({ redis })

const first = await setJson(store, 'limits', { perSecond: 100 });
await setJson(store, 'limits', { perSecond: 50 }, { ifVersion: first });
try {
  await setJson(store, 'limits', { perSecond: 10 }, { ifVersion: first }); // by then it was another one
} catch (error) {
  console.log(error instanceof VersionConflictError); // true
}
console.log((await getJson<{ perSecond: number }>(store, 'limits'))?.value.perSecond); // 50
// #endregion program
await store.close();
