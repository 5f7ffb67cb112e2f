import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Endpoint, LoadBalancer } from '@ashlar/lb';

/** What a process holds, after garbage collection. */
export interface Sample {
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
  readonly sockets: number;
  readonly timers: number;
  readonly inFlight: number;
  readonly retries: number;
}

/** Asks a program to make requests by itself. */
export interface Order {
  readonly times: number;
  readonly concurrency: number;
}

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

type Counted = Pick<LoadBalancer<Endpoint>, 'snapshot'>;

/** Does what the parent asks for: makes requests, or tells what the process holds. */
export function obey(lb: Counted, make?: (order: Order) => Promise<void>): void {
  process.on('disconnect', () => process.exit());
  process.on('message', (message: Order | 'sample') => {
    if (message === 'sample') process.send!(sampleOf(lb));
    else void make?.(message).then(() => process.send!('made'));
  });
}

function sampleOf(lb: Counted): Sample {
  gc();
  gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  const resources = process.getActiveResourcesInfo();
  const count = (kind: string) => resources.filter(each => each === kind).length;
  const { inFlight, retries } = lb.snapshot();
  const [sockets, timers] = [count('TCPSocketWrap'), count('Timeout')];
  return { rss, heapUsed, external, sockets, timers, inFlight, retries };
}
