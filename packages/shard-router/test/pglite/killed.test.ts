import { seededRandom } from '@ashlar/core';
import { expect, it } from 'vitest';
import { Folders } from '../../faults/pglite-moving/folders.ts';

it('a move of databases on disk goes on in the next process, where one is killed in its turn', async () => {
  await using folders = await Folders.make(60);
  const dies = { step: 'turn', n: 3, when: 'within' } as const;
  const { words, ...found } = await folders.run([dies], seededRandom(1));
  expect(found, words).toMatchObject({ lost: 0, duplicated: 0, twoPlaces: 0, stale: 0, remarks: [] });
  expect(found.operations).toBeGreaterThan(10);
  expect(words).toMatch(/ turn \| /);
}, 600_000);
