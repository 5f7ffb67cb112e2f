import type { Redis } from 'ioredis';
import { expect, onTestFinished } from 'vitest';
import type { RemoteTier, TierSession } from '../../../src/index.ts';

/** A session, and what it was notified of, in one list. */
export interface ObservedSession {
  readonly session: TierSession;
  readonly events: string[];
  /** Waits until it was notified of this. */
  sees(what: string): Promise<void>;
}

export const patient = { timeout: 30_000, interval: 5 } as const;

/** Opens a session that ends with the test, and waits until it is connected. */
export async function observe(tier: RemoteTier): Promise<ObservedSession> {
  const events: string[] = [];
  const session = tier.open({
    invalidated: ({ keys, tags }) => events.push(...keys, ...tags),
    reset: reason => events.push(reason),
    connection: state => events.push(state),
  });
  onTestFinished(() => session.close());
  const sees = (what: string) => expect.poll(() => events, patient).toContain(what);
  await sees('connected');
  events.length = 0;
  return { session, events, sees };
}

/** The connections of all tiers on the server: of those that operate, and of those that subscribe. */
export async function connections(admin: Redis, which: 'operating' | 'subscribing'): Promise<string[]> {
  const list = String(await admin.client('LIST')).split('\n');
  const ours = list.filter(
    line => line.includes('name=ashlar-cache-policies') && /sub=1/u.test(line) === (which === 'subscribing'),
  );
  return ours.map(line => /id=(\d+)/u.exec(line)![1]!);
}
