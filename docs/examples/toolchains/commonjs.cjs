// #region program
const { HashRing } = require('@ashlar/hash-ring');

const ring = new HashRing(['cache-1', 'cache-2', 'cache-3']);
console.log(ring.get('user:42')); // cache-3
// #endregion program
