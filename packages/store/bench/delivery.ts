import { setTimeout as delay } from 'node:timers/promises';
import { type Bench, type Figures, figures } from '@workspace/bench';
import { postgresStore } from '../src/adapters/postgres.ts';
import { redisStore } from '../src/adapters/redis.ts';
import type { Store } from '../src/index.ts';
import { postgresPlace, redisPlace } from './places.ts';

const writes = 500;
const pauseMs = 5;

/** The most that the last hundredth may take. */
const targetMs = 20;

interface Times {
  /** From the call of `set` to its end, sorted. */
  readonly acknowledged: readonly number[];
  /** From the call of `set` to the reader of a watch over another connection, sorted. */
  readonly delivered: readonly number[];
}

async function timesOf(writer: Store, reader: Store): Promise<Times> {
  const end = new AbortController();
  const begun = new Map<string, number>();
  const [acknowledged, delivered]: [number[], number[]] = [[], []];
  const changes = reader.watch('', { signal: end.signal });
  const reading = (async () => {
    for await (const change of changes) {
      if (change.type !== 'put') continue;
      delivered.push(performance.now() - begun.get(change.entry.key)!);
      if (delivered.length === writes) return;
    }
  })();
  await reader.get('');
  for (let i = 0; i < writes; i++) {
    const key = `key-${i}`;
    begun.set(key, performance.now());
    await writer.set(key, new Uint8Array(100));
    acknowledged.push(performance.now() - begun.get(key)!);
    await delay(pauseMs);
  }
  await reading;
  end.abort();
  return { acknowledged: sorted(acknowledged), delivered: sorted(delivered) };
}

function sorted(times: readonly number[]): number[] {
  return [...times].sort((a, b) => a - b);
}

function figuresOf({ acknowledged, delivered }: Times): Figures {
  const at = (times: readonly number[], share: number) => times[Math.floor((times.length - 1) * share)]!;
  return {
    ours: ['watch p99', at(delivered, 0.99)],
    peers: {
      target: targetMs,
      'watch p50': at(delivered, 0.5),
      'acknowledgement p50': at(acknowledged, 0.5),
      'acknowledgement p99': at(acknowledged, 0.99),
    },
  };
}

export const delivery: readonly Bench[] = [
  figures('from set to the reader of a watch on Redis', 'ms', async () => {
    await using place = await redisPlace();
    const reader = redisStore({ redis: place.redis });
    const times = await timesOf(place.store, reader);
    await reader.close();
    return figuresOf(times);
  }),
  figures('from set to the reader of a watch on PostgreSQL', 'ms', async () => {
    await using place = await postgresPlace();
    const reader = postgresStore({ pool: place.pool });
    const times = await timesOf(place.store, reader);
    await reader.close();
    return figuresOf(times);
  }),
];
