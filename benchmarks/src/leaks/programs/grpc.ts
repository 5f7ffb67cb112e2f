import { LoadBalancer } from '@ashlar/lb';
import { balancedChannel } from '@ashlar/lb/grpc';
import { type Client, credentials, Metadata } from '@grpc/grpc-js';
import { backendUrls } from '../../proxy/programs/listen.ts';
import { Echo, same } from '../echo.ts';
import { makeMixed, type Share } from '../mix.ts';
import { obey } from '../sample.ts';

type Ask = (client: Client) => Promise<unknown>;

const endpoints = backendUrls.map((url, i) => ({ id: `backend-${i}`, url }));
const lb = new LoadBalancer({ endpoints, outlier: false });

function say(client: Client, word: string, timeoutMs: number, cancel = false): Promise<unknown> {
  return new Promise(resolve => {
    const deadline = Date.now() + timeoutMs;
    const path = '/test.Echo/Say';
    const call = client.makeUnaryRequest(
      path,
      same,
      same,
      Buffer.from(word),
      new Metadata(),
      { deadline },
      resolve,
    );
    if (cancel) setImmediate(() => call.cancel());
  });
}

function list(client: Client, word: string): Promise<unknown> {
  const call = client.makeServerStreamRequest('/test.Echo/List', same, same, Buffer.from(word));
  return new Promise(resolve => {
    call.on('error', () => {}).on('status', resolve);
    call.once('data', () => call.cancel());
  });
}

const mix: readonly Share<Ask>[] = [
  [89, 'a call', client => say(client, 'hello', 10_000)],
  [2, 'fails', client => say(client, 'fail', 10_000)],
  [2, 'is unavailable', client => say(client, 'unavailable', 10_000)],
  [2, 'is canceled', client => say(client, 'silent', 10_000, true)],
  [1, 'is past its deadline', client => say(client, 'silent', 50)],
  [2, 'a stream that is canceled', client => list(client, 'go on')],
  [2, 'a stream that breaks off', client => list(client, 'break')],
];

/** A channel for each part, so that what one leaves when it is closed shows, too. */
obey(lb, async order => {
  using channel = balancedChannel(lb);
  const client = new Echo(channel.target, credentials.createInsecure(), channel.options);
  await makeMixed(mix, order, ask => ask(client));
  client.close();
});
process.send!(0);
