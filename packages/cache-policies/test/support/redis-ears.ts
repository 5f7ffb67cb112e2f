import type { Redis } from 'ioredis';
import { expect, onTestFinished } from 'vitest';
import type { RemoteTier, TierSession } from '../../src/index.ts';

/** A session, and what it was told, in one list. */
export interface RedisEar {
  readonly session: TierSession;
  readonly told: string[];
  /** Waits until it was told this. */
  hears(what: string): Promise<void>;
}

export const patient = { timeout: 10_000, interval: 5 } as const;

/** Opens a session that ends with the test, and waits until it hears. */
export async function earOf(tier: RemoteTier): Promise<RedisEar> {
  const told: string[] = [];
  const session = tier.open({
    invalidated: ({ keys, tags }) => told.push(...keys, ...tags),
    reset: reason => told.push(reason),
    connection: state => told.push(state),
  });
  onTestFinished(() => session.close());
  const hears = (what: string) => expect.poll(() => told, patient).toContain(what);
  await hears('connected');
  told.length = 0;
  return { session, told, hears };
}

/** The connections of all tiers on the server: of those that operate, and of those that hear. */
export async function connections(admin: Redis, which: 'operating' | 'hearing'): Promise<string[]> {
  const list = String(await admin.client('LIST')).split('\n');
  const ours = list.filter(
    line => line.includes('name=ashlar-cache-policies') && /sub=1/u.test(line) === (which === 'hearing'),
  );
  return ours.map(line => /id=(\d+)/u.exec(line)![1]!);
}
