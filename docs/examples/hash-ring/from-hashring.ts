// #region program
import { ketama } from '@ashlar/hash-ring/compat';

const ring = ketama(['cache-1', 'cache-2', { id: 'cache-3', weight: 2 }]);
console.log(ring.getN('user:42', 2)); // [ 'cache-3', 'cache-1' ]
// #endregion program
