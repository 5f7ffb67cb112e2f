import type { Client } from './client.ts';
import { script } from './script.ts';

/** What decides whether a Redis keeps what it was given. Undefined where the user of the connection may not see it. */
export interface ServerFacts {
  readonly maxmemoryPolicy: string | undefined;
  /** Whether every write goes into an append-only file. */
  readonly hasAof: boolean | undefined;
}

// In a script, so that in a cluster the node with the key answers
const facts = script(
  1,
  `local memory, persistence = redis.pcall('INFO', 'memory'), redis.pcall('INFO', 'persistence')
local policy = type(memory) == 'string' and string.match(memory, 'maxmemory_policy:([%w-]+)')
local aof = type(persistence) == 'string' and string.match(persistence, 'aof_enabled:(%d)')
return { policy or '', aof or '' }`,
);

/** @param key any key of the caller, so that its node answers */
export async function serverFacts(client: Client, key: string): Promise<ServerFacts> {
  const [policy, aof] = (await client.call('EVAL', [facts.source, 1, key])) as [string, string];
  return { maxmemoryPolicy: policy || undefined, hasAof: aof === '' ? undefined : aof === '1' };
}
