// #region program
import { HashRing } from '@ashlar/hash-ring';
import { consistent, LoadBalancer } from '@ashlar/lb';

const lb = new LoadBalancer({
  endpoints: ['replica-1', 'replica-2', 'replica-3'].map(id => ({ id })),
  policy: consistent(nodes => new HashRing(nodes), { loadFactor: 1.25 }),
});

const first = lb.pick({ key: 'user:42' });
first.done({ ok: true });
const second = lb.pick({ key: 'user:42' });
second.done({ ok: true });
console.log(first.endpoint.id === second.endpoint.id); // true
// #endregion program
await lb.close();
