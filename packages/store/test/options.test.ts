import { Socket } from 'node:net';
import { AshlarError } from '@ashlar/core';
import { Cluster, Redis } from 'ioredis';
import pg from 'pg';
import { expect, it } from 'vitest';
import { fencedUpdate, postgresStore, postgresTable, sqlFence } from '../src/adapters/postgres.ts';
import { fencedSet, redisStore } from '../src/adapters/redis.ts';
import { Commands, clientLike, Link, script } from '../src/adapters/redis-connection.ts';
import { storeConformance } from '../src/conformance.ts';
import {
  BackendStore,
  Fence,
  follow,
  fromJson,
  getJson,
  isStale,
  Lease,
  memoryStore,
  oncePer,
  setJson,
  toJson,
  withLease,
} from '../src/index.ts';
import { bytes } from './support/bytes.ts';
import { ending } from './support/stores.ts';

/** Calls of every entry that are wrong in one way, each with what its message must contain. */
type Wrong = readonly [
  call: (wrong: never) => unknown,
  cases: readonly (readonly [value: unknown, message: string])[],
];

const token = { token: 1n, holder: 'a' };
const { signal } = new AbortController();
const ttlMs = 1_000;
const work = async () => {};
const lazy = () => new Redis({ lazyConnect: true });
const notAnObject = (where: string) =>
  [
    [null, `${where} takes an object of options, got null`],
    ['text', `${where} takes an object of options, got "text"`],
    [[], `${where} takes an object of options, got an array`],
  ] as const;

function wrongs(): Record<string, Wrong> {
  const store = ending(memoryStore());
  const pool = new pg.Pool({ max: 2 });
  const redis = lazy();
  const fail = () => new Error();
  const linkOptions = {
    connectTimeoutMs: 5,
    errors: { timedOut: fail, unavailable: fail, refused: fail, closed: fail },
    make: () => clientLike(redis, { connectionName: 'mine', connectTimeoutMs: 5 }),
  };
  const link = new Link(linkOptions);
  link.abort();
  return {
    memoryStore: [
      options => memoryStore(options),
      [
        ...notAnObject('memoryStore'),
        [{ clok: 1 }, 'has no option `clok`; did you mean `clock`?'],
        [{ name: '' }, '`name` must be a string that is not empty, got ""'],
        [{ clock: Date }, '`clock` must be an object with now(), sleep()'],
        [{ timeoutMs: 5 }, 'memoryStore without a port has no option `timeoutMs`'],
        [{ port: undefined }, '`port` is required: write `memoryStore({ port: store.connect() })`'],
        [{ port: 5 }, '`port` must be an object with postMessage()'],
        [
          { port: new MessageChannel().port1, timeoutMs: '5' },
          '`timeoutMs` must be a number of milliseconds above 0, got "5"',
        ],
        [{ port: new MessageChannel().port1, clock: {} }, 'memoryStore with a port has no option `clock`'],
      ],
    ],
    redisStore: [
      options => redisStore(options),
      [
        ...notAnObject('redisStore'),
        [{}, "`redis` is required: write `new Redis('redis://…')`"],
        [
          { redis: 'redis://:secret@localhost' },
          "got \"redis://…@localhost\"; write `new Redis('redis://…@localhost')`, with `import { Redis } from 'ioredis'`",
        ],
        [{ redis: { host: 'localhost' } }, "got an object with host; write `new Redis('redis://…')`"],
        [{ redis: null }, '`redis` must be an object with duplicate(), got null'],
        [{ redis, prefx: 'a' }, 'did you mean `prefix`?'],
        [
          { redis, prefix: 'a{b}' },
          '`prefix` must be a string of 1 to 200 characters without braces, got "a{b}"',
        ],
        [{ redis, prefix: null }, '`prefix` must be a string'],
        [
          { redis, timeoutMs: 3e9 },
          '`timeoutMs` must be a number of milliseconds above 0 and at most 2147483647',
        ],
        [{ redis, allowEviction: 'yes' }, '`allowEviction` must be true or false, got "yes"'],
        [{ redis, name: 5 }, '`name` must be a string that is not empty, got 5 (number)'],
      ],
    ],
    clientLike: [
      options => clientLike(redis, options),
      [
        ...notAnObject('clientLike'),
        [{ connectTimeoutMs: 5 }, '`connectionName` is required'],
        [
          { connectionName: 'mine', connectTimeoutMs: '5' },
          '`connectTimeoutMs` must be a number of milliseconds',
        ],
        [
          { connectionNme: 'mine' },
          'clientLike has no option `connectionNme`; did you mean `connectionName`?',
        ],
      ],
    ],
    Link: [
      options => new Link(options).abort(),
      [
        ...notAnObject('Link'),
        [{}, '`connectTimeoutMs` is required'],
        [{ ...linkOptions, errors: undefined }, '`errors` is required'],
        [{ ...linkOptions, errors: {} }, '`errors` must be an object with timedOut(), unavailable()'],
        [{ ...linkOptions, make: undefined }, '`make` is required'],
        [{ ...linkOptions, make: redis }, '`make` must be a function, got an EventEmitter'],
        [{ ...linkOptions, make: () => redis.options }, '`make` must return a client, as `clientLike` does'],
        [{ ...linkOptions, checkAgainMs: '5' }, '`checkAgainMs` must be a number of milliseconds'],
        [{ ...linkOptions, conected() {} }, 'did you mean `connected`?'],
      ],
    ],
    Commands: [
      (args: readonly [never, never]) => new Commands(...args),
      [
        [[undefined, 5], '`link` is required'],
        [[redis, 5], '`link` must be an object with close(), abort(), call(), got an EventEmitter'],
        [[link, '5'], '`timeoutMs` must be a number of milliseconds'],
        [[link, undefined], '`timeoutMs` is required'],
      ],
    ],
    script: [
      (args: readonly [never, never]) => script(...args),
      [
        [['1', 'return 1'], '`keys` must be an integer of at least 0, got "1"'],
        [[1], '`source` is required'],
        [[1, ''], '`source` must be a string that is not empty'],
      ],
    ],
    postgresStore: [
      options => postgresStore(options),
      [
        ...notAnObject('postgresStore'),
        [{}, "`pool` is required: write `new pg.Pool({ connectionString: 'postgres://…' })`"],
        [
          { pool: 'postgres://me:secret@localhost/shop' },
          'got "postgres://…@localhost/shop"; write `new pg.Pool({ connectionString: \'postgres://…@localhost/shop\' })`',
        ],
        [{ pool: new pg.Client() }, '`pool` must be a Pool of pg, got a Client; write `new pg.Pool('],
        [{ pool: null }, '`pool` must be an object with connect(), got null'],
        [{ pool: redis }, '`pool` must be a Pool of pg, got an EventEmitter; write `new pg.Pool('],
        [
          { pool: new Cluster([], { lazyConnect: true }) },
          '`pool` must be a Pool of pg, got an EventEmitter',
        ],
        [{ pool: new Socket() }, '`pool` must be a Pool of pg, got a Socket'],
        [{ pool, watchPool: redis }, '`watchPool` must be a Pool of pg, got an EventEmitter'],
        [{ pool: new pg.Pool({ max: 1 }) }, '`pool` has room for 1 connection, which a watch keeps'],
        [{ pool, watchPool: 'x' }, '`watchPool` must be a Pool of pg, got "x"'],
        [{ pool, tabel: 'x' }, 'did you mean `table`?'],
        [{ pool, table: 'a.b.c' }, '`table` must be a name or schema.name'],
        [{ pool, table: ['a', 'b'] }, '`table` must be a name or schema.name'],
        [
          { pool, durability: 'process' },
          '`durability` must be "linearizable" or "asynchronous", got "process"',
        ],
        [{ pool, prepare: 1 }, '`prepare` must be true or false, got 1 (number)'],
      ],
    ],
    postgresTable: [
      name => postgresTable(name),
      [
        [null, '`table` must be a name or schema.name'],
        [5, 'got 5'],
      ],
    ],
    BackendStore: [
      backend => new BackendStore('mine', backend),
      [
        [null, '`backend` must be an object with read(), write()'],
        [{ read() {} }, 'write an object with the methods of `Backend`'],
        [undefined, '`backend` is required'],
      ],
    ],
    'BackendStore, name': [
      name => new BackendStore(name, {} as never),
      [
        [null, '`name` must be a string'],
        ['', '`name`'],
      ],
    ],
    get: [
      key => store.get(key),
      [
        [undefined, '`key` must be a string, got undefined'],
        [5, '`key` must be a string, got 5'],
        [['a'], 'got an array'],
      ],
    ],
    getMany: [
      keys => store.getMany(keys),
      [
        ['ab', '`keys` must be an array of strings, got "ab"; write `getMany([key, …])`'],
        [null, '`keys` must be an array of strings, got null'],
        [['a', 5], '`key` must be a string, got 5'],
      ],
    ],
    'set, value': [
      value => store.set('key', value),
      [
        ['text', '`value` must be a Uint8Array, got "text"; write `toJson(value)` for JSON'],
        [null, '`value` must be a Uint8Array, got null'],
      ],
    ],
    set: [
      options => store.set('key', bytes(''), options),
      [
        ...notAnObject('set'),
        [{ ttl: 5 }, 'set has no option `ttl`'],
        [
          { ttlMs: '5' },
          '`ttlMs` must be a number of milliseconds above 0 and at most 3155760000000, got "5"',
        ],
        [
          { ifVersion: 5 },
          "`ifVersion` must be a string, got 5 (number); write the `version` of an entry, or 'absent'",
        ],
        [{ ifVersion: null }, '`ifVersion` must be a string, got null'],
      ],
    ],
    'setMany, entries': [
      entries => store.setMany(entries),
      [
        [
          { a: bytes('') },
          '`entries` must be an iterable of [key, value], got an object with a; write `[[key, value], …]`',
        ],
        ['ab', '`entries` must be an iterable of [key, value], got "ab"'],
        [null, 'got null'],
        [['ab'], '`entries` must be an iterable of [key, value], got "ab"'],
        [[['a', 'b']], '`value` must be a Uint8Array, got "b"'],
      ],
    ],
    setMany: [
      options => store.setMany([], options),
      [...notAnObject('setMany'), [{ ifVersion: 'x' }, 'setMany has no option `ifVersion`']],
    ],
    delete: [
      options => store.delete('key', options),
      [...notAnObject('delete'), [{ version: 'x' }, 'did you mean `ifVersion`?']],
    ],
    list: [
      prefix => store.list(prefix),
      [
        [null, '`prefix` must be a string, got null'],
        [{ prefix: '' }, '`prefix` must be a string'],
      ],
    ],
    watch: [
      options => store.watch('', options),
      [
        ...notAnObject('watch'),
        [{}, '`signal` is required: write `{ signal: controller.signal }`'],
        [{ signal: 5 }, '`signal` must be an AbortSignal, got 5'],
        [{ signal, prefix: 'x' }, 'watch has no option `prefix`'],
      ],
    ],
    'claim, ttlMs': [
      ttlMs => store.claim('name', 'holder', ttlMs),
      [
        [
          { ttlMs },
          '`ttlMs` must be a number of milliseconds above 0 and at most 3155760000000, got an object with ttlMs',
        ],
        [undefined, '`ttlMs` is required'],
      ],
    ],
    claim: [
      options => store.claim('name', 'holder', ttlMs, options),
      [
        ...notAnObject('claim'),
        [{ over: 1n }, 'claim has no option `over`'],
        [{ above: 5 }, '`above` must be a bigint from 0 to below 9007199254740990, got 5 (number)'],
        [{ above: 2n ** 53n - 3n }, "`above` must be at most a day ahead of the store's clock"],
      ],
    ],
    'claim, holder': [
      holder => store.claim('name', holder, ttlMs),
      [[null, '`holder` must be a string, got null']],
    ],
    release: [
      token => store.release('name', token),
      [
        [5, '`token` must be a bigint'],
        [null, '`token` must be a bigint'],
        [undefined, '`token` is required'],
      ],
    ],
    'Lease.acquire': [
      options => Lease.acquire(store, 'name', options),
      [
        ...notAnObject('Lease.acquire'),
        [undefined, 'Lease.acquire takes an object of options, got undefined'],
        [{}, '`ttlMs` is required'],
        [{ ttlMs, ttl: 5 }, 'Lease.acquire has no option `ttl`'],
        [{ ttlMs, signal: {} }, '`signal` must be an AbortSignal'],
        [{ ttlMs, retryMs: 0 }, '`retryMs` must be a number of milliseconds above 0, got 0'],
        [{ ttlMs, clock: null }, '`clock` must be an object with now(), sleep(), got null'],
        [{ ttlMs, random: 5 }, '`random` must be a function, got 5'],
      ],
    ],
    'Lease.acquire, store': [
      store => Lease.acquire(store, 'name', { ttlMs }),
      [
        [null, '`store` must be an object with get()'],
        ['redis://', 'write `memoryStore()`'],
      ],
    ],
    'Lease.tryAcquire': [
      options => Lease.tryAcquire(store, 'name', options),
      [...notAnObject('Lease.tryAcquire'), [{ ttlMs, signal }, 'Lease.tryAcquire has no option `signal`']],
    ],
    withLease: [
      options => withLease(store, 'name', options, work),
      [...notAnObject('withLease'), [{ ttlMs, key: 'x' }, 'withLease has no option `key`']],
    ],
    'withLease, without options': [
      options => withLease(store, 'name', options, undefined as never),
      [[work, 'withLease takes an object of options, got a function; it takes ttlMs']],
    ],
    'withLease, work': [
      work => withLease(store, 'name', { ttlMs }, work),
      [
        [undefined, '`work` is required'],
        ['text', '`work` must be a function, got "text"; write `async lease => …`'],
      ],
    ],
    oncePer: [
      options => oncePer(store, 'name', options, work),
      [
        ...notAnObject('oncePer'),
        [
          { ttlMs },
          '`periodMs` must be one of `periodMs` and `key`, got undefined; write `periodMs: 3_600_000`',
        ],
        [{ ttlMs, key: 'x', periodMs: 5 }, '`key` must be one of `periodMs` and `key`, got "x"'],
        [{ ttlMs, periodMs: 5, keepMs: 5 }, '`keepMs` must be absent without `key`, got 5'],
        [{ ttlMs, period: 5 }, 'did you mean `periodMs`?'],
        [{ periodMs: 5 }, '`ttlMs` is required'],
        [{ ttlMs, key: 5 }, '`key` must be a string that is not empty, got 5'],
      ],
    ],
    follow: [
      options => follow(store, '', options),
      [
        ...notAnObject('follow'),
        [{}, '`signal` is required'],
        [{ signal, sgnal: 5 }, 'did you mean `signal`?'],
      ],
    ],
    'follow, store': [
      store => follow(store, '', { signal }),
      [
        [null, '`store` must be an object'],
        [{}, '`store` must be an object'],
      ],
    ],
    'follow, prefix': [
      prefix => follow(store, prefix, { signal }),
      [[null, '`prefix` must be a string, got null']],
    ],
    Fence: [
      resource => new Fence(resource),
      [
        [null, '`resource` must be a string'],
        [{ name: 'x' }, '`resource` must be a string'],
      ],
    ],
    'Fence.admit': [
      lease => new Fence().admit(lease),
      [
        [undefined, '`lease` is required: pass the Lease, or `{ token, holder }`'],
        [5n, '`lease` must be an object, got 5 (bigint); pass the Lease, or `{ token, holder }`'],
        [{ token: 5, holder: 'a' }, '`lease.token` must be a bigint, got 5 (number)'],
        [{ token: 5n }, '`lease.holder` must be a string, got undefined'],
      ],
    ],
    isStale: [
      seen => isStale(token, seen),
      [
        [null, '`seen` must be an object, got null'],
        [{ token: 1 }, '`seen.token` must be a bigint'],
      ],
    ],
    fencedSet: [
      value => fencedSet(redis, 'key', value, token),
      [
        [5, '`value` must be a string or a Uint8Array, got 5'],
        [{ a: 1 }, 'write `JSON.stringify(value)`'],
      ],
    ],
    'fencedSet, redis': [
      redis => fencedSet(redis, 'key', '', token),
      [
        ['redis://localhost', "write `new Redis('redis://localhost')`"],
        [null, '`redis` must be an object with call()'],
      ],
    ],
    'fencedSet, lease': [
      lease => fencedSet(redis, 'key', '', lease),
      [
        [5n, '`lease` must be an object'],
        [null, '`lease` must be an object'],
      ],
    ],
    'fencedSet, key': [key => fencedSet(redis, key, '', token), [[null, '`key` must be a string, got null']]],
    sqlFence: [
      options => sqlFence(token, options),
      [
        ...notAnObject('sqlFence'),
        [{}, '`from` is required'],
        [{ from: 0 }, '`from` must be an integer of at least 1 and at most 65534, got 0'],
        [{ from: 1, columns: { tokn: 'x' } }, 'did you mean `token`?'],
        [{ from: 1, columns: { token: 5 } }, '`columns.token` must be a string that is not empty, got 5'],
        [{ from: 1, table: null }, '`table` must be a string'],
      ],
    ],
    fencedUpdate: [
      row => fencedUpdate(pool, row, token),
      [
        ...notAnObject('fencedUpdate'),
        [{ key: { id: 1 }, set: {} }, '`table` is required'],
        [{ table: 'a', key: {}, set: {} }, '`key` names no column; write `{ column: value }`'],
        [{ table: 'a', key: 5, set: {} }, '`key` must be an object, got 5'],
        [{ table: 'a', key: { id: 1 } }, '`set` is required'],
        [{ table: 'a', key: { id: 1 }, sets: {} }, 'did you mean `set`?'],
      ],
    ],
    'fencedUpdate, client': [
      client => fencedUpdate(client, {} as never, token),
      [['postgres://', '`client` must be an object with query()']],
    ],
    toJson: [
      value => toJson(value),
      [
        [undefined, '`value` cannot be written as JSON: JSON does not keep undefined'],
        [5n, '`value` cannot be written as JSON: JSON does not keep 5 (bigint)'],
        [{ at: [new Date()] }, '`value` cannot be written as JSON: JSON does not keep a Date at 0 at "at"'],
        [new Map(), '`value` cannot be written as JSON: JSON does not keep a Map'],
        [Number.NaN, '`value` cannot be written as JSON: JSON does not keep NaN (number)'],
      ],
    ],
    fromJson: [
      entry => fromJson(entry),
      [
        [undefined, '`entry` is required'],
        [null, '`entry` must be an object, got null'],
        [{ value: '{}' }, '`entry.value` must be a Uint8Array, got "{}"'],
      ],
    ],
    getJson: [
      store => getJson(store, 'key'),
      [
        [null, '`store` must be an object'],
        ['key', '`store` must be an object'],
      ],
    ],
    'setJson, store': [store => setJson(store, 'key', 1), [[null, '`store` must be an object']]],
    setJson: [
      options => setJson(store, 'key', 1, options),
      [...notAnObject('set'), [{ ttlMS: 5 }, 'did you mean `ttlMs`?']],
    ],
    storeConformance: [
      options => storeConformance({ describe() {}, it } as never, async () => ({}) as never, options),
      [
        ...notAnObject('storeConformance'),
        [{}, '`name` is required'],
        [{ name: 'x', features: { other: true } }, 'did you mean `others`?'],
        [{ name: 'x', skip: 'list' }, '`skip` must be an array, got "list"'],
        [{ name: 'x', skip: [{ test: 'a' }] }, '`skip[0].reason` is required'],
      ],
    ],
    'storeConformance, runner': [
      runner => storeConformance(runner, async () => ({}) as never, { name: 'x' }),
      [[null, '`runner` must be an object with describe(), it()']],
    ],
    'storeConformance, subject': [
      make => storeConformance({ describe() {}, it } as never, make, { name: 'x' }),
      [[memoryStore(), '`makeSubject` must be a function']],
    ],
  };
}

it('refuses what is misspelled, of a wrong type, null or a string for a list, and says what to write', async () => {
  for (const [entry, [call, cases]] of Object.entries(wrongs())) {
    for (const [value, message] of cases) {
      const about = `${entry} with ${message}`;
      const error: unknown = await Promise.resolve()
        .then(() => call(value as never))
        .then(
          () => undefined,
          (reason: unknown) => reason,
        );
      expect.soft(error, about).toBeInstanceOf(AshlarError);
      expect.soft((error as Error).message, about).toContain(message);
      expect.soft(error, about).toMatchObject({ retryable: false });
    }
  }
});

it('refuses it at the call, not later', () => {
  const store = ending(memoryStore());
  for (const call of [
    () => store.list(null as never),
    () => store.watch('', null as never),
    () => follow(store, '', null as never),
    () => redisStore({ redis: 'redis://localhost' as never }),
    () => postgresStore({ pool: 'postgres://localhost' as never }),
  ]) {
    expect(call).toThrow(AshlarError);
  }
});
