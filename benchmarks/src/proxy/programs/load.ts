import autocannon from 'autocannon';

const [url, seconds, connections] = process.argv.slice(2) as [string, string, string];
const result = await autocannon({ url, duration: Number(seconds), connections: Number(connections) });
process.send!({
  requests: result.requests.total,
  failed: result.errors + result.timeouts + result.non2xx,
  p99Ms: result.latency.p99,
  seconds: result.duration,
});
process.disconnect();
