import { Lease, maxToken, StaleTokenError } from '../src/index.ts';
import { type Address, connect } from './client.ts';

/** What a holder tells, once each time it is told to go on. */
export type HolderMessage = 'holding' | 'refused';

export interface HolderSettings extends Address {
  readonly name: string;
  readonly ttlMs: number;
  /** Without it, the sink takes everything, and the holder ends one write after it could know that its lease is over. */
  readonly isFenced: boolean;
}

/**
 * A process that holds a lease and writes with it as fast as it can, without ever asking whether it still holds it,
 * until a write is refused. Then it waits to be told to go on.
 */
const { name, ttlMs, isFenced, ...address } = JSON.parse(process.argv[2]!) as HolderSettings;
process.on('disconnect', () => process.exit());
const { store, sink: sinkOf } = connect(address);
const sink = sinkOf(name);
const anything = { token: maxToken, holder: 'anybody' };

for (;;) {
  const lease = await Lease.acquire(store, name, { ttlMs, retryMs: 20 });
  await sink.write('first', isFenced ? lease : anything);
  tell('holding');
  for (let count = 1, isOver = false; await isAdmitted(`write ${count}`, lease); count++) {
    if (isOver) break;
    isOver = !isFenced && lease.signal.aborted;
  }
  tell('refused');
  await new Promise(resolve => process.once('message', resolve));
  await lease.release().catch(() => {});
}

async function isAdmitted(value: string, lease: Lease): Promise<boolean> {
  try {
    await sink.write(value, isFenced ? lease : anything);
    return true;
  } catch (error) {
    if (error instanceof StaleTokenError) return false;
    throw error;
  }
}

function tell(message: HolderMessage): void {
  process.send?.(message);
}
