// #region program
import { Cache } from '@ashlar/cache-policies';

const products = new Cache<string, { name: string }>({
  max: 10_000,
  ttlMs: 60_000,
  staleMs: 5_000, // then served at once, while it is loaded anew
  load: async id => ({ name: `product ${id}` }), // your database
});

const [one, other] = await Promise.all([products.get('42'), products.get('42')]);
console.log(one?.name, one === other); // product 42 true
console.log(products.snapshot().loads); // 1
// #endregion program
await products.close();
