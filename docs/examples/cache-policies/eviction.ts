// #region program
import { sieve, wTinyLfu } from '@ashlar/cache-policies';

const byCount = sieve<string, number>({ max: 2 });
byCount.set('a', 1).set('b', 2).get('a');
byCount.set('c', 3);
console.log([...byCount].map(([key]) => key).sort()); // [ 'a', 'c' ]

const byWeight = wTinyLfu<string, Uint8Array>({
  max: 64e6, // bytes, as weigh says
  weigh: (key, value) => key.length + value.byteLength,
  onEvict: (key, _value, reason) => {
    console.log(key, reason); // page deleted
  },
});
byWeight.set('page', new Uint8Array(1_000)).delete('page');
// #endregion program
