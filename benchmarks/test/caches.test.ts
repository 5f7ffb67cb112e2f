import { type Redis, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { libraries } from '../src/caches/libraries.ts';
import { type RaceOptions, race, ways } from '../src/caches/races.ts';
import { stampede } from '../src/caches/stampedes.ts';

const ours = ['Cache', 'Cache with a write strategy'];
const peers = Object.keys(libraries).filter(name => !ours.includes(name));

/** How many schedules served an old value, of each library. */
async function wrongs(names: readonly string[], options: RaceOptions): Promise<Record<string, number>> {
  const wrong: Record<string, number> = {};
  for (const name of names) wrong[name] = (await race(name, options)).wrong;
  return wrong;
}

describe('a load that a write overtakes does not put the old value back, in one process', () => {
  it.each(ways.filter(({ instances }) => instances === 1))('told by a $how', async way => {
    const options = { ...way, seed: 1, schedules: 100, port: 0 };
    expect(await wrongs(ours, options)).toEqual({ [ours[0]!]: 0, [ours[1]!]: 0 });
    // The schedules find it where it does happen: in one process, they decide the order of everything
    for (const [name, wrong] of Object.entries(await wrongs(peers, options))) {
      expect(wrong, name).toBeGreaterThan(0);
    }
  });
});

describeWith({ own: 'redis' }, 'two instances on one Redis', () => {
  let redis: Redis;
  beforeAll(async () => {
    redis = await startRedis({ own: true });
  });
  afterAll(() => redis?.stop());

  it.each(ways.filter(({ instances }) => instances === 2))(
    'a load that a write overtakes does not put the old value back, told by a $how',
    async way => {
      const options = { ...way, seed: 2, schedules: 25, port: redis.port };
      expect(await wrongs(ours, options)).toEqual({ [ours[0]!]: 0, [ours[1]!]: 0 });
      const beside = await wrongs(peers, options);
      process.stdout.write(`beside it, of ${options.schedules} schedules: ${JSON.stringify(beside)}\n`);
    },
  );

  it('50 callers load a cold key once, in one process and in two', async () => {
    for (const processes of [1, 2] as const) {
      const { loads } = await stampede('Cache', { processes, callers: 50, keys: 3, port: redis.port });
      expect(loads).toEqual([1, 1, 1]);
    }
  });
});
