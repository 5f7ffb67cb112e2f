// #region program
import { HashRing } from '@ashlar/hash-ring';

const ring = new HashRing(['cache-1', 'cache-2', 'cache-3']);

const next = ring.clone();
next.add({ id: 'cache-4', weight: 2 });

const moves = ring.movesTo(next);
console.log(moves.map(({ from }) => from)); // [ 'cache-1', 'cache-2', 'cache-3' ]
console.log(moves.every(({ to }) => to === 'cache-4')); // true

const share = moves.reduce((sum, move) => sum + move.share, 0);
console.log(share.toFixed(3)); // 0.364
// #endregion program
