// #region program
import { HashRing } from '@ashlar/hash-ring';

const ring = new HashRing(['cache-1', 'cache-2', { id: 'cache-3', weight: 2 }]);

const next = ring.clone();
next.add('cache-4');

const plan = ring.movesTo(next);
console.log(plan.map(({ from, to }) => `${from} to ${to}`)); // [ 'cache-1 to cache-4', 'cache-2 to cache-4', 'cache-3 to cache-4' ]
console.log(plan.reduce((sum, { share }) => sum + share, 0).toFixed(3)); // 0.183
// #endregion program
