import type { Random } from '@ashlar/core';

export interface Product {
  readonly key: string;
  readonly name: string;
  readonly cents: number;
}

/** Where products come from when a replica does not have them. */
export interface Database {
  load(key: string): Promise<Product>;
}

const adjectives = ['Oak', 'Linen', 'Copper', 'Felt', 'Walnut', 'Slate', 'Wool', 'Brass', 'Birch', 'Glass'];
const things = [
  'Stool',
  'Lamp',
  'Kettle',
  'Shelf',
  'Basket',
  'Mirror',
  'Bowl',
  'Chair',
  'Clock',
  'Vase',
  'Tray',
];

export interface SimulatedDatabaseOptions {
  /** What a load takes on average; it varies by half of it to both sides. */
  readonly loadMs: number;
  readonly random: Random;
  sleep(ms: number): Promise<void>;
}

/** Has every product. A key always names the same one. */
export function simulatedDatabase({ loadMs, random, sleep }: SimulatedDatabaseOptions): Database {
  return {
    async load(key) {
      if (loadMs > 0) await sleep(loadMs * (0.5 + random()));
      return productOf(key);
    },
  };
}

/** The product that a key names. */
export function productOf(key: string): Product {
  let number = 7;
  for (const character of key) number = (Math.imul(number, 31) + character.codePointAt(0)!) >>> 0;
  const adjective = adjectives[number % adjectives.length];
  const thing = things[Math.floor(number / adjectives.length) % things.length];
  return { key, name: `${adjective} ${thing}`, cents: 500 + (number % 20_000) };
}
