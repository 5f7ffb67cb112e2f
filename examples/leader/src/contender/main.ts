import { sleep } from '@ashlar/core';
import { Lease, LeaseLostError, StaleTokenError } from '@ashlar/store';
import { endWithParent } from '@workspace/program';
import type { Ground } from '../ground/ground.ts';
import { memoryGuest } from '../ground/memory.ts';
import { postgresGround } from '../ground/postgres.ts';
import { redisGround } from '../ground/redis.ts';
import type { Settings, Told } from './messages.ts';

/** What the leader does between looking at its lease and writing. */
const workMs = 90;
/** After an error of the server. */
const pauseMs = 500;

endWithParent();

const { place, run, ttlMs } = JSON.parse(process.argv[2] ?? '{}') as Settings;
const { store, counter } = ground();
let above = 0n;
for (;;) {
  tell({ told: 'waiting' });
  await lead().catch(explain);
}

// #region wiring
async function lead(): Promise<never> {
  await using lease = await Lease.acquire(store, run, { ttlMs, above });
  tell({ told: 'leading', token: lease.token });
  for (;;) {
    lease.assertHeld();
    await sleep(workMs); // who is stopped in here believes what it saw before
    const count = await counter.increment(lease);
    tell({ told: 'wrote', token: lease.token, count });
  }
}
// #endregion

async function explain(error: unknown): Promise<void> {
  if (error instanceof StaleTokenError) {
    above = error.seen.token;
    tell({ told: 'refused', token: error.presented.token, seen: above });
  } else if (error instanceof LeaseLostError) {
    tell({ told: 'lost', token: error.token, reason: error.reason });
  } else {
    tell({ told: 'trouble', message: error instanceof Error ? error.message : String(error) });
    await sleep(pauseMs);
  }
}

function ground(): Ground {
  if (place.backend === 'memory') return memoryGuest();
  return place.backend === 'redis' ? redisGround(place.url, run) : postgresGround(place.url, run);
}

function tell(told: Told): void {
  if (process.connected) process.send?.(told);
}
