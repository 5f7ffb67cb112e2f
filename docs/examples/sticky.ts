// #region program
import { HashRing } from '@ashlar/hash-ring';
import { consistent, LoadBalancer } from '@ashlar/lb';

await using lb = new LoadBalancer({
  endpoints: [{ id: 'replica-1' }, { id: 'replica-2' }, { id: 'replica-3' }],
  policy: consistent(endpoints => new HashRing(endpoints), { loadFactor: 1.25 }),
});

const first = lb.pick({ key: 'user:42' });
first.done({ ok: true });
const second = lb.pick({ key: 'user:42' });
second.done({ ok: true });
console.log(first.endpoint.id === second.endpoint.id); // true
// #endregion program
