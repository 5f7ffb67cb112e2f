import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Address, queueAt } from '../../../faults/kinds.ts';

export interface SlowSettings {
  readonly address: Address;
  /** Options of each group, by its name. */
  readonly groups: Readonly<Record<string, object>>;
  /** Of each group. */
  readonly count: number;
}

/** `keptBytes`: what this process keeps in memory. */
export type SlowMessage =
  | { readonly kind: 'ready' | 'measured'; readonly keptBytes: number; readonly begun: number }
  | { readonly kind: 'done'; readonly mostBytes: number };

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
function keptBytes(): number {
  // The second waits for what the first has begun to free
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Consumers that begin what they are given, and end with none of it until they are told to go on. */
const { address, groups, count } = JSON.parse(process.argv[2]!) as SlowSettings;
const say = (message: SlowMessage) => process.send!(message);
const queue = queueAt(address);
let begun = 0;
let goOn = () => {};
const goes = new Promise<void>(resolve => {
  goOn = resolve;
});
let handled = 0;
let mostBytes = 0;
const handler = async () => {
  begun++;
  await goes;
  await delay(1);
  if (++handled % 20 === 0) mostBytes = Math.max(mostBytes, keptBytes());
};
for (const [group, options] of Object.entries(groups)) {
  await queue.subscribe('work', handler, { group, concurrency: 2, ...options });
}
say({ kind: 'ready', keptBytes: keptBytes(), begun });
process.on('message', async told => {
  if (told === 'measure') {
    say({ kind: 'measured', keptBytes: keptBytes(), begun });
    return;
  }
  goOn();
  const all = count * Object.keys(groups).length;
  while (handled < all) await delay(20);
  say({ kind: 'done', mostBytes });
});
process.on('disconnect', () => process.exit());
