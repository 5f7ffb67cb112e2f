import { setTimeout as delay } from 'node:timers/promises';
import { Peer } from '@workspace/faults';
import { Lease, maxToken } from '../src/index.ts';
import type { Kind } from './client.ts';
import { type Fault, Tally } from './fault.ts';
import type { HolderMessage, HolderSettings } from './holder-process.ts';
import { Site } from './site.ts';

const name = 'held';
const ttlMs = 250;

/**
 * A process that holds a lease is stopped at any moment of its work, past the end of its lease; another takes the lease
 * and writes. When the first goes on, its writes must be refused. That is not so without a fence.
 */
export function holderOf(kind: Kind, isFenced = true): Fault {
  return {
    name: `${kind}-holder-stopped`,
    about: 'SIGSTOP to the holder of a lease past its time, then SIGCONT: the sink refuses what it writes',
    usualRuns: 200,
    async begin() {
      const site = await Site.start(kind);
      const client = site.connect();
      const sink = client.sink(name);
      const holder = new Holder({ ...site.address, name, ttlMs, isFenced });
      return {
        async run({ index, random }) {
          const tally = new Tally();
          await holder.says('holding');
          await delay(20 * random());
          holder.process.kill('SIGSTOP');
          const lease = await Lease.acquire(client.store, name, { ttlMs, retryMs: 20 });
          const value = `successor ${index}`;
          await sink.write(value, isFenced ? lease : { token: maxToken, holder: 'anybody' });
          holder.process.kill('SIGCONT');
          await holder.says('refused');
          const found = await sink.read();
          tally.expect(found === value, `the sink has ${found} of a holder whose lease was over`);
          tally.operations = 1;
          await lease.release();
          holder.process.send('go on');
          return tally.finding();
        },
        async [Symbol.asyncDispose]() {
          await holder.end();
          await client[Symbol.asyncDispose]();
          await site[Symbol.asyncDispose]();
        },
      };
    },
  };
}

class Holder extends Peer<HolderMessage> {
  constructor(settings: HolderSettings) {
    super(new URL('./holder-process.ts', import.meta.url), settings);
  }

  async says(message: HolderMessage): Promise<void> {
    const said = await this.next();
    if (said !== message) throw new Error(`the holder said ${said}, not ${message}`);
  }
}
