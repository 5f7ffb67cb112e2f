import { memoryStore, type Store } from '@ashlar/store';
import { expect, expectTypeOf, it } from 'vitest';
import { Job, type Lookup, Precompute } from '../src/index.ts';
import { Job as Alone } from '../src/scheduler.ts';
import { ending } from './support/site.ts';

interface Product {
  readonly id: string;
  readonly price: number;
}

/** A sink as somebody else would write it: a cache. */
class Products {
  readonly written: string[] = [];
  async set(key: string, value: Product): Promise<void> {
    this.written.push(`${key} ${value.price}`);
  }
}

it('is written as the contract says', async () => {
  const store: Store = ending(memoryStore());
  const product: Product = { id: '1', price: 5 };
  const products = new Products();
  const best = ending(
    new Precompute<string, Product>({
      name: 'best',
      schedule: '0 3 * * *',
      timeZone: 'Europe/Berlin',
      source: async function* () {
        yield ['1', product] as const;
      },
      store,
      sinks: [products],
    }),
  );
  await best.start();
  const value: Product | undefined = best.get('1').value;
  expect(value).toBeUndefined();
  const refreshed: object = await best.refresh({ signal: AbortSignal.timeout(30_000) });
  expect(refreshed).toMatchObject({ status: 'succeeded' });
  const found: Lookup<Product> = await best.load('1', {});
  expect(found).toMatchObject({ value: product, status: 'fresh', version: 1 });
  expect(products.written).toEqual(['1 5']);
});

it('knows the types of keys and values', () => {
  const store: Store = ending(memoryStore());
  const source = async function* ({ signal, token }: { signal: AbortSignal; token: bigint }) {
    expectTypeOf(token).toBeBigInt();
    signal.throwIfAborted();
    yield [7, { id: '7', price: 1 }] as const;
  };
  const best = new Precompute<number, Product>({
    name: 'best',
    schedule: { everyMs: 60_000 },
    source,
    store,
  });
  expectTypeOf(best.get).parameter(0).toBeNumber();
  expectTypeOf(best.get(7).value).toEqualTypeOf<Product | undefined>();
  expectTypeOf(best.pin().get(7).status).toEqualTypeOf<'fresh' | 'stale' | 'fallback' | 'missing'>();
  const options = { name: 'best', schedule: '* * * * *', source, store };
  // @ts-expect-error: runs that publish do not overlap
  expect(() => new Precompute({ ...options, overlap: 'allow' })).toThrow();
});

it('has the same job in the entry of the scheduler alone', () => {
  expect(Alone).toBe(Job);
});
