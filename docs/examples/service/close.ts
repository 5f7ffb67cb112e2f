// #region program
import { Cache } from '@ashlar/cache-policies';

await using products = new Cache<string, string>({ max: 10_000, load: async id => `product ${id}` });
console.log(await products.get('42')); // product 42
// #endregion program
