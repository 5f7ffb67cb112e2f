import { ConfigError, type Flags, type GivenFlags, importConfig, UsageError } from '@workspace/program';
import type { ReplicaSet } from '../replica-set.ts';

/** What the commands need of a `ReplicaSet`, whatever its clients are. */
export type AnySet = Pick<
  ReplicaSet<unknown>,
  'name' | 'read' | 'transaction' | 'switchover' | 'snapshot' | 'close'
>;

export const configFlag: Flags = {
  config: {
    value: 'FILE',
    help: 'an ES module that exports a ReplicaSet, or a promise of one, as `default` or `set`',
  },
};

/** Milliseconds that servers have to be seen for the first time. */
const firstLookMs = 1_000;

/** Connects what the file exports, and closes it whatever becomes of the work. @throws UsageError, ConfigError */
export async function withSet<T>(given: GivenFlags, work: (set: AnySet) => Promise<T>): Promise<T> {
  const file = given.get('config');
  if (file === undefined) throw new UsageError('--config is needed: --config FILE');
  const set = await setOf(file);
  try {
    await seen(set);
    return await work(set);
  } finally {
    await set.close();
  }
}

async function setOf(file: string): Promise<AnySet> {
  const loaded = await importConfig(file);
  for (const name of ['default', 'set']) {
    const found = (await loaded[name]) as Partial<AnySet> | null | undefined;
    const methods = ['read', 'transaction', 'switchover', 'snapshot', 'close'] as const;
    if (methods.every(each => typeof found?.[each] === 'function')) return found as AnySet;
  }
  const names = Object.keys(loaded).join(', ') || 'nothing';
  throw new ConfigError(`--config ${file} exports ${names}: it needs a ReplicaSet as \`default\` or \`set\``);
}

/** A set is connected when its primary is known; the others are seen soon, or are down. */
async function seen(set: AnySet): Promise<void> {
  const until = performance.now() + firstLookMs;
  while (set.snapshot().servers.some(({ state }) => state === 'new') && performance.now() < until) {
    await new Promise(resolve => setTimeout(resolve, 10));
  }
}
