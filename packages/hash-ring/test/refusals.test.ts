import { type AshlarError, InvalidOptionError, describe as quoted } from '@ashlar/core';
import { describe, expect, it } from 'vitest';
import * as compat from '../src/compat/index.ts';
import { placementConformance } from '../src/conformance.ts';
import * as ring from '../src/index.ts';

type Make = (nodes?: unknown, options?: unknown) => ring.Placement | ring.BoundedLoad;
type Bad = readonly unknown[];

interface Entry {
  readonly make: Make;
  /** For each option values that it cannot have. */
  readonly options: Readonly<Record<string, Bad>>;
  /** For each field of a node values that it cannot have. */
  readonly fields: Readonly<Record<string, Bad>>;
}

const noNumber: Bad = ['2', null, Number.NaN, Number.POSITIVE_INFINITY, -1, [1], {}, 2n, true];
const noInteger: Bad = [...noNumber, 1.5, 0];
const noBoolean: Bad = ['no', null, 0, 1, {}];
const noText: Bad = ['', 5, null, {}, ['a'], Symbol('s')];
const noName: Bad = [...noText, '\ud800', 'a\udfff'];
const noChoice: Bad = ['sha1', 'toString', '', 5, null, ['md5']];
const noHash: Bad = ['md5', null, 5, {}, () => 0.5, () => 'x', () => undefined, () => 1n, class {}];
const noObject: Bad = [null, 'ab', 5, true, ['a'], () => 1];
const noList: Bad = [null, 'ab', '', 5, true, { id: 'a' }, {}, () => ['a']];
const noNode: Bad = [1, 2n, null, undefined, true, ['a'], () => 'a', Symbol('s')];
const noKey: Bad = [
  5,
  5n,
  null,
  undefined,
  {},
  ['a'],
  new Uint16Array(1),
  new ArrayBuffer(1),
  new Proxy(new Uint8Array(1), {}),
];
const noId: Bad = [5, null, undefined, { id: 'a' }, ['a']];
const noFunction: Bad = ['a', null, undefined, {}, true];
const noCount: Bad = ['3', null, undefined, Number.NaN, -1, 1.5, Number.POSITIVE_INFINITY, [3]];

const node = { id: noName, weight: noNumber, zone: noText.slice(1) };
const server = { ...node, weight: noInteger, down: noBoolean };
const construct =
  (type: unknown): Make =>
  (...args) =>
    new (type as new (...args: unknown[]) => ring.Placement)(...args);
const call = (factory: unknown) => factory as Make;

const entries: Readonly<Record<string, Entry>> = {
  HashRing: {
    make: construct(ring.HashRing),
    options: { vnodes: [...noInteger, 2 ** 25], hash: noHash },
    fields: node,
  },
  MaglevTable: {
    make: construct(ring.MaglevTable),
    options: { tableSize: [...noInteger, 100, 2 ** 27], hash: noHash },
    fields: node,
  },
  RendezvousHash: { make: construct(ring.RendezvousHash), options: { hash: noHash }, fields: node },
  JumpHash: { make: construct(ring.JumpHash), options: { hash: noHash }, fields: node },
  MementoHash: { make: construct(ring.MementoHash), options: { hash: noHash }, fields: node },
  nginxHash: { make: call(compat.nginxHash), options: { consistent: noBoolean }, fields: server },
  haproxyHash: {
    make: call(compat.haproxyHash),
    options: { hash: noChoice, avalanche: noBoolean },
    fields: { ...server, weight: [...noNumber, 1.5, 257], serverId: [...noInteger, 2 ** 31] },
  },
  haproxyBounded: {
    make: (nodes, options = { balanceFactor: 150 }) => call(compat.haproxyBounded)(nodes, options),
    options: { balanceFactor: [...noInteger, 100, 120.5], hash: noChoice, avalanche: noBoolean },
    fields: { ...server, weight: [...noNumber, 1.5, 257], serverId: [...noInteger, 2 ** 31] },
  },
  ketama: {
    make: call(compat.ketama),
    options: { weighted: noBoolean, hash: [...noChoice, 'hsieh'] },
    fields: { ...server, weight: [...noInteger, 2 ** 32] },
  },
  twemproxyHash: {
    make: call(compat.twemproxyHash),
    options: { hash: noChoice, distribution: noChoice, hashTag: [...noText, '{', '«»', '{}}'] },
    fields: { ...server, weight: [...noInteger, 2 ** 31], name: noName },
  },
  envoyRingHash: {
    make: call(compat.envoyRingHash),
    options: {
      minRingSize: [...noInteger, 8_388_609],
      maxRingSize: [...noInteger, 8_388_609],
      hash: [...noChoice, 'xx_hash'],
    },
    fields: { ...server, weight: [...noInteger, 2 ** 32], hashKey: noName },
  },
  envoyMaglev: {
    make: call(compat.envoyMaglev),
    options: { tableSize: [...noInteger, 8, 65536, 5_000_077] },
    fields: { ...server, weight: [...noInteger, 2 ** 32], hashKey: noName },
  },
  grpcRingHash: {
    make: call(compat.grpcRingHash),
    options: {
      minRingSize: noInteger,
      maxRingSize: noInteger,
      ringSizeCap: [...noInteger, 8_388_609],
      order: noChoice,
    },
    fields: { ...server, weight: [...noInteger, 2 ** 32], hashKey: noName },
  },
};

/** The error that a call throws; a bare `TypeError` or nothing at all fails. */
function refusal(attempt: () => unknown): InvalidOptionError {
  try {
    attempt();
  } catch (error) {
    if (error instanceof InvalidOptionError) return error;
    throw new Error(`threw ${String(error)}`, { cause: error });
  }
  throw new Error('was accepted');
}

function expectRefused(attempt: () => unknown, option: string, value: unknown): void {
  const error = refusal(attempt);
  expect(error.option).toBe(option);
  expect(error.message).toContain(`\`${option}\``);
  const isSaid = value === undefined || error.message.includes(quoted(value)) || typeof value === 'function';
  expect(isSaid, `${error.message} quotes ${quoted(value)}`).toBe(true);
}

/** As `weigth`, `weighT` and `weight_`. */
function slipsOf(name: string): string[] {
  const swapped = name.slice(0, -2) + name.at(-1) + name.at(-2);
  return [swapped, name.slice(0, -1) + name.at(-1)!.toUpperCase(), `${name}_`];
}

describe.each(Object.entries(entries))('%s refuses', (name, { make, options, fields }) => {
  it('what is no list of nodes', () => {
    for (const bad of noList) expectRefused(() => make(bad), 'nodes', bad);
    expect(refusal(() => make('ab')).message).toContain('write `["ab"]`');
    expect(refusal(() => make({ id: 'a' })).message).toContain('write `[node]`');
    expect(refusal(() => make({ vnodes: 5 })).message).toContain('options come second');
    expect(refusal(() => make({ a: 1, b: 2 })).message).toContain('write `[{ id, weight }]`');
  });

  it('what is no node', () => {
    for (const bad of noNode) expectRefused(() => make(['a', bad]), 'nodes[1]', bad);
    expect(refusal(() => make([1])).message).toContain("write `'1'`");
    expect(refusal(() => make([{}])).message).toContain('`nodes[0].id` is required');
    expect(() => make(['a', 'b', { id: 'a' }])).toThrow(ring.DuplicateNodeError);
  });

  it.each(Object.entries(fields))(
    'the field %s of a node, misspelled or with a wrong value',
    (field, values) => {
      for (const bad of values) {
        expectRefused(() => make([{ id: 'a', [field]: bad }]), `nodes[0].${field}`, bad);
      }
      if (field === 'id') return;
      for (const slip of slipsOf(field)) {
        const { message } = refusal(() => make([{ id: 'a' }, { id: 'b', [slip]: 1 }]));
        expect(message).toBe(`\`nodes[1]\` has no field \`${slip}\`; did you mean \`${field}\`?`);
      }
    },
  );

  it('options that are none, or unknown', () => {
    for (const bad of noObject) {
      const [said, names] = refusal(() => make(['a'], bad)).message.split('; it takes ');
      expect(said).toBe(`${name} takes an object of options, got ${quoted(bad)}`);
      expect(names?.split(', ').sort()).toEqual(Object.keys(options).sort());
    }
    const { message, option } = refusal(() => make(['a'], { nosuch: 1 }));
    expect([option, message]).toEqual([
      'nosuch',
      expect.stringContaining(`${name} has no option \`nosuch\``),
    ]);
  });

  it.each(Object.entries(options))('the option %s, misspelled or with a wrong value', (option, values) => {
    const others = name === 'haproxyBounded' ? { balanceFactor: 150 } : {};
    for (const bad of values) expectRefused(() => make(['a'], { ...others, [option]: bad }), option, bad);
    for (const slip of slipsOf(option)) {
      const { message } = refusal(() => make(['a'], { ...others, [slip]: 1 }));
      expect(message).toContain(`${name} has no option \`${slip}\``);
      expect(message).toContain(option);
    }
  });
});

describe('a node with fields of the caller’s own', () => {
  const endpoint = {
    id: 'a',
    url: 'http://a',
    region: 'eu',
    uid: 7,
    done: true,
    phone: '1',
    height: 3,
    load: 0,
  };

  it.each(Object.entries(entries))('is taken by %s', (_, { make }) => {
    const held = make([endpoint, Object.freeze({ ...endpoint, id: 'b', weight: 1, Weight: 9 })]);
    if ('size' in held) expect(held.size).toBe(2);
  });
});

/** Each method with the arguments that it cannot have: the option, the values, the call. */
type Method = readonly [option: string, values: Bad, call: (bad: never) => unknown];

const lookUps = (placement: ring.Placement): Record<string, Method[]> => ({
  get: [['key', noKey, bad => placement.get(bad)]],
  getN: [
    ['key', noKey, bad => placement.getN(bad, 1)],
    ['key', noKey, bad => placement.getN(bad, 0)],
    ['count', noCount, bad => placement.getN('key', bad)],
  ],
  find: [
    ['key', noKey, bad => placement.find(bad, () => true)],
    ['accept', noFunction, bad => placement.find('key', bad)],
  ],
  shareOf: [['id', noId, bad => placement.shareOf?.(bad)]],
});

const added = (placement: { add(node: never): void }): Method[] => [
  ['node', noNode, bad => placement.add(bad)],
  ['node.weight', noNumber, bad => placement.add({ id: 'n', weight: bad } as never)],
  ['node.wieght', [], bad => placement.add({ id: 'n', wieght: bad } as never)],
];

const aRing = new ring.HashRing(['a', 'b']);
const aRendezvous = new ring.RendezvousHash(['a', 'b']);
const aJump = new ring.JumpHash(['a', 'b']);
const aMemento = new ring.MementoHash(['a', 'b']);
const aBoundedLoad = new ring.BoundedLoad(aRing);
const aCustomRing = new ring.HashRing(['a', 'b'], { hash: key => key.length });

const even = { weights: true, orderFree: true, zones: true, minimalMovement: 'any', peakToAverage: 2 };
const conform = (options: object) =>
  placementConformance({ describe, it }, () => aRing, { name: 'x', features: even, ...options } as never);

const ids = (placement: object, names: readonly string[]): Record<string, Method[]> =>
  Object.fromEntries(
    names.map(name => [
      name,
      [['id', noId, bad => (placement as Record<string, (id: never) => void>)[name]!(bad)]],
    ]),
  );

const methods: Readonly<Record<string, Readonly<Record<string, readonly Method[]>>>> = {
  HashRing: {
    ...lookUps(aRing),
    ...ids(aRing, ['remove', 'has']),
    add: added(aRing),
    setWeight: [
      ['id', noId, bad => aRing.setWeight(bad, 1)],
      ['weight', [...noNumber, undefined], bad => aRing.setWeight('a', bad)],
    ],
    setDown: [
      ['id', noId, bad => aRing.setDown(bad, true)],
      ['down', [...noBoolean, undefined], bad => aRing.setDown('a', bad)],
    ],
    movesTo: [['next', [...noObject, undefined, {}, aJump, ['a']], bad => aRing.movesTo(bad)]],
  },
  'HashRing with a hash of its own': lookUps(aCustomRing),
  'HashRing without nodes': {
    find: lookUps(new ring.HashRing())['find']!,
    getN: lookUps(new ring.HashRing())['getN']!,
  },
  MaglevTable: { ...lookUps(new ring.MaglevTable(['a'])), ...ids(new ring.MaglevTable(['a']), ['has']) },
  RendezvousHash: {
    ...lookUps(aRendezvous),
    ...ids(aRendezvous, ['remove', 'has']),
    add: added(aRendezvous),
    setWeight: [
      ['id', noId, bad => aRendezvous.setWeight(bad, 1)],
      ['weight', [...noNumber, undefined], bad => aRendezvous.setWeight('a', bad)],
    ],
  },
  JumpHash: { ...lookUps(aJump), ...ids(aJump, ['has']), add: added(aJump) },
  MementoHash: { ...lookUps(aMemento), ...ids(aMemento, ['remove', 'has']), add: added(aMemento) },
  'MementoHash.restore': {
    restore: [
      ['state', [null, undefined, 'ab', '{}', 5], bad => ring.MementoHash.restore(bad)],
      ['state.nodes', ['ab', null, 5, {}], bad => ring.MementoHash.restore({ nodes: bad, removed: [] })],
      ['state.nodes[0]', [5, undefined], bad => ring.MementoHash.restore({ nodes: [bad], removed: [] })],
      ['state.removed', ['ab', null, 5, {}], bad => ring.MementoHash.restore({ nodes: [], removed: bad })],
      ['state.removed[0]', ['0', -1, null], bad => ring.MementoHash.restore({ nodes: [], removed: [bad] })],
      ['hash', noHash, bad => ring.MementoHash.restore(aMemento.state(), { hash: bad })],
    ],
  },
  BoundedLoad: {
    made: [
      ['placement', [...noObject, undefined, {}, ['a'], { get() {} }], bad => new ring.BoundedLoad(bad)],
      ['factor', [...noNumber, 1, 0], bad => new ring.BoundedLoad(aRing, { factor: bad })],
    ],
    ...ids(aBoundedLoad, ['loadOf', 'capacityOf']),
    acquire: [['key', noKey, bad => aBoundedLoad.acquire(bad)]],
  },
  haproxyBounded: {
    ...ids(compat.haproxyBounded(['a'], { balanceFactor: 150 }), ['loadOf', 'capacityOf']),
    acquire: [['key', noKey, bad => compat.haproxyBounded(['a'], { balanceFactor: 150 }).acquire(bad)]],
  },
  murmur3: {
    murmur3: [
      ['key', noKey, bad => ring.murmur3(bad)],
      ['seed', ['5', null, 1.5, Number.NaN, 5n], bad => ring.murmur3('a', bad)],
    ],
  },
  jumpHash: {
    jumpHash: [
      ['key64', ['1', null, undefined, 1.5, Number.NaN, 2 ** 53, {}], bad => compat.jumpHash(bad, 3)],
      ['buckets', [...noInteger, undefined, 2 ** 31], bad => compat.jumpHash(1, bad)],
    ],
  },
  redisSlot: { redisSlot: [['key', noKey, bad => compat.redisSlot(bad)]] },
  placementConformance: {
    placementConformance: [
      ['runner', [null, undefined, 'vitest', {}], bad => placementConformance(bad, () => aRing, {} as never)],
      ['place', noFunction, bad => placementConformance({ describe, it }, bad, {} as never)],
      ['name', noText, bad => placementConformance({ describe, it }, () => aRing, { name: bad } as never)],
      ...['weights', 'orderFree', 'zones'].map(
        (feature): Method => [
          `features.${feature}`,
          noBoolean,
          bad => conform({ features: { ...even, [feature]: bad } }),
        ],
      ),
      ['features.minimalMovement', noChoice, bad => conform({ features: { ...even, minimalMovement: bad } })],
      ['features.peakToAverage', noNumber, bad => conform({ features: { ...even, peakToAverage: bad } })],
      ['features.nosuch', [], bad => conform({ features: { ...even, nosuch: bad } })],
      ['skip', noObject.slice(0, 4), bad => conform({ skip: bad })],
      ['skip[0].test', noText, bad => conform({ skip: [{ test: bad, reason: 'r' }] })],
    ],
  },
  ...Object.fromEntries(
    Object.entries(entries)
      .filter(([name]) => name in compat && name !== 'haproxyBounded')
      .map(([name, { make }]) => [name, lookUps(make(['a', 'b']) as ring.Placement)]),
  ),
};

describe.each(Object.entries(methods))('%s refuses', (_, table) => {
  it.each(Object.entries(table))('wrong arguments of %s', (_, cases) => {
    for (const [option, values, attempt] of cases) {
      for (const bad of values) expectRefused(() => attempt(bad as never), option, bad);
    }
  });
});

describe('refusals', () => {
  it('are tried for every export, and for every method of it that takes arguments', () => {
    const parts = { ...ring, ...compat };
    const names = Object.keys(parts).filter(name => !name.endsWith('Error'));
    expect(names.filter(name => !(name in entries) && !(name in methods))).toEqual([]);
    for (const [name, part] of Object.entries(parts)) {
      if (name.endsWith('Error')) continue;
      for (let type = part.prototype; type && type !== Object.prototype; type = Object.getPrototypeOf(type)) {
        for (const [method, { value }] of Object.entries(Object.getOwnPropertyDescriptors(type))) {
          if (method === 'constructor' || typeof value !== 'function' || value.length === 0) continue;
          expect(Object.keys(methods[name]!), name).toContain(method);
        }
      }
    }
  });

  it('leave everything as it was', () => {
    expect(aRing.nodes()).toEqual([
      { id: 'a', weight: 1 },
      { id: 'b', weight: 1 },
    ]);
    expect([aBoundedLoad.total, aJump.size, aMemento.size, aRendezvous.size]).toEqual([0, 2, 2, 2]);
  });

  it('say what to write', () => {
    const said: [() => unknown, string][] = [
      [() => aRing.get(5 as never), "`key` must be a string or a Uint8Array, got 5 (number); write `'5'`"],
      [() => aRing.remove({ id: 'a' } as never), 'got an object with id; write `node.id`'],
      [
        () => aRing.add({ id: 'c', wieght: 2 } as never),
        '`node` has no field `wieght`; did you mean `weight`?',
      ],
      ...[aRing, aRendezvous, aMemento, aJump].map((placement): [() => unknown, string] => [
        () => (placement.add as (...values: unknown[]) => void).call(placement, 'q', { weight: 2 }),
        'add takes one argument, got 2; write `add({ id, weight, zone })`',
      ]),
      [() => new ring.RendezvousHash(['a'], { hash: ring.HashRing as never }), 'got the class HashRing'],
      [
        () => new ring.MaglevTable(['a'], { tableSize: 100 }),
        '`tableSize` must be a prime number, got 100 (number); write 101',
      ],
      [() => new ring.MaglevTable(['a'], { tableSize: 2 ** 26 }), 'write 67108859'],
      [() => new ring.BoundedLoad(['a'] as never), 'got an array; write `new HashRing(nodes)`'],
      [() => ring.MementoHash.restore('{}' as never), 'write `MementoHash.restore(JSON.parse(text))`'],
      [() => compat.jumpHash('a' as never, 2), 'hash the text first: `jumpHash(murmur3(text), buckets)`'],
      [() => compat.haproxyBounded(['a'], {} as never), '`balanceFactor` is required'],
    ];
    for (const [attempt, message] of said) expect(refusal(attempt).message).toContain(message);
  });

  it('keep what a hash of the caller’s threw', () => {
    const cause = new RangeError('no');
    const hash = () => {
      throw cause;
    };
    expect(refusal(() => new ring.HashRing([], { hash }))).toMatchObject({ option: 'hash', cause });
  });

  it('of other kinds have codes of this package', () => {
    const errors = [
      new ring.EmptyPlacementError(),
      new ring.DuplicateNodeError('a'),
      new ring.UnknownNodeError('a'),
    ] satisfies AshlarError[];
    expect(errors.map(({ code, retryable }) => [code, retryable])).toEqual([
      ['ASHLAR_HASH_RING_EMPTY_PLACEMENT', false],
      ['ASHLAR_HASH_RING_DUPLICATE_NODE', false],
      ['ASHLAR_HASH_RING_UNKNOWN_NODE', false],
    ]);
  });
});
