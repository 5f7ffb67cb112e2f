// #region program
import { Cache } from '@ashlar/cache-policies';

const products = new Cache({ max: 10_000, load: async id => `product ${id}` });
try {
  console.log(await products.get('42')); // product 42
} finally {
  await products.close();
}
// #endregion program
