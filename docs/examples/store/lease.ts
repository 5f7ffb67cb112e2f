// #region program
import { Fence, Lease, memoryStore, StaleTokenError } from '@ashlar/store';

const store = memoryStore();
const ledger = new Fence('the ledger'); // what is written to, or a column beside it

const old = await Lease.acquire(store, 'ledger', { ttlMs: 5_000 });
ledger.admit(old); // in the same turn as the write
await old.release();

const next = await Lease.acquire(store, 'ledger', { ttlMs: 5_000 });
ledger.admit(next);
console.log(next.token > old.token); // true

try {
  ledger.admit(old); // a write that was on its way all the while
} catch (error) {
  console.log(error instanceof StaleTokenError); // true
}
// #endregion program
await next.release();
await store.close();
