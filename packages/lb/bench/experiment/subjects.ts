import type { LookupFunction } from 'node:net';
import {
  consistent,
  type Load,
  LoadBalancer,
  type LoadBalancerOptions,
  leastRequests,
  type ProbeContext,
  peakEwma,
  prequal,
  random,
  roundRobin,
  weightedRoundRobin,
} from '@ashlar/lb';
import { Agent, BalancedPool, type Dispatcher, RoundRobinPool, request } from 'undici';
import type { Backends } from './backends.ts';

/** Makes requests; what balances is inside. */
export interface Subject {
  /** Returns the status, or throws. */
  request(key: string): Promise<number>;
  close(): Promise<void>;
}

export type SubjectFactory = (backends: Backends) => Subject;

const message = { path: '/', method: 'GET' } as const;

async function status(response: Promise<Dispatcher.ResponseData>): Promise<number> {
  const { statusCode, body } = await response;
  await body.dump();
  return statusCode;
}

function ours(options: Omit<LoadBalancerOptions<{ id: string; url: string }>, 'endpoints'>): SubjectFactory {
  return ({ urls }) => {
    const agent = new Agent();
    const lb = new LoadBalancer({ endpoints: urls.map((url, i) => ({ id: `${i}`, url })), ...options });
    return {
      request: key =>
        lb
          .run(
            async ({ endpoint: { url }, signal }) => {
              const response = await agent.request({ ...message, origin: url, signal });
              await response.body.dump();
              return response;
            },
            { key, idempotent: true },
          )
          .then(({ statusCode }) => statusCode),
      async close() {
        await lb.close();
        await agent.destroy();
      },
    };
  };
}

/** One name with all the addresses, each new connection to the next: sixteen to each. */
function roundRobinPool({ addresses, port }: Backends): Subject {
  let next = 0;
  const lookup: LookupFunction = (_, options, done) => {
    const address = addresses[next++ % addresses.length]!;
    if (options.all === true) done(null, [{ address, family: 4 }]);
    else done(null, address, 4);
  };
  const pool = new RoundRobinPool(`http://backends.test:${port}`, {
    connections: 16 * addresses.length,
    connect: { lookup },
  });
  return { request: () => status(pool.request(message)), close: () => pool.destroy() };
}

function balancedPool({ urls }: Backends): Subject {
  const pool = new BalancedPool(urls);
  return { request: () => status(pool.request(message)), close: () => pool.destroy() };
}

export const peers: Readonly<Record<string, SubjectFactory>> = {
  'undici BalancedPool': balancedPool,
  'undici RoundRobinPool': roundRobinPool,
};

async function askedByHttp({ endpoint: { url }, signal }: ProbeContext): Promise<Load> {
  const { body } = await request(`${url}/load`, { signal });
  return (await body.json()) as Load;
}

const policies = {
  'peakEwma()': peakEwma(),
  'leastRequests()': leastRequests(),
  'roundRobin()': roundRobin(),
  'weightedRoundRobin()': weightedRoundRobin(),
  'random()': random(),
  'prequal()': prequal({ probe: askedByHttp }),
  'consistent()': consistent(),
  'consistent(loadFactor 1.25)': consistent(undefined, { loadFactor: 1.25 }),
};

const eachPolicy = (
  variant: string,
  options: Omit<LoadBalancerOptions<{ id: string; url: string }>, 'endpoints' | 'policy'>,
) =>
  Object.fromEntries(
    Object.entries(policies).map(([name, policy]) => [`${name}${variant}`, ours({ ...options, policy })]),
  );

/** As they are, but without retries. */
export const withoutRetry: Readonly<Record<string, SubjectFactory>> = eachPolicy('', { retry: false });
/** With the retries there are by default. */
export const withRetry: Readonly<Record<string, SubjectFactory>> = eachPolicy(' + retry', {});
/** The policies alone. */
export const alone: Readonly<Record<string, SubjectFactory>> = eachPolicy(' alone', {
  retry: false,
  outlier: false,
});
