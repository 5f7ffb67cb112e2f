import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import {
  CallTimeoutError,
  type Consistency,
  type MemoryClient,
  type MemoryCluster,
  memoryCluster,
  NoServerError,
  ReplicaSet,
  type ReplicaSetOptions,
  type Server,
  Session,
  SupersededError,
} from '../../src/index.ts';
import { over } from './changed-server.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
});

/** A set, and the servers that its work has run on. @param slow servers whose looks take long */
async function place(
  cluster: MemoryCluster,
  options: Omit<ReplicaSetOptions<MemoryClient>, 'servers'> = {},
  slow: readonly string[] = [],
) {
  const served: string[] = [];
  const watched = (server: Server<MemoryClient>) =>
    over(server, {
      async look(signal) {
        // A look at a memory server takes no time that a busy machine could lengthen
        if (slow.includes(server.id)) await sleep(200, undefined, { signal });
        return server.look(signal);
      },
      open(given) {
        const pool = server.open(given);
        return over(pool, {
          acquireIdle: () => undefined,
          async acquire(signal) {
            served.push(server.id);
            return pool.acquire(signal);
          },
        });
      },
    });
  const heartbeat = { intervalMs: 20, deadlineMs: 5_000 };
  const set = await ReplicaSet.connect({ servers: cluster.servers().map(watched), heartbeat, ...options });
  open.push(set);
  await expect.poll(() => set.snapshot().servers.every(({ state }) => state === 'up')).toBe(true);
  return {
    set,
    /** Which servers some reads of this level run on. */
    async readers(consistency: Consistency, session?: Session) {
      served.length = 0;
      // By chance, some of equals get none of a few
      for (let n = 0; n < 50; n++) await set.read(db => db.get('a'), { consistency, session });
      return [...new Set(served)].sort();
    },
  };
}

/** What is published on a channel until the test is over. */
function heard(name: string): unknown[] {
  const messages: unknown[] = [];
  const listen = (message: unknown) => messages.push(message);
  subscribe(`ashlar:replica-failover:${name}`, listen);
  onTestFinished(() => void unsubscribe(`ashlar:replica-failover:${name}`, listen));
  return messages;
}

describe('which server reads', () => {
  it('the first region that has one, and the next when that has none', async () => {
    const cluster = memoryCluster({ regions: { b: 'eu', c: 'us' } });
    const { readers } = await place(cluster, { reads: { regions: ['us', 'eu'] } });
    expect(await readers('eventual')).toEqual(['c']);
    cluster.kill('c');
    expect((await readers('eventual')).at(0)).toBe('b');
    expect(await readers('eventual')).toEqual(['b']);
    cluster.kill('b');
    await readers('eventual');
    expect(await readers('eventual')).toEqual(['a']);
  });

  it('replicas within the latency window of the quickest', async () => {
    expect(await (await place(memoryCluster(), {}, [])).readers('eventual')).toEqual(['b', 'c']);
    const { readers } = await place(memoryCluster(), {}, ['b']);
    // A machine that stood still during a look takes that for the way to the server, until some more looks
    await expect.poll(() => readers('eventual')).toEqual(['c']);
    const wide = await place(memoryCluster(), { reads: { latencyWindowMs: 10_000 } }, ['b']);
    expect(await wide.readers('eventual')).toEqual(['b', 'c']);
  });

  it('the nearest, which may be the primary', async () => {
    const { readers } = await place(memoryCluster(), { reads: { latencyWindowMs: 60_000 } }, ['b', 'c']);
    await expect.poll(() => readers('nearest')).toEqual(['a']);
    expect(await readers('eventual')).toEqual(['b', 'c']);
  });

  it('the primary, for a session that has forgotten what it has seen, and for a text that no session wrote', async () => {
    const cluster = memoryCluster();
    const { set, readers } = await place(cluster, { reads: { catchUpMs: 0 } });
    for (const id of ['b', 'c']) cluster.pauseReplay(id);
    await set.write(db => db.set('a', '1'));
    for (const text of ['no session', '1~replica-set=1.1~%']) {
      expect(await readers('session', new Session(text))).toEqual(['a']);
    }
  });

  it('the primary, until the replicas have been seen', async () => {
    const cluster = memoryCluster();
    for (const id of ['b', 'c']) cluster.kill(id);
    const servers = cluster.servers();
    await using set = await ReplicaSet.connect({ servers, heartbeat: { intervalMs: 20 } });
    expect(await set.read(async db => db.server, { consistency: 'eventual' })).toBe('a');
    for (const id of ['b', 'c']) cluster.start(id);
    const reader = () => set.read(async db => db.server, { consistency: 'eventual' });
    await expect.poll(reader).not.toBe('a');
  });

  it('a replica that comes to what the session has seen within `catchUpMs`', async () => {
    const cluster = memoryCluster();
    const { set, readers } = await place(cluster, { reads: { catchUpMs: 60_000 } });
    for (const id of ['b', 'c']) cluster.pauseReplay(id);
    const session = new Session();
    await set.write(db => db.set('a', '1'), { session });
    const reading = readers('session', session);
    await sleep(1);
    for (const id of ['b', 'c']) cluster.resumeReplay(id);
    expect(await reading).not.toContain('a');
  });

  it('else the primary, which is told on a channel', async () => {
    const cluster = memoryCluster();
    const { set, readers } = await place(cluster, { name: 'shop', reads: { catchUpMs: 0 } });
    const fallbacks = heard('fallback');
    for (const id of ['b', 'c']) cluster.pauseReplay(id);
    const session = new Session();
    await set.write(db => db.set('a', '1'), { session });
    expect(await readers('session', session)).toEqual(['a']);
    expect(fallbacks[0]).toEqual({ set: 'shop', consistency: 'session' });
  });

  it('nobody, when no server that lives has what the session has seen', async () => {
    const cluster = memoryCluster();
    const { set } = await place(cluster);
    for (const id of ['b', 'c']) cluster.pauseReplay(id);
    const session = new Session();
    await set.write(db => db.set('a', '1'), { session });
    cluster.kill('a');
    const reading = set.read(db => db.get('a'), { session, timeoutMs: 300 });
    await expect(reading).rejects.toThrow(NoServerError);
    await expect(reading).rejects.toThrow(
      /^no server of replica-set can read with consistency session: a is down \(.+\), b is a replica, c is a replica$/,
    );
  });

  it('work that does not end is told so when its time is over', async () => {
    const { set } = await place(memoryCluster());
    const hanging = set.read(() => new Promise(() => {}), { timeoutMs: 50 });
    await expect(hanging).rejects.toThrow(CallTimeoutError);
    await expect(hanging).rejects.toMatchObject({ outcome: 'NotExecuted', timeoutMs: 50, retryable: true });
  });
});

describe('what is told of servers', () => {
  it('one that dies and comes back, and the work that ran again', async () => {
    const cluster = memoryCluster();
    const { set } = await place(cluster);
    const [downs, ups, retries] = [heard('server-down'), heard('server-up'), heard('retry')];
    let runs = 0;
    await set.read(
      async db => {
        if (runs++ === 0) for (const id of ['b', 'c']) cluster.kill(id);
        return db.get('a');
      },
      { consistency: 'eventual' },
    );
    expect(retries[0]).toMatchObject({ set: 'replica-set', operation: 'read', error: expect.any(Error) });
    await expect.poll(() => downs).toHaveLength(2);
    expect(downs[0]).toMatchObject({ set: 'replica-set', server: expect.stringMatching(/b|c/) });
    cluster.start('b');
    await expect.poll(() => ups).toEqual([{ set: 'replica-set', server: 'b' }]);
  });

  it('a new primary, also to the work that ran on the one before', async () => {
    const cluster = memoryCluster();
    const { set } = await place(cluster);
    const topologies = heard('topology');
    const errors: unknown[] = [];
    await set.transaction(async db => {
      await db.set('a', '1');
      if (errors.length > 0) return;
      cluster.promote('b');
      await expect.poll(() => set.snapshot().primary).toBe('b');
      await db.get('a').catch(error => {
        errors.push(error);
        throw error;
      });
    });
    expect(errors).toEqual([expect.any(SupersededError)]);
    expect(topologies).toEqual([{ set: 'replica-set', term: 2, primary: 'b', before: 'a' }]);
  });
});
