import type { Store } from '@ashlar/store';
import { Precompute } from '../src/index.ts';

export interface Product {
  readonly id: number;
  readonly title: string;
  readonly price: number;
}

export const keyOf = (i: number): string => `product:${i}`;
export const product = (i: number): Product => ({ id: i, title: 'The art of stone cutting', price: i * 3 });

/** Built only when it is asked for. */
export function products(
  store: Store,
  entries: number,
  options: { readonly snapshot?: 'plain' | 'shared'; readonly hotKeys?: number } = {},
): Precompute<string, Product> {
  return new Precompute<string, Product>({
    name: `products ${entries}`,
    schedule: '0 0 1 1 *',
    store,
    source: async function* () {
      for (let i = 0; i < entries; i++) yield [keyOf(i), product(i)] as const;
    },
    ...options,
  });
}

/** Other numbers each time, the same ones in every run. */
export function indexes(count: number, below: number): number[] {
  let state = 1;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % below;
  });
}
