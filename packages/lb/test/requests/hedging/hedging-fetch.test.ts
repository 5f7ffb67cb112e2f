import { describe, expect, it, onTestFinished } from 'vitest';
import { LoadBalancer, roundRobin } from '../../../src/index.ts';
import { Replica } from '../../support/servers/replica.ts';

/** The first goes to `slow`, its hedge to `quick`. */
async function replicas(mode: string): Promise<{ slow: Replica; quick: Replica; lb: LoadBalancer<Replica> }> {
  const [slow, quick] = (await Replica.all('slow', 'quick')) as [Replica, Replica];
  await slow.mode(mode);
  const lb = new LoadBalancer({ endpoints: [slow, quick], policy: roundRobin(), hedge: { delayMs: 20 } });
  onTestFinished(() => lb.close());
  return { slow, quick, lb };
}

describe('hedging of fetch', () => {
  it('gives the quick answer whole, and breaks off the request to a replica that is silent', async () => {
    const { slow, lb } = await replicas('silent');
    const response = await lb.run(
      ({ endpoint, signal }) => fetch(`${endpoint.url}/bytes/200000`, { signal }),
      {
        idempotent: true,
      },
    );
    await slow.saw('closed');
    expect(response.headers.get('x-replica')).toBe('quick');
    // The abort of the other does not reach this one's body
    expect(await response.text()).toBe('quick'.repeat(40_000));
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, hedges: 1, hedgesWon: 1 });
  });

  it('lets go of a body that comes in the midst of things', async () => {
    const { slow, quick, lb } = await replicas('half');
    const text = await lb.run(
      async ({ endpoint, signal }) => (await fetch(`${endpoint.url}/bytes/10`, { signal })).text(),
      { idempotent: true },
    );
    expect(text).toBe('quickquick');
    await slow.saw('half');
    await slow.saw('closed');
    await quick.saw('closed');
  });

  it('frees a response that an attempt brings late, though it paid no heed to its signal', async () => {
    const { slow, lb } = await replicas('half');
    const late = new AbortController();
    const response = await lb.run(
      async ({ endpoint }) => {
        const response = await fetch(`${endpoint.url}/bytes/10`);
        if (endpoint === slow) await new Promise(resolve => late.signal.addEventListener('abort', resolve));
        return response;
      },
      { idempotent: true },
    );
    expect(response.headers.get('x-replica')).toBe('quick');
    expect(slow.times('closed')).toBe(0);
    late.abort();
    await slow.saw('closed');
    expect(await response.text()).toBe('quickquick');
  });
});
