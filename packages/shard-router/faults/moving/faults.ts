import { seededRandom } from '@ashlar/core';
import { postgresStore } from '@ashlar/store/postgres';
import pg from 'pg';
import { Maps } from '../../src/map/maps.ts';
import type { Fault } from '../fault.ts';
import type { Kind } from './kinds.ts';
import { isBusy } from './limits.ts';
import type { Place } from './place.ts';
import { nowMs } from './roles.ts';
import { run } from './running.ts';
import { wordsOf } from './telling.ts';

/** How many there are. */
export const customers: number = Number(process.env['ROWS'] ?? 100_000);

/** How long writes of moved rows may be paused where nothing else happens, in milliseconds. */
const pauses = { usually: { pauseMs: 150 }, within: { pauseMs: 500 } };

/** @param start servers with so many standbys each */
export function faultsOf(
  kinds: readonly Kind[],
  start: (standbys: 0 | 1) => Promise<Place>,
): readonly Fault[] {
  return kinds.map(kind => ({
    name: kind.name,
    about: kind.about,
    ...(kind.steps === undefined && !isBusy && pauses),
    usualRuns: kind.hasStandbys === true ? 6 : 20,
    async begin() {
      const kept = kind.hasStandbys === true ? undefined : await started(await start(0));
      return {
        async run({ index, random }) {
          // A seed of its own: how often a run asks for a number depends on what happens
          const seed = Math.floor(random() * 2 ** 31);
          const own = kept === undefined ? await started(await start(1)) : undefined;
          const startedAt = nowMs();
          const told = (words: string) =>
            process.stderr.write(
              `${kind.name} ${index + 1} (${seed}): ${words}, ${Math.round((nowMs() - startedAt) / 1_000)} s\n`,
            );
          try {
            const { place, maps } = (kept ?? own)!;
            const { words, ...found } = await run(kind, place, maps, seededRandom(seed));
            told(`${wordsOf(found)}; ${words}`);
            return found;
          } catch (error) {
            told(`it failed: ${(error as Error).message}`);
            throw error;
          } finally {
            await own?.end();
          }
        },
        async [Symbol.asyncDispose]() {
          await kept?.end();
        },
      };
    },
  }));
}

async function started(place: Place) {
  const pool = new pg.Pool({ connectionString: place.settings.store });
  pool.on('error', () => {});
  const store = postgresStore({ pool });
  await store.migrate();
  return {
    place,
    maps: new Maps(store, 'shards'),
    async end() {
      await store.close();
      await pool.end();
      await place[Symbol.asyncDispose]();
    },
  };
}
