import { startRedis, startTcpProxy, within } from '@workspace/services';
import { Redis } from 'ioredis';
import { StoreUnavailableError, VersionConflictError } from '../src/errors.ts';
import { Fence, type FencingToken, type Store } from '../src/index.ts';
import { StaleTokenError } from '../src/leases/fencing.ts';
import { follow } from '../src/watches/follow.ts';
import { type Client, connect } from './client.ts';
import { type Fault, Tally } from './fault.ts';
import { redisConfig, Site } from './site.ts';

const writes = 50;
const withinMs = 20_000;

export const flushall: Fault = {
  name: 'redis-flushall',
  about: 'FLUSHALL: all values and claims are lost; tokens and versions are new, watches begin again',
  allows: ['lost', 'duplicated'],
  usualRuns: 20,
  async begin() {
    const site = await Site.start('redis');
    const client = site.connect();
    const admin = new Redis(site.server.port);
    return {
      async run({ index }) {
        const history = new History(client.store, `${index}:`);
        await history.write(writes);
        await history.claim('first');
        await admin.flushall();
        return history.end();
      },
      async [Symbol.asyncDispose]() {
        admin.disconnect();
        await client[Symbol.asyncDispose]();
        await site[Symbol.asyncDispose]();
      },
    };
  },
};

export const failover: Fault = {
  name: 'redis-failover',
  about: `the primary dies, a replica without its last ${writes} writes and claim becomes primary: those are lost`,
  allows: ['lost', 'duplicated'],
  usualRuns: 5,
  async begin() {
    return {
      async run() {
        const server = await startRedis({ replicas: 1, config: redisConfig });
        const [replica] = server.replicas;
        const proxy = await startTcpProxy({ target: server.port });
        const [primaryAdmin, replicaAdmin] = [server, replica!].map(
          ({ port }) => new Redis({ port, retryStrategy: () => null }),
        );
        primaryAdmin!.on('error', () => {});
        let client: Client | undefined;
        try {
          client = connect({ kind: 'redis', port: proxy.port });
          const history = new History(client.store, '');
          await history.write(writes);
          await primaryAdmin!.set('marker', ''); // a connection waits for its own writes, and what came before
          await primaryAdmin!.wait(1, withinMs);
          await replicaAdmin!.replicaof('127.0.0.1', 9); // nobody is there, and it stays read-only
          await history.write(writes);
          await history.claim('first');
          await server.kill();
          await replicaAdmin!.replicaof('NO', 'ONE');
          proxy.redirect(replica!.port);
          return await history.end(writes);
        } finally {
          for (const admin of [primaryAdmin!, replicaAdmin!]) admin.disconnect();
          await client?.[Symbol.asyncDispose]();
          await proxy.stop();
          await server.stop();
        }
      },
      async [Symbol.asyncDispose]() {},
    };
  },
};

/** What one process did on a store that then loses a part of it. */
class History {
  readonly #store: Store;
  readonly #prefix: string;
  readonly #tally = new Tally();
  readonly #versions = new Map<string, string>();
  readonly #fence = new Fence();
  readonly #ending = new AbortController();
  readonly #watching: Promise<void>;
  #seen: readonly string[] = [];
  #first: FencingToken | undefined;

  constructor(store: Store, prefix: string) {
    this.#store = store;
    this.#prefix = prefix;
    this.#watching = this.#watch();
    this.#watching.catch(() => {}); // it is awaited at the end
  }

  async write(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const key = `${this.#prefix}key-${this.#versions.size}`;
      this.#versions.set(key, await this.#store.set(key, Buffer.from('value')));
      this.#tally.operations++;
    }
  }

  async claim(holder: string): Promise<FencingToken> {
    const claim = await this.#store.claim(`${this.#prefix}name`, holder, 60_000);
    this.#tally.operations++;
    const given = { token: claim?.token ?? 0n, holder };
    this.#tally.expect(claim !== undefined, `${holder} was not given the name`);
    this.#fence.admit(given);
    this.#first ??= given;
    return given;
  }

  /** After the loss; the first so many writes must still be there. */
  async end(keptWrites = 0) {
    const tally = this.#tally;
    const healedAt = performance.now();
    const found = await within(withinMs, () => this.#found());
    const outageMs = performance.now() - healedAt;
    if (found === undefined) throw new Error(`service did not resume within ${withinMs} ms`);
    const keys = [...this.#versions.keys()];
    const missing = keys.filter(key => !found.has(key));
    tally.lost += missing.length;
    const isKept = keys.slice(0, keptWrites).every(key => found.has(key));
    tally.expect(isKept, 'writes are gone that the replica had confirmed');

    await this.#supersede();
    for (const key of missing.slice(0, 1)) {
      const ifVersion = this.#versions.get(key)!;
      const refused = await this.#store.set(key, Buffer.from('late'), { ifVersion }).catch(error => error);
      tally.expect(refused instanceof VersionConflictError, 'a version that was lost is still good');
    }
    const versions = new Set(this.#versions.values());
    for (const key of keys) versions.add(await this.#store.set(key, Buffer.from('again')));
    tally.expect(versions.size === 2 * keys.length, 'a version was given twice');
    const isSeen = await within(withinMs, () => this.#seen.length === keys.length || undefined);
    tally.expect(isSeen === true, `the watch has ${this.#seen.length} of ${keys.length} values`);
    this.#ending.abort();
    await this.#watching;
    return tally.finding(keptWrites === 0 ? {} : { outageMs });
  }

  /** Another has the name while the first still believes it has. */
  async #supersede(): Promise<void> {
    const [tally, first] = [this.#tally, this.#first!];
    const second = await this.claim('second');
    tally.duplicated++;
    tally.expect(second.token > first.token, `token ${second.token} was given after ${first.token}`);
    try {
      this.#fence.admit(first);
      tally.expect(false, 'the sink took a write of the first');
    } catch (error) {
      if (!(error instanceof StaleTokenError)) throw error;
    }
  }

  /** The keys that are there; undefined while the store cannot tell. */
  async #found(): Promise<ReadonlySet<string> | undefined> {
    try {
      const found = new Set<string>();
      for await (const { key } of this.#store.list(this.#prefix)) found.add(key);
      return found;
    } catch (error) {
      if (error instanceof StoreUnavailableError) return undefined;
      throw error;
    }
  }

  async #watch(): Promise<void> {
    for await (const view of follow(this.#store, this.#prefix, this.#ending)) {
      this.#seen = [...view.values()]
        .filter(entry => String(Buffer.from(entry.value)) === 'again')
        .map(({ key }) => key);
    }
  }
}
