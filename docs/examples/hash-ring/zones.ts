// #region program
import { HashRing } from '@ashlar/hash-ring';

const ring = new HashRing([
  { id: 'berlin-1', zone: 'berlin' },
  { id: 'berlin-2', zone: 'berlin' },
  { id: 'paris-1', zone: 'paris' },
]);
console.log(ring.getN('user:42', 2)); // [ 'berlin-1', 'paris-1' ]
// #endregion program
