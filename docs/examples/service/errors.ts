// #region program
import { Cache, LoadError } from '@ashlar/cache-policies';
import { AshlarError, InvalidOptionError } from '@ashlar/core';

const load = async (id: string): Promise<string> => {
  throw new Error(`there is no row ${id}`);
};
await using products = new Cache<string, string>({ max: 10_000, load });
try {
  await products.get('42');
} catch (error) {
  if (error instanceof LoadError) console.log(`${error.cause}`); // Error: there is no row 42
  if (error instanceof AshlarError) console.log(error.code, error.retryable); // ASHLAR_CACHE_POLICIES_LOAD true
}
try {
  new Cache({ max: '10' as never });
} catch (error) {
  if (error instanceof InvalidOptionError) console.log(error.message); // `max` must be an integer of at least 1, got "10"
}
// #endregion program
