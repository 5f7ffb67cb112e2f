import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it } from 'vitest';
import { type Discovery, type Endpoint, LoadBalancer } from '../src/index.ts';
import { until } from './support/until.ts';

const broken = {
  toString() {
    throw new Error('no text');
  },
};

describe('the snapshot', () => {
  it.each<[string, unknown, string]>([
    ['has no prototype', Object.assign(Object.create(null), { status: 503 }), 'an object with status'],
    ['cannot be a text', broken, 'an object with toString'],
    ['is a symbol', Symbol('down'), 'Symbol(down)'],
    ['is nothing', undefined, 'HealthCheckError: the check failed without an error'],
  ])('quotes an error of a check or a discovery that %s', async (_, error, text) => {
    const clock = new ManualClock();
    const check = async () => {
      throw error;
    };
    const lb = new LoadBalancer({ endpoints: [{ id: 'a' }], health: { check }, clock });
    await clock.advance(0);
    expect(lb.snapshot().endpoints[0]?.checkError).toBe(text);
    expect(() => JSON.stringify(lb.snapshot())).not.toThrow();
    await lb.close();
    if (error === undefined) return;
    const endpoints: Discovery<Endpoint> = {
      async *[Symbol.asyncIterator]() {
        yield [{ id: 'a' }];
        throw error;
      },
    };
    await using discovering = new LoadBalancer({ endpoints });
    await until(() =>
      expect(discovering.snapshot()).toMatchObject({ discovery: 'failed', discoveryError: text }),
    );
  });

  it('takes a set that throws such an error for one that is refused', async () => {
    const set = {
      [Symbol.iterator]() {
        throw Object.create(null);
      },
    };
    const endpoints = {
      async *[Symbol.asyncIterator]() {
        yield [{ id: 'a' }];
        yield set as never;
        yield [{ id: 'b' }];
      },
    };
    await using lb = new LoadBalancer<Endpoint>({ endpoints });
    await until(() => expect(lb.endpoints).toEqual([{ id: 'b' }]));
  });
});
