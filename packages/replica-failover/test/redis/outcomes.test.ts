import { startRedis, startTcpProxy, type TcpProxy } from '@workspace/services';
import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis-5';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newClient, type RedisReplication, startReplication } from '../../faults/redis/replication.ts';
import { type RedisSettings, redisServers } from '../../src/adapters/redis.ts';
import {
  EndedTransactionError,
  OpenTransactionError,
  OutcomeUnknownError,
  PartlyExecutedError,
  PositionLostError,
  ReplicaSet,
  Session,
  UnsupportedConsistencyError,
} from '../../src/index.ts';
import { over } from '../memory/changed-server.ts';

/** Milliseconds that an answer is on its way: long enough to see what was executed, and to cut the way, on a busy machine. */
const lossMs = 3_000;

describe('what becomes of work on Redis', () => {
  let replication: RedisReplication;
  const open: AsyncDisposable[] = [];
  beforeAll(async () => {
    replication = await startReplication();
  });
  afterAll(() => replication?.stop());
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
    await replication.tell('primary', 'DEL', 'a', 'b', 'n');
  });
  const kept = <T extends AsyncDisposable>(each: T): T => {
    open.push(each);
    return each;
  };

  const connect = async (acknowledge = 0) =>
    kept(await ReplicaSet.connect({ servers: replication.servers({ acknowledge }) }));

  /** A set that reaches the primary over a way that can be disturbed. */
  const connectOver = async () => {
    const way: TcpProxy = await startTcpProxy({ target: replication.members.get('primary')!.port });
    open.push({ [Symbol.asyncDispose]: () => way.stop() });
    const servers = redisServers({
      servers: [{ id: 'primary', connection: `redis://127.0.0.1:${way.port}` }],
      newClient,
    });
    return { way, set: kept(await ReplicaSet.connect({ servers })) };
  };

  it('refuses strong reads', async () => {
    const set = await connect();
    const reading = set.read(db => db.get('a'), { consistency: 'strong' });
    await expect(reading).rejects.toThrow(UnsupportedConsistencyError);
  });

  it('a command whose answer is lost is Unknown, and was sent once', async () => {
    const { way, set } = await connectOver();
    const writing = set.write(async db => {
      await db.get('a');
      way.delay(lossMs);
      const answer = db.incr('n');
      await expect.poll(() => replication.tell('primary', 'GET', 'n')).toBe('1');
      way.cut();
      way.delay(0);
      return answer;
    });
    await expect(writing).rejects.toThrow(OutcomeUnknownError);
    expect(await set.read(db => db.get('n'))).toBe('1');
  });

  it('an EXEC whose answer is lost is Unknown', async () => {
    const { way, set } = await connectOver();
    let runs = 0;
    const working = set.transaction(async db => {
      runs++;
      await db.incr('n');
      way.delay(lossMs);
      void expect
        .poll(() => replication.tell('primary', 'GET', 'n'))
        .toBe('1')
        .then(() => {
          way.cut();
          way.delay(0);
        });
    });
    await expect(working).rejects.toThrow(OutcomeUnknownError);
    expect(runs).toBe(1);
    expect(await set.read(db => db.get('n'))).toBe('1');
  });

  it('a transaction of which a command fails says so, and what the others did', async () => {
    const set = await connect();
    const working = set.transaction(async db => {
      await db.set('a', '1');
      expect(await db.lpush('a', 'x')).toBe('QUEUED');
      await db.set('b', '2');
    });
    await expect(working).rejects.toThrow(PartlyExecutedError);
    await expect(working).rejects.toMatchObject({
      outcome: 'Executed',
      errors: [{ message: expect.stringMatching(/^WRONGTYPE/) }],
    });
    expect(await set.read(db => db.mget('a', 'b'))).toEqual(['1', '2']);
  });

  it('a transaction with a command that cannot be queued executes nothing, though its error was swallowed', async () => {
    const set = await connect();
    const working = set.transaction(async db => {
      await db.set('a', '1');
      await db.call('NO-SUCH-COMMAND').catch(() => {});
    });
    await expect(working).rejects.toThrow(/nothing was executed/);
    expect(await set.read(db => db.get('a'))).toBe(null);
    await expect(set.transaction(async () => {}, { isolation: 'serializable' })).rejects.toThrow(
      '`isolation` must be left out, as Redis runs a transaction alone, got "serializable"',
    );
  });

  it('a transaction that its work has ended is told so, and is not run again', async () => {
    const set = await connect();
    let runs = 0;
    const ended = (end: string) =>
      set.transaction(async db => {
        runs++;
        await db.incr('n');
        await db.call(end);
      });
    await expect(ended('EXEC')).rejects.toThrow(EndedTransactionError);
    await expect(ended('EXEC')).rejects.toMatchObject({ outcome: 'Unknown' });
    await expect(ended('DISCARD')).rejects.toThrow(EndedTransactionError);
    expect(runs).toBe(3);
    expect(await set.read(db => db.get('n'))).toBe('2');
    // A pipeline of ioredis has MULTI and EXEC of its own
    const nested = set.transaction(db =>
      db
        .multi()
        .incr('n')
        .exec()
        .catch(() => {}),
    );
    await expect(nested).rejects.toThrow(EndedTransactionError);
  });

  it('a command that a server refuses runs again, whatever the work has made of the error', async () => {
    const set = await connect();
    for (const method of ['write', 'transaction'] as const) {
      await replication.tell('primary', 'CONFIG', 'SET', 'min-replicas-to-write', '5');
      let runs = 0;
      await set[method](async db => {
        if (runs++ > 0) await replication.tell('primary', 'CONFIG', 'SET', 'min-replicas-to-write', '0');
        await db.incr('n').catch(cause => {
          throw new Error('no', { cause });
        });
      });
      expect([method, runs]).toEqual([method, 2]);
    }
    expect(await set.read(db => db.get('n'))).toBe('2');
  });

  it('a write that leaves MULTI open is told so, and its connection is not used again', async () => {
    const set = await connect();
    await expect(set.write(db => db.multi({ pipeline: false }))).rejects.toThrow(OpenTransactionError);
    expect(await set.write(db => db.set('a', '1'))).toBe('OK');
  });

  it('what a connection was changed to is not what the next one gets', async () => {
    const set = kept(await ReplicaSet.connect({ servers: replication.servers(), maxConnections: 1 }));
    await set.write(async db => {
      await db.select(1);
      await db.set('a', 'elsewhere');
    });
    expect(await set.read(db => db.get('a'))).toBe(null);
    // A watch that was left open would fail the transaction of another
    await set.write(db => db.watch('a'));
    await replication.tell('primary', 'SET', 'a', '1');
    expect(await set.write(db => db.multi().set('b', '2').exec())).toEqual([[null, 'OK']]);
  });

  it('optimistic locking works, as one call keeps one connection', async () => {
    const set = await connect();
    const increment = () =>
      set.write(async db => {
        for (;;) {
          await db.watch('n');
          const n = Number(await db.get('n'));
          if (
            (await db
              .multi()
              .set('n', n + 1)
              .exec()) !== null
          )
            return;
        }
      });
    await Promise.all(Array.from({ length: 10 }, increment));
    expect(await set.read(db => db.get('n'))).toBe('10');
  });

  it('a write resolves when so many replicas have it', async () => {
    const set = await connect(2);
    await set.write(db => db.set('a', '1'));
    for (const id of ['replica0', 'replica1']) expect(await replication.tell(id, 'GET', 'a')).toBe('1');
    await set.transaction(db => db.set('a', '2'));
    for (const id of ['replica0', 'replica1']) expect(await replication.tell(id, 'GET', 'a')).toBe('2');
  });

  it('a write that too few replicas acknowledge in time is Unknown', async () => {
    const set = await connect(2);
    const { port } = replication.members.get('primary')!;
    await replication.tell('replica1', 'REPLICAOF', '127.0.0.1', 1);
    try {
      await expect(set.write(db => db.set('a', '1'), { timeoutMs: 300 })).rejects.toThrow(
        OutcomeUnknownError,
      );
      await expect(set.transaction(db => db.set('a', '2'), { timeoutMs: 300 })).rejects.toThrow(
        OutcomeUnknownError,
      );
    } finally {
      await replication.tell('replica1', 'REPLICAOF', '127.0.0.1', port);
    }
  });

  it('a session goes on after FLUSHALL, which takes the history of the servers too', async () => {
    const set = await connect();
    const session = new Session();
    await set.write(db => db.set('a', '1'), { session });
    await set.write(db => db.flushall(), { session });
    await set.write(db => db.set('a', '2'), { session });
    expect(await set.read(db => db.get('a'), { session })).toBe('2');
    const noted = () => replication.tell('primary', 'GET', 'ashlar:replica-failover');
    await expect.poll(noted).toMatch(/"term":1/);
  });

  it('says so when its key holds something else', async () => {
    const servers = redisServers({
      servers: [{ id: 'primary', connection: replication.members.get('primary')!.url }],
      newClient,
      key: 'a',
    });
    await replication.tell('primary', 'SET', 'a', 'mine');
    const refused = ReplicaSet.connect({ servers, timeoutMs: 500 });
    await expect(refused).rejects.toThrow(/the key a holds something else than the history/);
    expect(await replication.tell('primary', 'GET', 'a')).toBe('mine');
  });

  it('works with ioredis 5', async () => {
    const servers = redisServers({
      servers: [...replication.members].map(([id, { url }]) => ({ id, connection: url })),
      newClient: (url: string, settings: RedisSettings) => new Redis5(url, settings),
      acknowledge: 1,
    });
    const set = kept(await ReplicaSet.connect({ servers }));
    const session = new Session();
    await set.write(db => db.set('a', '1'), { session });
    await set.transaction(db => db.incr('n'), { session });
    expect(await set.read(db => db.mget('a', 'n'), { session })).toEqual(['1', '1']);
  });
});

describe('a Redis that is started again', () => {
  it('goes on in its term, and sessions know what is later', async () => {
    const redis = await startRedis({ config: { appendonly: 'yes' } });
    const servers = redisServers({ servers: [{ id: 'one', connection: redis.url }], newClient });
    const set = await ReplicaSet.connect({ servers });
    try {
      const session = new Session();
      await set.write(db => db.set('a', 'x'.repeat(10_000)), { session });
      const before = session.position(set.name) as { term: number; offset: bigint };
      await redis.kill();
      await redis.restart();
      await expect.poll(() => set.snapshot().servers[0]?.state).toBe('up');
      expect(await set.read(db => db.strlen('a'), { session })).toBe(10_000);
      await set.write(db => db.set('a', '2'), { session });
      const after = session.position(set.name) as { term: number; offset: bigint };
      expect(after.term).toBe(before.term);
      expect(after.offset > before.offset).toBe(true);
    } finally {
      await set.close();
      await redis.stop();
    }
  });

  it('is not believed, for what it said before its connections broke, until it says so again', async () => {
    const redis = await startRedis({ own: true });
    let looking = Promise.resolve();
    let lost = 0;
    const [server] = redisServers({ servers: [{ id: 'one', connection: redis.url }], newClient });
    const held = over(server!, {
      async look(signal) {
        await looking;
        return server!.look(signal);
      },
      open: options =>
        server!.open({
          ...options,
          onLost(error) {
            lost++;
            options.onLost(error);
          },
        }),
    });
    const set = await ReplicaSet.connect({ servers: [held], heartbeat: { deadlineMs: 30_000 } });
    try {
      const session = new Session();
      await set.write(db => db.set('a', '1'), { session });
      let look = () => {};
      looking = new Promise(resolve => {
        look = resolve;
      });
      await redis.kill();
      await expect.poll(() => lost).toBe(1);
      await redis.restart(); // empty
      const reading = set.read(db => db.get('a'), { session });
      reading.catch(() => {});
      await set.read(db => db.get('a')); // of no session: what the primary has
      look();
      await expect(reading).rejects.toThrow(PositionLostError);
    } finally {
      await set.close();
      await redis.stop();
    }
  });

  it('says that what was written is lost when it comes back empty', async () => {
    const redis = await startRedis({ own: true });
    const servers = redisServers({ servers: [{ id: 'one', connection: redis.url }], newClient });
    const set = await ReplicaSet.connect({ servers });
    try {
      const session = new Session();
      await set.write(db => db.set('a', '1'), { session });
      await redis.kill();
      await redis.restart();
      await expect.poll(() => set.snapshot().servers[0]?.state).toBe('up');
      await expect(set.read(db => db.get('a'), { session })).rejects.toThrow(PositionLostError);
    } finally {
      await set.close();
      await redis.stop();
    }
  });
});

describe('a replica that has not copied its primary yet', () => {
  it('is not read, as it would know of nothing', async () => {
    const [redis, fresh] = await Promise.all([
      startRedis({ own: true }),
      startRedis({ config: { replicaof: '127.0.0.1 1' } }),
    ]);
    const servers = redisServers({
      servers: [
        { id: 'one', connection: redis.url },
        { id: 'two', connection: fresh.url },
      ],
      newClient,
    });
    const set = await ReplicaSet.connect({ servers });
    try {
      await set.write(db => db.set('a', '1'));
      await expect.poll(() => set.snapshot().servers[1]?.state).not.toBe('new');
      expect(await set.read(db => db.get('a'), { consistency: 'eventual' })).toBe('1');
      const client = new Redis(fresh.url);
      await client.replicaof('127.0.0.1', redis.port);
      client.disconnect();
      await expect.poll(() => set.snapshot().servers[1]?.state).toBe('up');
    } finally {
      await set.close();
      await redis.stop();
      await fresh.stop();
    }
  });
});

describe('options of servers of Redis', () => {
  const servers = [{ id: 'a', connection: 'redis://127.0.0.1:1' }];
  it.each([
    [{ newClient: (url: string) => new Redis(url) }, /without `lazyConnect` of the settings/],
    [{ newClient: () => ({}) }, /`newClient\(\)` must be an object with connect\(\)/],
    [{ newClient, acknowledge: 1 }, /`acknowledge` is 1, and there are 0 replicas/],
    [{ newClient, acknowlege: 1 }, /did you mean `acknowledge`/],
  ])('refuses %o', (options, message) => {
    expect(() => redisServers({ servers, ...options } as never)).toThrow(message);
  });
});
