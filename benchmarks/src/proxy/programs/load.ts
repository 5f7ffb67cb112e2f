import { once } from 'node:events';
import autocannon from 'autocannon';
import type { LoadMessage, LoadResult } from '../loader.ts';

process.on('disconnect', () => process.exit());
for (;;) {
  const [{ url, method, bodyBytes, seconds, connections }] = (await once(process, 'message')) as [
    LoadMessage,
  ];
  const headers = { 'content-type': 'application/octet-stream' };
  const body = bodyBytes > 0 ? { headers, body: 'x'.repeat(bodyBytes) } : {};
  const result = await autocannon({ url, method, ...body, duration: seconds, connections });
  const answer: LoadResult = {
    requests: result.requests.total,
    failed: result.errors + result.timeouts + result.non2xx,
    p99Ms: result.latency.p99,
    seconds: result.duration,
  };
  process.send!(answer);
}
