// #region program
import { BoundedLoad, HashRing } from '@ashlar/hash-ring';

const ring = new HashRing(['berlin-1', 'berlin-2', 'paris-1']);
const bounded = new BoundedLoad(ring, { factor: 1.25 });
const running = ['hot', 'hot', 'hot'].map(key => bounded.acquire(key));
console.log(running.map(({ node }) => node)); // [ 'berlin-2', 'berlin-1', 'berlin-2' ]
for (const { release } of running) release();
// #endregion program
