import { systemClock } from '@ashlar/core';
import type { WriteStrategy } from '../write-strategy.ts';
import { Backlog } from './backlog.ts';
import { BehindWriter } from './behind-writer.ts';
import { Journal } from './journal.ts';
import { readWriteBehindOptions, type WriteBehindOptions } from './options.ts';

/**
 * `set` resolves when the write is accepted (and in the journal); the source gets it later, together with others. Of the
 * writes of a key that wait, the last one is written. A batch that fails is written again until the cache is closed.
 *
 * @throws InvalidOptionError
 */
export function writeBehind<K, V>(options: WriteBehindOptions<K, V>): WriteStrategy<K, V> {
  const { journal: journalSettings, ...settings } = readWriteBehindOptions(options);
  return {
    kind: 'writeBehind',
    needsText: journalSettings !== undefined,
    open(context) {
      const { name, random, clock = systemClock } = context;
      const journal = journalSettings && new Journal<K, V>({ ...journalSettings, context });
      const newBacklog = () =>
        new Backlog<K, V>({
          ...settings,
          cache: name,
          clock,
          random,
          mayWrite: () => journal?.isHeld !== false,
          written: async items => {
            await context.changed(items.map(({ id }) => id));
            await journal?.forget(items);
          },
        });
      return new BehindWriter(context, newBacklog, journal);
    },
  };
}
