// #region program
import { type Eviction, lru, opt, s3fifo } from '@ashlar/cache-policies';

// a page of 100 products that are looked at again and again, and one that nobody asks for twice after each
const requests = Array.from({ length: 20_000 }, (_, i) => (i % 2 === 0 ? (i / 2) % 100 : 1_000 + i));

const hits = (eviction: Eviction) => {
  const cache = eviction<number, string>({ max: 150 });
  return requests.filter(id => cache.get(id) !== undefined || !cache.set(id, 'a page')).length;
};
console.log('lru', hits(lru)); // lru 0
console.log('s3fifo', hits(s3fifo)); // s3fifo 9800
console.log('at best', opt(requests, 150)); // at best 9900
// #endregion program
