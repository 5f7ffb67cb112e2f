import { describe, expect, it } from 'vitest';
import { compressed } from '../../src/adapters/compressed.ts';
import { structuredSerializer } from '../../src/adapters/structured.ts';
import { jsonSerializer, memoryTier, SerializeError, type Serializer } from '../../src/index.ts';
import { manualCache, settle } from '../support/caches.ts';

class Money {
  readonly cents: number;
  constructor(cents: number) {
    this.cents = cents;
  }
  get euros(): number {
    return this.cents / 100;
  }
}

const circle: Record<string, unknown> = { name: 'circle' };
circle['self'] = circle;

/** Kept by both. */
const plain: readonly unknown[] = [
  'text',
  '',
  0,
  -1.5,
  false,
  null,
  [],
  {},
  [[1], { a: [null] }],
  { a: 'ü😀' },
];
/** Kept by the structured clone alone. */
const structured: readonly unknown[] = [
  new Date(0),
  { at: new Date(1) },
  new Map([['a', new Set([1])]]),
  Number.NaN,
  [Number.POSITIVE_INFINITY],
  1n,
  { big: [2n] },
  [1, undefined],
  /a+/giu,
  Buffer.from('bytes'),
  new Uint8Array([1, 2]),
  new Float64Array([1.5]),
  new Uint8Array([1, 2]).buffer,
  circle,
];
/** Kept by none. */
const lost: readonly unknown[] = [
  () => 1,
  { f() {} },
  Symbol('s'),
  new Money(100),
  new Map([['price', new Money(100)]]),
  new Error('no'),
  new URL('http://a/'),
  Object(1),
  new WeakMap(),
];

const serializers: readonly (readonly [string, Serializer<unknown>, boolean])[] = [
  ['jsonSerializer', jsonSerializer(), false],
  ['structuredSerializer', structuredSerializer(), true],
  ['compressed(jsonSerializer)', compressed(jsonSerializer(), { overBytes: 0 }), false],
  ['compressed(structuredSerializer)', compressed(structuredSerializer(), { overBytes: 0 }), true],
];

describe.each(serializers)('%s', (_, serializer, isStructured) => {
  /** What another process finds of a value that this one loads. */
  async function shared(value: unknown) {
    const remote = memoryTier();
    const load = async () => value;
    const { cache } = manualCache<string, unknown>({ remote, serializer, load });
    const { cache: other } = manualCache<string, unknown>({ remote, serializer });
    expect(await cache.get('a')).toBe(value);
    await expect.poll(() => remote.snapshot().leases, { interval: 1 }).toBe(0);
    await settle();
    return { found: await other.get('a'), failures: cache.snapshot().remote!.failures, cache };
  }

  it.each([...plain, ...(isStructured ? structured : [])])('shares a value as it is: %#', async value => {
    const { found, failures } = await shared(value);
    expect(found).toStrictEqual(value);
    expect(failures).toBe(0);
  });

  it.each([...lost, ...(isStructured ? [] : structured)])(
    'shares nothing of a value that it would change, and counts it: %#',
    async value => {
      const { found, failures, cache } = await shared(value);
      expect(found).toBeUndefined();
      expect(failures).toBe(1);
      const error = await cache.set('b', value).then(
        () => undefined,
        ({ cause }: Error) => cause,
      );
      expect(error).toBeInstanceOf(SerializeError);
      expect(cache.snapshot()).toMatchObject({ writeFailures: 1, remote: { failures: 2 } });
    },
  );
});

it('a value that is changed after it was read does not change what is shared', async () => {
  const remote = memoryTier();
  const serializer = structuredSerializer<Buffer>();
  const options = { remote, serializer };
  await manualCache<string, Buffer>(options).cache.set('a', Buffer.from('kept'));
  const { cache } = manualCache<string, Buffer>(options);
  (await cache.get('a'))!.fill(0);
  expect(await manualCache<string, Buffer>(options).cache.get('a')).toEqual(Buffer.from('kept'));
});
