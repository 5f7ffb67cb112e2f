import type { Fault } from '../fault.ts';
import { wordsOf } from '../moving/telling.ts';
import { Folders } from './folders.ts';
import type { Death } from './roles.ts';

const steps = ['prepare', 'copy', 'catchUp', 'verify', 'cutover', 'fence', 'turn', 'committed', 'finishing'];
const moments: readonly Death['when'][] = ['before', 'within', 'after'];
const customers = 600;

/** The databases are in the process that moves: whoever kills it kills them. */
export const pgliteKills: Fault = {
  name: 'pglite-killed',
  about:
    'PGlite on disk: the process that has both databases is killed at a random transaction of a step, and another opens the folders, twice a move',
  usualRuns: 20,
  async begin() {
    const folders = await Folders.make(customers);
    return {
      async run({ index, random }) {
        const some = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)]!;
        const at = [some(steps), some(steps)].sort((a, b) => steps.indexOf(a) - steps.indexOf(b));
        const deaths = at.map(step => ({ step, n: 1 + Math.floor(random() * 6), when: some(moments) }));
        const { words, ...found } = await folders.run(deaths, random);
        const where = deaths.map(({ step, n, when }) => `${when} ${n} of ${step}`).join(', then ');
        process.stderr.write(`pglite-killed ${index + 1} (${where}): ${wordsOf(found)}; ${words}\n`);
        return found;
      },
      [Symbol.asyncDispose]: () => folders[Symbol.asyncDispose](),
    };
  },
};
