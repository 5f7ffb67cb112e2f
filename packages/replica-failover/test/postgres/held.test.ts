import type pg from 'pg';
import { describe, expect, it } from 'vitest';
import { signalAll, startCluster } from '../../faults/postgres/cluster.ts';
import { OutcomeUnknownError, type ReplicaSet } from '../../src/index.ts';
import { ledServers } from '../led.ts';

const lock = 'SELECT pg_advisory_lock(7)';
const tryLock = async (db: pg.Client) => {
  const { rows } = await db.query<{ isOurs: boolean }>('SELECT pg_try_advisory_lock(7) AS "isOurs"');
  return rows[0]!.isOurs;
};

// A call that does not end keeps its connection, with what it has set up there
describe('a connection that is held', () => {
  const led = ledServers(startCluster);
  const connect = () => led.connect({ servers: led.servers.servers() }, { drainMs: 200 });
  /** Holds a lock and listens, until the connection ends. Resolves when it has both. */
  const hold = async (set: ReplicaSet<pg.Client>) => {
    const ending = new AbortController();
    const heard: (string | undefined)[] = [];
    let hasBegun = () => {};
    const begun = new Promise<void>(resolve => {
      hasBegun = resolve;
    });
    const over = set.write(
      async db => {
        const ended = new Promise<void>(resolve => db.once('end', () => resolve()));
        db.on('notification', ({ payload }) => heard.push(payload));
        await db.query('LISTEN news');
        await db.query(lock);
        hasBegun();
        await ended;
        await db.query('SELECT 1');
      },
      { timeoutMs: 3_600_000, signal: ending.signal },
    );
    over.catch(() => {});
    await begun;
    return { heard, over, end: () => ending.abort() };
  };

  it('hears and locks, and is ended by a switchover: the lock is to be had on the new primary', async () => {
    const [holder, other] = [await connect(), await connect()];
    const { heard, over } = await hold(holder);
    await other.write(db => db.query("NOTIFY news, 'one'"));
    await expect.poll(() => heard).toEqual(['one']);
    expect(await other.write(tryLock)).toBe(false);
    await other.switchover({ to: 'standby0' });
    await expect(over).rejects.toThrow(OutcomeUnknownError);
    expect(await other.write(tryLock)).toBe(true);
    expect(other.snapshot().primary).toBe('standby0');
    // The next one hears the new primary, and its end leaves nothing to whoever gets the connection
    const again = await hold(holder);
    await other.write(db => db.query("NOTIFY news, 'two'"));
    await expect.poll(() => again.heard).toEqual(['two']);
    again.end();
    await expect(again.over).rejects.toThrow();
    await expect.poll(() => other.write(tryLock)).toBe(true);
  });

  it('ends when its process learns of a new term, though the primary of before stands still', async () => {
    const [holder, other] = [await connect(), await connect()];
    const { over } = await hold(holder);
    signalAll(led.servers.members.get('postgres')!, 'SIGSTOP');
    try {
      await expect(over).rejects.toThrow(OutcomeUnknownError);
      expect(holder.snapshot().term).toBe(2);
      await expect.poll(() => other.snapshot().term).toBe(2);
      expect(await other.write(tryLock)).toBe(true);
    } finally {
      signalAll(led.servers.members.get('postgres')!, 'SIGCONT');
    }
  });
});
