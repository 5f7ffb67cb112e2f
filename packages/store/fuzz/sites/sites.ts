import { available } from '@workspace/services';
import { memorySite } from './memory.ts';
import { postgresSite } from './postgres.ts';
import { redisSite } from './redis.ts';
import type { Site } from './site.ts';
import { threadsSite } from './threads.ts';

const starters: Readonly<Record<string, () => Promise<Site>>> = {
  memory: memorySite,
  threads: threadsSite,
  redis: redisSite,
  postgres: postgresSite,
};

export const sites: readonly string[] = Object.keys(starters);

/** Starts it, or says why that cannot be. */
export async function startSite(name: string): Promise<Site | string> {
  if (name === 'redis' || name === 'postgres') {
    const found = await available({ own: name });
    if (!found.ok) return found.reason;
  }
  return starters[name]!();
}
