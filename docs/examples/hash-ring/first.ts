// #region program
import { HashRing } from '@ashlar/hash-ring';

const ring = new HashRing(['cache-1', 'cache-2', 'cache-3']);

console.log(ring.get('user:42')); // cache-3
console.log(ring.getN('user:42', 2)); // [ 'cache-3', 'cache-1' ]

ring.add('cache-4'); // only keys that go to cache-4 move
console.log(ring.get('user:42')); // cache-3
// #endregion program
