import { randomUUID } from 'node:crypto';
import { StaleTokenError } from '@ashlar/store';
import { startPostgres, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { expect, it, onTestFinished } from 'vitest';
import type { Home } from '../src/ground/ground.ts';
import { postgresGround } from '../src/ground/postgres.ts';
import { redisGround } from '../src/ground/redis.ts';

const grounds = { redis: redisGround, postgres: postgresGround };
const servers = { redis: startRedis, postgres: startPostgres };

for (const name of ['redis', 'postgres'] as const) {
  describeWith(name, `a counter in ${name}`, () => {
    it('never goes back when leaders write that do not know of each other', async () => {
      const server = await servers[name]();
      onTestFinished(() => server.stop());
      const run = randomUUID();
      const homes: Home[] = [0, 1].map(() => grounds[name](server.url, run));
      onTestFinished(async () => {
        for (const home of homes) await home[Symbol.asyncDispose]();
      });
      await homes[0]!.counter.create();

      const written: number[][] = [];
      /** Writes until it is refused, and tells when it has begun. */
      async function lead(token: number, begun: () => void): Promise<never> {
        const { counter } = homes[token % 2]!;
        const lease = { token: BigInt(token), holder: `holder ${token}` };
        const mine: number[] = [];
        written.push(mine);
        for (;;) {
          mine.push(await counter.increment(lease));
          begun();
          // not so often that nobody else ever finds the counter at rest
          for (let look = 0; look < 12; look++) await counter.read();
        }
      }

      // each goes on when the next one leads, as one does who was stopped
      const leaders: Promise<never>[] = [];
      for (let token = 1; token <= 40; token++) {
        // at another point of what the one before does, each time
        for (let look = 0; look < token % 13; look++) await homes[token % 2]!.counter.read();
        await new Promise<void>((resolve, reject) => {
          const leading = lead(token, resolve);
          leading.catch(reject);
          leaders.push(leading);
        });
      }
      const end = await homes[1]!.counter.increment({ token: 41n, holder: 'the last' });
      for (const leading of leaders) await expect(leading).rejects.toThrow(StaleTokenError);

      const counts = [...written.flat(), end];
      expect(counts).toEqual(counts.map((_, at) => at + 1));
      expect(await homes[0]!.counter.read()).toBe(end);
      await homes[0]!.counter.remove();
    });
  });
}
