import { Redis } from 'ioredis';
import { redisStreams } from '../../../src/adapters/redis-streams.ts';
import type { ConsumeOptions } from '../../../src/index.ts';

/** A consumer that settles its messages in every way, in turn, and says of each that it has it. */
export interface MortalOptions {
  readonly port: number;
  readonly prefix: string;
  readonly leaseMs: number;
  readonly sharing: Pick<ConsumeOptions, 'ordered' | 'fair'>;
}

const { port, prefix, leaseMs, sharing } = JSON.parse(process.argv[2]!) as MortalOptions;
const driver = redisStreams({ redis: new Redis({ port, lazyConnect: true }), prefix, leaseMs });
const value = new TextEncoder().encode('1');
let count = 0;
for await (const delivery of driver.consume('work', 'group', {
  ...sharing,
  prefetch: 5,
  signal: new AbortController().signal,
})) {
  process.send!(delivery.id);
  count++;
  const settled = async () => {
    if (count % 2 === 0) await delivery.progress!(value);
    if (count % 5 === 0) await delivery.ack();
    else if (count % 5 === 1) await delivery.ack({ result: value });
    else if (count % 5 === 2) await delivery.nack({ requeueAfterMs: 20 });
    else if (count % 5 === 3) await delivery.nack({ dead: 'for the test' });
    else await delivery.nack({ charge: false });
  };
  settled().catch(() => {}); // its lease was over
}
