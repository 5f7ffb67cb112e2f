import { createServer } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { LoadBalancer } from '@ashlar/lb';
import { reverseProxy } from '@ashlar/lb/proxy';
import { backendUrls, listen } from '../../proxy/programs/listen.ts';
import type { Sample } from '../sample.ts';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

const endpoints = backendUrls.map((url, i) => ({ id: `backend-${i}`, url }));
// Failures are a part of the mix: nobody is to be ejected for them
const lb = new LoadBalancer({ endpoints, outlier: false });
const proxy = reverseProxy(lb, { headersTimeoutMs: 500, idleTimeoutMs: 500 });
process.on('message', () => {
  gc();
  gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  const resources = process.getActiveResourcesInfo();
  const count = (kind: string) => resources.filter(each => each === kind).length;
  const { inFlight, retries } = lb.snapshot();
  const sample: Sample = {
    rss,
    heapUsed,
    external,
    sockets: count('TCPSocketWrap'),
    timers: count('Timeout'),
    inFlight,
    retries,
  };
  process.send!(sample);
});
listen(createServer(proxy).on('upgrade', proxy.upgrade));
