import { sleep } from '@ashlar/core';
import { Lease, LeaseLostError, StaleTokenError } from '@ashlar/store';
import { endWithParent } from '@workspace/program';
import type { Backend } from '../backends/backend.ts';
import type { Message, Settings } from './messages.ts';

/** What the leader does between checking its lease and writing. */
const workMs = 90;
/** After an error of the server. */
const pauseMs = 500;

endWithParent();

const { place, run, ttlMs } = JSON.parse(process.argv[2] ?? '{}') as Settings;
const { store, counter } = await backend();
let above = 0n;
for (;;) {
  send({ type: 'waiting' });
  await lead().catch(explain);
}

// #region wiring
async function lead(): Promise<never> {
  await using lease = await Lease.acquire(store, run, { ttlMs, above });
  send({ type: 'leading', token: lease.token });
  for (;;) {
    lease.assertHeld();
    await sleep(workMs); // a process stopped in here still believes that it leads
    const count = await counter.increment(lease);
    send({ type: 'wrote', token: lease.token, count });
  }
}
// #endregion

async function explain(error: unknown): Promise<void> {
  if (error instanceof StaleTokenError) {
    above = error.seen.token;
    send({ type: 'refused', token: error.presented.token, seen: above });
  } else if (error instanceof LeaseLostError) {
    send({ type: 'lost', token: error.token, reason: error.reason });
  } else {
    send({ type: 'error', message: error instanceof Error ? error.message : String(error) });
    await sleep(pauseMs);
  }
}

/** Only the client that it needs is loaded: contenders are started again and again. */
async function backend(): Promise<Backend> {
  switch (place.backend) {
    case 'memory':
      return (await import('../backends/memory.ts')).childMemory();
    case 'redis':
      return (await import('../backends/redis.ts')).redisBackend(place.url, run);
    case 'postgres':
      return (await import('../backends/postgres.ts')).postgresBackend(place.url, run);
  }
}

function send(message: Message): void {
  if (process.connected) process.send?.(message);
}
