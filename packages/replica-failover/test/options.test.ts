import { inspect } from 'node:util';
import { memoryStore } from '@ashlar/store';
import { Redis } from 'ioredis';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { postgresServers } from '../src/adapters/postgres.ts';
import { redisServers } from '../src/adapters/redis.ts';
import { patroni } from '../src/authorities/patroni.ts';
import { leading, memoryCluster, ReplicaSet } from '../src/index.ts';

const theSame = new pg.Client();
const servers = memoryCluster().servers();

describe('options', () => {
  it.each([
    [{}, '`servers` is required: write `memoryCluster().servers()`, or `postgresServers({ … })`'],
    [{ servers: [] }, '`servers` must be at least one server, got an array'],
    [{ servers: [...servers, ...servers] }, 'two of `servers` have the id "a"'],
    [
      { servers: memoryCluster() },
      '`servers` must be an array, got a MemoryCluster; write `memoryCluster().servers()`',
    ],
    [{ servers: ['postgres://h'] }, '`servers[0]` must be an object with look(), open(), got "postgres://h"'],
    [{ servers, name: '\ud800' }, '`name` must be a well-formed string of at most 100 characters'],
    [{ servers, timeOutMs: 1 }, 'did you mean `timeoutMs`?'],
    [
      { servers, heartbeat: { intervalMs: 0 } },
      '`heartbeat.intervalMs` must be a number of milliseconds of at least 10',
    ],
  ])('refuses %o', async (options, message) => {
    await expect(ReplicaSet.connect(options as never)).rejects.toThrow(message);
  });

  it.each([
    [{ consistency: 'weak' }, '`consistency` must be "strong" or "session"'],
    [{ consistency: 500 }, '"nearest" or { maxStalenessMs }, got 500'],
    [{ consistency: { maxStalenessMs: -1 } }, '`consistency.maxStalenessMs` must be'],
    [{ consistency: { staleMs: 5 } }, '`consistency` must be "strong"'],
    [{ consistency: 'session' }, 'consistency "session" needs a session'],
    [{ session: 'abc' }, '`session` must be an object with serialize()'],
    [{ consistency: 'eventual', timeout: 5 }, 'did you mean `timeoutMs`?'],
  ])('a read refuses %o', async (scope, message) => {
    const set = await ReplicaSet.connect({ servers });
    await expect(set.read(async () => 1, scope as never)).rejects.toThrow(message);
    await set.close();
  });

  it('says how to connect to who writes `new`', () => {
    const Made = ReplicaSet as unknown as new (options: object) => unknown;
    expect(() => new Made({ servers })).toThrow('write `await ReplicaSet.connect({ … })` in place of `new`');
  });

  it('an isolation that the backend does not have is refused, and not passed over', async () => {
    const set = await ReplicaSet.connect({ servers });
    const isolated = (isolation: string) => set.transaction(db => db.get('a'), { isolation });
    await expect(isolated('serializable')).rejects.toThrow(
      '`isolation` must be "read committed", which is all that a memory server has, got "serializable"',
    );
    await isolated('read committed');
    await set.close();
  });

  it.each<[string, (connection: string) => unknown, string]>([
    [
      'a pool',
      connectionString => new pg.Pool({ connectionString }),
      'must be one client of pg, got a BoundPool',
    ],
    ['a function, as postgres.js does', () => () => {}, 'must be an object with connect()'],
    ['a promise', async () => {}, 'must be an object with connect(), query(), end(), on(), got a Promise'],
    ['nothing', () => {}, '`newClient()` is required: write `connection => new pg.Client(connection)`'],
    ['the same client', () => theSame, '`newClient` must be a function that makes another client each time'],
  ])('newClient that makes %s is refused before anything connects', (_, newClient, message) => {
    const options = { servers: [{ id: 'a', connection: 'postgres://127.0.0.1:1/a' }], newClient };
    expect(() => postgresServers(options as never)).toThrow(message);
  });

  it.each([
    [{}, "`urls` is required: write `['http://db1:8008', …]`"],
    [{ urls: ['db1:8008'] }, '`urls[0]` must be a URL of http or https, got "db1:8008"'],
    [{ urls: 'http://db1:8008' }, '`urls` must be an array'],
    [
      { urls: ['http://admin:secret@db1:8008'] },
      '`urls[0]` must be a URL without user and password, got "http://…@db1:8008"; write `headers: { authorization: \'Basic …\' }`',
    ],
  ])('patroni refuses %o', (options, message) => {
    expect(() => patroni(options as never)).toThrow(message);
  });

  it('switchover is refused where the authority follows', async () => {
    const set = await ReplicaSet.connect({ servers });
    await expect(set.switchover()).rejects.toThrow('the authority roles follows');
    await set.close();
  });

  it('addresses tells how servers are reached, and who is primary', async () => {
    const set = await ReplicaSet.connect({ servers: memoryCluster({ regions: { a: 'here' } }).servers() });
    expect(set.addresses()[0]).toEqual({
      id: 'a',
      region: 'here',
      connection: undefined,
      replication: undefined,
      isPrimary: true,
      term: 1,
    });
    await set.close();
    const [server] = postgresServers({
      servers: [{ id: 'a', connection: 'postgres://app:secret@a/shop', replication: 'host=a' }],
      newClient: (connectionString: string) => new pg.Client({ connectionString }),
    });
    expect(server!.address).toEqual({ connection: 'postgres://app:secret@a/shop', replication: 'host=a' });
    const [redis] = redisServers({
      servers: [{ id: 'a', connection: 'redis://:secret@a' }],
      newClient: (url: string, settings) => new Redis(url, settings),
    });
    expect(redis!.address?.connection).toBe('redis://:secret@a');
    // Printed, as in a log, they show no password
    expect(inspect([server, redis], { depth: 10 })).not.toContain('secret');
    expect(JSON.stringify([server, redis])).toBe('[{"id":"a"},{"id":"a"}]');
  });

  it('a change of members is refused where the authority follows, and when it makes no sense', async () => {
    const set = await ReplicaSet.connect({ servers });
    await expect(set.changeMembers({ remove: ['b'] })).rejects.toThrow('the authority roles follows');
    await expect(set.changeMembers({ drop: ['b'] } as never)).rejects.toThrow('`drop`');
    await set.close();
  });

  it('refuses what is no store, no client and no cluster', () => {
    expect(() => leading({ store: {} as never })).toThrow('`store` must be an object with get()');
    const store = memoryStore();
    expect(() => leading({ store, members: { a: { rewnd: async () => {} } } as never })).toThrow(
      'did you mean `rewind`?',
    );
    expect(() => postgresServers({ servers: [], newClient: 5 as never })).toThrow(
      '`newClient` must be a function',
    );
    expect(() =>
      postgresServers({ servers: [{ id: 'a' }] as never, newClient: () => ({}) as never }),
    ).toThrow('`servers[0].connection` is required');
    expect(() => memoryCluster({ ids: ['a', 'a'] })).toThrow('`ids` must be different');
    expect(() => memoryCluster({ synchronous: 3 })).toThrow(
      '`synchronous` must be at most the number of replicas, 2',
    );
    expect(() => memoryCluster().kill('x')).toThrow('there is no server "x"; there are a, b, c');
  });
});
