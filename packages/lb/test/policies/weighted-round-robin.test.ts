import { Agent, get } from 'node:http';
import { seededRandom } from '@ashlar/core';
import { freePorts, type PortServer, startNginx } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Endpoint, LoadBalancer, weightedRoundRobin } from '../../src/index.ts';
import { Feed } from '../support/discovery/feed.ts';

const policy = weightedRoundRobin();
const named = (weights: readonly number[]) => weights.map((weight, index) => ({ id: `${index}`, weight }));

/** nginx's smooth weighted round robin as it is written there: every server is looked at for each request. */
function* smooth(weights: readonly number[]): Generator<string> {
  const current = weights.map(() => 0);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  for (;;) {
    for (const [index, weight] of weights.entries()) current[index]! += weight;
    const best = current.indexOf(Math.max(...current));
    current[best]! -= total;
    yield `${best}`;
  }
}

const taken = <T>(values: Iterator<T>, count: number) =>
  Array.from({ length: count }, () => values.next().value);
const picked = <E extends Endpoint>(lb: LoadBalancer<E>, count: number) =>
  Array.from({ length: count }, () => lb.pick().endpoint.id);

describe('weightedRoundRobin', () => {
  it('spreads 5, 1, 1 as nginx says it does', () => {
    const endpoints = [{ id: 'a', weight: 5 }, { id: 'b' }, { id: 'c' }];
    expect(picked(new LoadBalancer({ endpoints, policy }), 14).join('')).toBe('aabacaaaabacaa');
  });

  it('gives the sequence of the algorithm, whatever the weights', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 25 });
    fc.assert(
      fc.property(weights, fc.integer({ min: 0, max: 3 }), (integers, halvings) => {
        const all = integers.map(weight => weight / 2 ** halvings);
        const lb = new LoadBalancer({ endpoints: named(all), policy });
        expect(picked(lb, 400)).toEqual(taken(smooth(integers), 400));
      }),
      { seed: 7, numRuns: 200 },
    );
  });

  it('goes on where it was when it is told of the same set again', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 9 }), weights => {
        const candidates = named(weights).map(endpoint => ({
          endpoint,
          inFlight: 0,
          weight: endpoint.weight,
        }));
        const policyOf = policy<Endpoint>();
        const request = { now: 0, random: seededRandom(1), skip: () => false };
        const ids = Array.from({ length: 100 }, () => {
          policyOf.update([...candidates]);
          return policyOf.pick(request)?.endpoint.id;
        });
        expect(ids).toEqual(taken(smooth(weights), 100));
      }),
      { seed: 7 },
    );
  });

  it('gives each what is due to it while others come and go and weights change', async () => {
    const change = fc.record({
      weights: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 6, maxLength: 6 }),
      picks: fc.integer({ min: 1, max: 20 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 40 }), async changes => {
        const feed = new Feed<Endpoint>();
        const lb = new LoadBalancer({ endpoints: feed, policy });
        let due = 0;
        for (const { weights, picks } of changes) {
          // Two that stay; the rest drain and come back
          await feed.give(named([3, 1, ...weights]));
          due += (picks * 3) / weights.reduce((sum, weight) => sum + weight, 4);
          picked(lb, picks);
        }
        const [stays] = lb.snapshot().endpoints;
        await lb.close();
        // At most one turn is between what is due and what was given, and one a change is between the lines
        expect(Math.abs(stays!.picked - due)).toBeLessThan(3);
      }),
      { seed: 7 },
    );
  });

  it('gives the turns of one that is skipped to the others by their weights', () => {
    const lb = new LoadBalancer({ endpoints: named([6, 1, 2, 3]), policy, random: seededRandom(3) });
    for (let i = 0; i < 12_000; i++) lb.pick({ exclude: ['0'] }).done({ ok: true });
    const shares = lb.snapshot().endpoints.map(endpoint => endpoint.picked / 2_000);
    for (const [index, share] of shares.entries()) expect(share).toBeCloseTo(index, 0);
  });
});

describeWith('nginx', 'weightedRoundRobin and nginx', () => {
  const sets = [
    [1, 1, 1],
    [5, 1, 1],
    [1, 3, 2, 1, 7],
    [4, 4, 2, 2, 1],
    [13, 2, 2, 3, 13, 1, 8],
  ];
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let nginx: PortServer;

  beforeAll(async () => {
    // Nothing listens there: nginx has chosen when it is refused, and says whom
    const [deaf] = await freePorts(1);
    const server = (weight: number, index: number) =>
      `server 127.83.71.${index + 1}:${deaf} weight=${weight} max_fails=0;`;
    const upstreams = sets.map((set, index) => `upstream set${index} { ${set.map(server).join(' ')} }`);
    const locations = sets.map(
      (_, index) => `location = /${index} { proxy_pass http://set${index}; proxy_next_upstream off; }`,
    );
    nginx = await startNginx({
      config: ({ port }) => `
        error_log /dev/null crit;
        ${upstreams.join('\n')}
        server { listen 127.0.0.1:${port}; add_header x-peer $upstream_addr always; ${locations.join('\n')} }`,
    });
  });
  afterAll(async () => {
    agent.destroy();
    await nginx?.stop();
  });

  it.each(sets.map((weights, index) => ({ weights, index })))(
    'agree on $weights',
    async ({ weights, index }) => {
      const asked: string[] = [];
      for (let i = 0; i < 100; i++) asked.push(await peer(`http://127.0.0.1:${nginx.port}/${index}`, agent));
      const lb = new LoadBalancer({ endpoints: named(weights), policy });
      expect(asked).toEqual(picked(lb, 100));
    },
  );
});

/** Whom nginx asked, as the index of the server. */
function peer(url: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent }, response => {
      const address = String(response.headers['x-peer']);
      response.resume().on('end', () => resolve(`${Number(/\.(\d+):/.exec(address)?.[1]) - 1}`));
    });
    request.on('error', reject);
  });
}
