// #region program
import { HashRing } from '@ashlar/hash-ring';

const ring = new HashRing(['cache-1', 'cache-2', 'cache-3']);
console.log(ring.get('user:7')); // cache-2

ring.setDown('cache-2', true); // it keeps its place and is walked over
console.log(ring.get('user:7')); // cache-1

ring.setDown('cache-2', false); // back, with the very keys it had
console.log(ring.get('user:7')); // cache-2
// #endregion program
