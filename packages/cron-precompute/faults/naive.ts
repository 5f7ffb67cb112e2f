import { setImmediate } from 'node:timers/promises';
import { type Fault, Tally } from './fault.ts';
import { type Kind, Site } from './site.ts';

const keys = Array.from({ length: 60 }, (_, index) => `key ${index}`);
const rounds = 30;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What readers see without versions: each key is overwritten where it is. For comparison with the fleet. */
export function naiveOf(kind: Kind): Fault {
  return {
    name: `${kind}-naive`,
    about: `for comparison: ${keys.length} keys overwritten in place ${rounds} times, while a reader reads them all; its reads are torn by nature`,
    allows: ['torn'],
    usualRuns: 1,
    async begin() {
      const site = await Site.start(kind);
      return {
        async run() {
          await using place = await site.place();
          const tally = new Tally();
          const { store } = place;
          const write = async (round: number) => {
            for (const key of keys) await store.set(key, encoder.encode(String(round)));
          };
          await write(0);
          let isOver = false;
          const reading = (async () => {
            while (!isOver) {
              const entries = await store.getMany(keys);
              tally.read(entries.map(entry => entry && decoder.decode(entry.value)));
              await setImmediate();
            }
          })();
          for (let round = 1; round <= rounds; round++) await write(round);
          isOver = true;
          await reading;
          return tally.finding({ badShare: (100 * tally.torn) / tally.operations });
        },
        [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
      };
    },
  };
}
