import { seededRandom } from '@ashlar/core';
import { startSite } from './differential/site.ts';
import { type Fault, Tally } from './fault.ts';

const questionsOfRun = 100;

/** No fault of a machine: what queries over shards get wrong. */
export const answers: Fault = {
  name: 'answers',
  about:
    'generated queries and writes, several a transaction, on shards in memory and on PostgreSQL against one database (100 each a run)',
  usualRuns: 20,
  async begin() {
    const site = await startSite(seededRandom(1), 150);
    return {
      async run({ random }) {
        const tally = new Tally();
        const end = site.comparison.questions + 2 * questionsOfRun;
        while (site.comparison.questions < end && tally.remarks.length === 0) {
          for (const fault of await site.comparison.round(random)) tally.expect(false, fault);
        }
        tally.operations = questionsOfRun;
        return tally.finding();
      },
      [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
    };
  },
};
