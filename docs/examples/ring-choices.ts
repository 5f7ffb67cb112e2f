// #region zones
import { BoundedLoad, HashRing } from '@ashlar/hash-ring';

const ring = new HashRing([
  { id: 'berlin-1', zone: 'berlin' },
  { id: 'berlin-2', zone: 'berlin' },
  { id: 'paris-1', zone: 'paris' },
]);
console.log(ring.getN('user:42', 2)); // [ 'berlin-1', 'paris-1' ]
// #endregion zones

// #region bounded
const bounded = new BoundedLoad(ring, { factor: 1.25 });
const running = ['hot', 'hot', 'hot'].map(key => bounded.acquire(key));
console.log(running.map(({ node }) => node)); // [ 'berlin-2', 'berlin-1', 'berlin-2' ]
for (const { release } of running) release();
// #endregion bounded
