import { available } from '@workspace/services';
import { bullmqSite } from './bullmq.ts';
import { memorySite } from './memory.ts';
import { natsSite } from './nats.ts';
import { postgresSite } from './postgres.ts';
import { rabbitmqSite } from './rabbitmq.ts';
import { redisStreamsSite } from './redis.ts';
import type { Site } from './site.ts';
import { zeromqSite } from './zeromq.ts';

interface Starter {
  readonly start: () => Promise<Site>;
  readonly needs?: Parameters<typeof available>[0];
}

const starters: Readonly<Record<string, Starter>> = {
  memory: { start: memorySite },
  redisStreams: { start: redisStreamsSite, needs: { own: 'redis' } },
  bullmq: { start: () => bullmqSite('6'), needs: { own: 'redis' } },
  bullmq5: { start: () => bullmqSite('5'), needs: { own: 'redis' } },
  zeromq: { start: zeromqSite },
  postgres: { start: () => postgresSite(false), needs: { own: 'postgres' } },
  postgresLosing: { start: () => postgresSite(true), needs: { own: 'postgres' } },
  nats: { start: natsSite, needs: { own: 'nats' } },
  rabbitmq: { start: () => rabbitmqSite('quorum'), needs: { own: 'rabbitmq' } },
  rabbitmqClassic: { start: () => rabbitmqSite('classic'), needs: { own: 'rabbitmq' } },
};

export const sites: readonly string[] = Object.keys(starters);

/** Starts it, or says why that cannot be. */
export async function startSite(name: string): Promise<Site | string> {
  const { start, needs } = starters[name]!;
  if (needs !== undefined) {
    const found = await available(needs);
    if (!found.ok) return found.reason;
  }
  return start();
}
