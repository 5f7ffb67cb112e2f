import { fencedSet, redisStore } from '@ashlar/store/redis';
import { Redis } from 'ioredis';
import { redisStreams } from '../../src/adapters/redis-streams.ts';
import { type HandlerContext, messages, Queue } from '../../src/index.ts';
import { effect, Fate } from './kill-points.ts';

/** A worker that charges orders, by a service that takes idempotency keys or into a sink that takes fences. */
export interface WorkerOptions {
  readonly name: string;
  readonly redis: number;
  readonly prefix: string;
  readonly mode: 'external' | 'fenced';
  /** Of the service that charges. */
  readonly service: string;
  /** A KillPoint, or none. */
  readonly point: string;
  readonly signal: 'SIGKILL' | 'SIGSTOP';
}

export interface KillMessages {
  charge: { readonly n: number };
}

/** What became of a write with a fence. */
export interface Written {
  readonly n: number;
  readonly token: string;
  readonly outcome: 'accepted' | 'refused';
}

/** Starts it. Returns what ends it. */
export async function startWorker(
  { name, redis: port, prefix, mode, service, point, signal }: WorkerOptions,
  say: (written: Written) => void,
): Promise<() => Promise<void>> {
  const fate = new Fate(point, signal);
  const redis = new Redis({ port, lazyConnect: true });
  const sink = new Redis({ port });
  const store = fate.store(redisStore({ redis, prefix: `${prefix}-once` }));
  const driver = fate.driver(redisStreams({ redis, prefix, leaseMs: 1_000 }));
  const queue = new Queue(driver, { messages: messages<KillMessages>() });

  async function external({ n }: { n: number }, { idempotencyKey }: HandlerContext): Promise<void> {
    const headers = { 'idempotency-key': idempotencyKey };
    // Once it is sent, the service kills
    const [before, , after] = effect;
    await fate.passing([before, undefined, after], () =>
      fetch(service, { method: 'POST', headers, body: `${n}` }),
    );
  }

  async function fenced({ n }: { n: number }, { fence }: HandlerContext): Promise<void> {
    const written = { n, token: String(fence!.token) };
    try {
      await fate.passing(effect, () => fencedSet(sink, `${prefix}-charge-${n}`, name, fence!));
      say({ ...written, outcome: 'accepted' });
    } catch (error) {
      say({ ...written, outcome: 'refused' });
      throw error;
    }
  }

  await queue.subscribe('charge', mode === 'external' ? external : fenced, {
    idempotency: { store, mode, leaseMs: 1_000 },
    backoff: { firstMs: 10 },
    concurrency: 3,
  });
  return async () => {
    await queue.close();
    await store[Symbol.asyncDispose]();
    redis.disconnect();
    sink.disconnect();
  };
}
