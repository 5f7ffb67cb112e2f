import { Redis } from 'ioredis';
import { type RedisInvalidation, redisTier } from '../../src/adapters/redis.ts';
import type { Doings } from '../history.ts';
import { Caching, type Traffic, type Writing } from './caching.ts';
import { type Mutant, mutated } from './mutants.ts';

/** What a process is told at its start. */
export interface PeerSettings {
  readonly name: string;
  readonly writing: Writing;
  readonly tierPort: number;
  readonly sourcePort: number;
}

/** A cache for one run. */
export interface Opening {
  readonly prefix: string;
  readonly invalidation: RedisInvalidation;
  readonly boundMs: number;
  readonly timeoutMs: number;
  readonly leaseMs: number;
  readonly mutant: Mutant | undefined;
}

/** What a process can be asked, and what it answers. */
export interface Requests {
  open(opening: Opening): Promise<void>;
  begin(traffic: Traffic): void;
  rest(): Promise<void>;
  read(keys: readonly string[]): Promise<readonly (string | undefined)[]>;
  write(key: string): Promise<void>;
  served(): Promise<number>;
  hold(key: string): Promise<void>;
  letGo(): void;
  /** Ends the cache; what it did. */
  close(): Promise<Doings>;
}

export interface Request {
  readonly id: number;
  readonly what: keyof Requests;
  readonly argument: unknown;
}

export type Reply = { readonly id: number } & ({ readonly value: unknown } | { readonly error: string });

process.on('disconnect', () => process.exit());
const { name, writing, tierPort, sourcePort } = JSON.parse(process.argv[2]!) as PeerSettings;
const source = new Redis({ port: sourcePort });
const redis = new Redis({ port: tierPort, lazyConnect: true });
let caching: Caching;

const answers: Requests = {
  open({ leaseMs, mutant, ...options }) {
    const sound = redisTier({ redis, ...options });
    const tier = mutant === undefined ? sound : mutated(sound, mutant);
    caching = new Caching({ name: `${options.prefix}${name}`, writing, tier, source, leaseMs });
    return caching.connected();
  },
  begin: traffic => caching.begin(traffic),
  rest: () => caching.rest(),
  read: keys => Promise.all(keys.map(key => caching.read(key))),
  write: key => caching.write(key),
  served: () => caching.served(),
  hold: key => caching.hold(key),
  letGo: () => caching.letGo(),
  async close() {
    await caching.close();
    return caching.doings();
  },
};

process.on('message', async ({ id, what, argument }: Request) => {
  try {
    const answer = answers[what] as (argument: unknown) => unknown;
    process.send?.({ id, value: await answer(argument) } satisfies Reply);
  } catch (error) {
    process.send?.({ id, error: String(error) } satisfies Reply);
  }
});
