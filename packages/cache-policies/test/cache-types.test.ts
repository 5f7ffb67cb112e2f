import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  Cache,
  cacheAside,
  memoryTier,
  type RemoteTier,
  type TierSession,
  writeBehind,
  writeThrough,
  wTinyLfu,
} from '../src/index.ts';

interface Product {
  readonly id: string;
  readonly bytes: number;
}

const db = {
  load: async (id: string): Promise<Product> => ({ id, bytes: 1 }),
  saveAll: async (_batch: readonly unknown[]): Promise<void> => {},
};

/** A tier as somebody else would write it. */
class Mine implements RemoteTier {
  readonly name = 'mine';
  async get(): Promise<Uint8Array | undefined> {
    return undefined;
  }
  open(): TierSession {
    return memoryTier().open({ invalidated() {}, reset() {}, connection() {} });
  }
}

describe('types', () => {
  it('infer from the strategy and the load', async () => {
    await using products = new Cache<string, Product>({
      max: 64e6,
      eviction: wTinyLfu,
      weigh: (_key, product) => product.bytes,
      remote: new Mine(),
      load: id => db.load(id),
      write: writeBehind({ write: batch => db.saveAll(batch) }),
      ttlMs: 60_000,
      staleMs: 5_000,
    });
    expectTypeOf(await products.get('42', async id => db.load(id))).toEqualTypeOf<Product>();
    expectTypeOf(await products.get('42')).toEqualTypeOf<Product | undefined>();
    expectTypeOf(products.peek('42')).toEqualTypeOf<Product | undefined>();
    expectTypeOf(await products.getMany(['42'])).toEqualTypeOf<Map<string, Product>>();
    await products.flush();

    const sinks: readonly { set(key: string, value: Product): Promise<void> }[] = [products];
    expectTypeOf(sinks).not.toBeAny();

    await using byTenant = new Cache<{ readonly tenant: number; readonly id: string }, Product>({
      max: 1_000,
      remote: memoryTier(),
      keyOf: key => `${key.tenant}:${key.id}`,
      write: writeThrough({
        write: async (key, value) => {
          expectTypeOf(key).toEqualTypeOf<{ readonly tenant: number; readonly id: string }>();
          expectTypeOf(value).toEqualTypeOf<Product | undefined>();
        },
      }),
    });
    await byTenant.set({ tenant: 1, id: 'a' }, { id: 'a', bytes: 1 });

    const wrong = cacheAside<string, number>({ write: async () => {} });
    // @ts-expect-error the strategy writes numbers
    new Cache<string, string>({ max: 1, write: wrong });
    // @ts-expect-error there is no such option
    expect(() => new Cache<string, string>({ max: 1, maxAge: 5 })).toThrow('maxAge');
  });
});
