import { describe, expect, it, vi } from 'vitest';
import type { Step } from '../fuzz/plan/plan.ts';
import { type FuzzOptions, fuzz } from '../fuzz/run.ts';
import type { Delivery, Driver } from '../src/index.ts';
import { withMethods } from './support/with-methods.ts';

/** Changes some methods of each driver. */
function broken(methods: (driver: Driver) => Partial<Driver>): NonNullable<FuzzOptions['wrap']> {
  return driver => withMethods(driver, methods(driver));
}

/** Changes each delivery. */
function delivering(change: (delivery: Delivery) => Partial<Delivery>): NonNullable<FuzzOptions['wrap']> {
  return broken(driver => ({
    async *consume(...args) {
      for await (const delivery of driver.consume(...args)) {
        const changed = change(delivery);
        yield new Proxy(delivery, {
          get(target, name) {
            const value = Reflect.get(changed, name) ?? Reflect.get(target, name);
            return typeof value === 'function' ? value.bind(target) : value;
          },
        });
      }
    },
  }));
}

/** Cases are played as fast as the machine lets them; this only ends what hangs. */
vi.setConfig({ testTimeout: 600_000 });

describe('fuzzing the drivers', () => {
  const at = { process: 0, group: 'billing' } as const;
  const declare: Step = { step: 'declare', ...at };
  const open: Step = { step: 'open', ...at, prefetch: 10 };

  it('finds nothing on any of them', async () => {
    const { cases, findings, uncaught, skipped } = await fuzz({ seed: 1, runs: 100, withinMs: 8_000 });
    for (const reason of skipped) console.warn(`not fuzzed: ${reason}`);
    expect(findings).toEqual([]);
    expect(uncaught).toEqual([]);
    for (const count of Object.values(cases)) expect(count).toBeGreaterThan(0);
  });

  it('finds nothing where a child is handed out once more after its parent, which BullMQ does not hold back again', async () => {
    const settle = (how: 'ack' | 'giveBack', held: number): Step => ({
      step: 'settle',
      each: [how === 'ack' ? { how, held } : { how, held, pauseMs: 0 }],
    });
    const steps: Step[] = [
      declare,
      open,
      { step: 'raw', group: 'billing', jobs: [{ children: 1 }] },
      settle('ack', 0),
      { step: 'rawJob', group: 'billing', op: 'retry', message: 1 },
      settle('giveBack', 0),
      settle('giveBack', 1),
      settle('ack', 1),
    ];
    const each = steps.flatMap((step): Step[] => [step, { step: 'wait', ms: 300 }]);
    const plan = { processes: 1, sharing: 'any', steps: each } as const;
    const { findings } = await fuzz({ seed: 1, runs: 1, withinMs: 60_000, only: ['bullmq'], plan });
    expect(findings).toEqual([]);
  });

  const planted = {
    seed: 1,
    runs: 2_000,
    withinMs: 25_000,
    only: ['memory'],
    first: true,
    patienceMs: 500,
    shrinkMs: 1_000,
  } as const;

  interface Planted {
    readonly wrap: NonNullable<FuzzOptions['wrap']>;
    readonly complaint: RegExp;
    /** Of what few cases have. */
    readonly steps?: readonly Step[];
  }
  const faults: Record<string, Planted> = {
    'a confirmed message that is lost': {
      wrap: broken(driver => ({
        publish: (topic, batch, settings) => {
          const kept = batch.filter(({ priority }) => priority !== 7);
          const lost = batch.map(() => ({ ok: true }) as const);
          return kept.length === batch.length
            ? driver.publish(topic, batch, settings)
            : Promise.resolve(lost);
        },
      })),
      complaint: /is lost/,
    },
    'an acknowledgement that is forgotten': {
      wrap: delivering(delivery =>
        delivery.deliveries === 2 ? { ack: () => delivery.nack({ charge: false }) } : {},
      ),
      complaint: /came again/,
    },
    'a failure that is not counted': {
      wrap: delivering(delivery => ({ nack: options => delivery.nack({ ...options, charge: false }) })),
      complaint: /deliveries in place of|failures in place of/,
    },
    'a pause that is cut short': {
      wrap: delivering(delivery => ({
        nack: ({ requeueAfterMs = 0, ...rest }) =>
          delivery.nack({ ...rest, requeueAfterMs: requeueAfterMs / 2 }),
      })),
      complaint: /before its time/,
    },
    'more in hands than there are places': {
      wrap: broken(driver => ({
        consume: (topic, group, options) =>
          driver.consume(topic, group, { ...options, prefetch: options.prefetch + 1 }),
      })),
      complaint: /in hands with a prefetch of/,
    },
    'order by key that is not kept': {
      wrap: broken(driver => ({
        consume: (topic, group, { ordered: _, ...options }) => driver.consume(topic, group, options),
      })),
      complaint: /of the key|of its key/,
    },
    'a dead letter that is dropped': {
      wrap: delivering(delivery => ({
        nack: options => (options.dead === undefined ? delivery.nack(options) : delivery.ack()),
      })),
      complaint: /is missing among the dead|in place of/,
    },
    'a priority that is not heeded': {
      wrap: broken(driver => ({
        publish: (topic, batch, settings) =>
          driver.publish(
            topic,
            batch.map(message => ({ ...message, priority: 0 })),
            settings,
          ),
      })),
      complaint: /of a higher priority/,
      steps: [
        declare,
        { step: 'publish', process: 0, messages: [{ bytes: 1 }] },
        { step: 'publish', process: 0, messages: [{ bytes: 1, priority: 7 }] },
        open,
      ],
    },
    'a pause that nobody heeds': {
      wrap: broken(driver => ({ pause: async (topic, group) => void (await driver.stats!(topic, group)) })),
      complaint: /while the group is paused/,
    },
    'a result that is not kept': {
      wrap: delivering(delivery => ({ ack: () => delivery.ack() })),
      complaint: /with the result/,
    },
    'progress that is not kept': {
      wrap: delivering(() => ({ progress: async () => {} })),
      complaint: /its progress is/,
    },
    'a job that is said to wait while it is in hands': {
      wrap: broken(driver => ({
        find: async (topic, group, id) => {
          const job = await driver.find!(topic, group, id);
          return job?.state === 'active' ? { ...job, state: 'waiting' } : job;
        },
      })),
      complaint: /and in hands/,
    },
    'statistics that leave out what is delayed': {
      wrap: broken(driver => ({
        stats: async (topic, group) => ({ ...(await driver.stats!(topic, group)), delayed: 0 }),
      })),
      complaint: /that are not settled/,
    },
    'a page of dead letters that begins too late': {
      wrap: broken(driver => ({
        inspect: async (topic, group, page) => {
          const letters = await driver.inspect!(topic, group, { ...page, limit: page.limit + 1 });
          return page.after === undefined ? letters.slice(0, page.limit) : letters.slice(1);
        },
      })),
      complaint: /the pages have/,
    },
    'an iteration that does not end': {
      wrap: broken(driver => ({
        consume: (topic, group, options) =>
          driver.consume(topic, group, { ...options, signal: new AbortController().signal }),
      })),
      complaint: /did not end with its signal/,
    },
  };
  for (const [name, { wrap, complaint, steps }] of Object.entries(faults)) {
    it(`finds ${name}`, async () => {
      const plan = steps && { plan: { processes: 1, sharing: 'any', steps } as const };
      const { findings } = await fuzz({ ...planted, ...plan, wrap });
      expect(findings.flatMap(({ complaints }) => complaints).join('\n')).toMatch(complaint);
    });
  }
});
