import { randomUUID } from 'node:crypto';
import { StaleTokenError } from '@ashlar/store';
import { startPostgres, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { expect, it, onTestFinished } from 'vitest';
import type { ParentBackend } from '../src/backends/backend.ts';
import { postgresBackend } from '../src/backends/postgres.ts';
import { redisBackend } from '../src/backends/redis.ts';

const factories = { redis: redisBackend, postgres: postgresBackend };
const servers = { redis: startRedis, postgres: startPostgres };

for (const name of ['redis', 'postgres'] as const) {
  describeWith(name, `a counter in ${name}`, () => {
    it('never goes back when leaders write that do not know of each other', async () => {
      const server = await servers[name]();
      onTestFinished(() => server.stop());
      const run = randomUUID();
      const backends: ParentBackend[] = [0, 1].map(() => factories[name](server.url, run));
      onTestFinished(async () => {
        for (const backend of backends) await backend[Symbol.asyncDispose]();
      });
      await backends[0]!.counter.create();

      const written: number[][] = [];
      /** Writes until it is refused, and calls back when it has begun. */
      async function lead(token: number, begun: () => void): Promise<never> {
        const { counter } = backends[token % 2]!;
        const lease = { token: BigInt(token), holder: `holder ${token}` };
        const mine: number[] = [];
        written.push(mine);
        for (;;) {
          mine.push(await counter.increment(lease));
          begun();
          // not so often that no other ever finds the counter at rest
          for (let reads = 0; reads < 12; reads++) await counter.read();
        }
      }

      // each goes on when the next one leads, as one does who was stopped
      const leaders: Promise<never>[] = [];
      for (let token = 1; token <= 40; token++) {
        // at another point of what the one before does, each time
        for (let reads = 0; reads < token % 13; reads++) await backends[token % 2]!.counter.read();
        await new Promise<void>((resolve, reject) => {
          const leading = lead(token, resolve);
          leading.catch(reject);
          leaders.push(leading);
        });
      }
      const end = await backends[1]!.counter.increment({ token: 41n, holder: 'the last' });
      for (const leading of leaders) await expect(leading).rejects.toThrow(StaleTokenError);

      const counts = [...written.flat(), end];
      expect(counts).toEqual(counts.map((_, at) => at + 1));
      expect(await backends[0]!.counter.read()).toBe(end);
      await backends[0]!.counter.remove();
    });
  });
}
