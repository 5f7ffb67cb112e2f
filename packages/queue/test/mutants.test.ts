import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it } from 'vitest';
import { queueConformance, type Subject } from '../src/conformance.ts';
import {
  type Delivery,
  type Driver,
  type MemoryCapabilities,
  memoryDriver,
  type OutgoingMessage,
} from '../src/index.ts';

type Memory = Driver<MemoryCapabilities>;
/** What a broken driver does in place of the right thing; `onBreak` when its connections break. */
type Break = (driver: Memory) => Partial<Memory> & { readonly onBreak?: () => Promise<void> };

const { capabilities } = memoryDriver();

function mutant(broken: Break): () => Promise<Subject> {
  return async () => {
    const clock = new ManualClock();
    const right = memoryDriver({ clock });
    const methods = Object.fromEntries(
      (
        [
          'declare',
          'publish',
          'consume',
          'inspect',
          'redrive',
          'purge',
          'stats',
          'probe',
          'find',
          'cancel',
          'pause',
          'resume',
        ] as const
      ).map(name => [name, (right[name] as (...args: unknown[]) => unknown).bind(right)]),
    );
    const { onBreak = async () => {}, ...wrong } = broken(right);
    const driver = {
      capabilities,
      leaseMs: right.leaseMs,
      ...methods,
      ...wrong,
      [Symbol.asyncDispose]: () => right[Symbol.asyncDispose](),
    } as unknown as Memory;
    return {
      driver,
      pass: ms => clock.advance(ms),
      break: onBreak,
      [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
    };
  };
}

/** Runs one test of the suite on a driver. */
async function run(test: string, broken: Break): Promise<void> {
  const tests = new Map<string, () => Promise<void> | void>();
  const it = (name: string, body: () => Promise<void> | void) => tests.set(name, body);
  const runner = { describe: (_: string, body: () => void) => body(), it: Object.assign(it, { skip() {} }) };
  queueConformance(runner, mutant(broken), { name: 'a mutant', capabilities, features: { breaks: true } });
  await tests.get(test)!();
}

/** Changes each delivery before the consumer has it. */
function delivering(
  driver: Memory,
  change: (delivery: Delivery) => Delivery | Promise<Delivery>,
): Partial<Memory> {
  return {
    async *consume(...args) {
      for await (const delivery of driver.consume(...args)) yield await change(delivery);
    },
  };
}

function publishing(driver: Memory, change: (message: OutgoingMessage) => OutgoingMessage): Partial<Memory> {
  return { publish: (topic, batch, settings) => driver.publish(topic, batch.map(change), settings) };
}

/** What a driver could do wrong, and by which test it is found. */
const mutants: Record<string, readonly [caughtBy: string, broken: Break]> = {
  'acknowledges before the handler': [
    'no consumer holds more than its prefetch',
    driver =>
      delivering(driver, async delivery => {
        await delivery.ack();
        return delivery;
      }),
  ],
  'loses what its consumer did not settle': [
    'a lease that ends gives the message to another',
    driver => ({
      async *consume(...args) {
        const open = new Set<Delivery>();
        try {
          for await (const delivery of driver.consume(...args)) {
            open.add(delivery);
            yield delivery;
          }
        } finally {
          for (const delivery of open) await delivery.ack().catch(() => {});
        }
      },
    }),
  ],
  'forgets how often it failed': [
    'what fails comes again, and its failures are counted',
    driver => delivering(driver, delivery => ({ ...own(delivery), failures: 0 })),
  ],
  'counts what is given back': [
    'what is given back counts as never handed out',
    driver =>
      delivering(driver, delivery => ({
        ...own(delivery),
        nack: ({ charge: _, ...options }) => delivery.nack(options),
      })),
  ],
  'lets a zombie settle': [
    'a lease that ends gives the message to another',
    driver =>
      delivering(driver, delivery => ({ ...own(delivery), ack: () => delivery.ack().catch(() => {}) })),
  ],
  'does not extend': [
    'a lease that ends gives the message to another',
    driver => delivering(driver, delivery => ({ ...own(delivery), extend: async () => {} })),
  ],
  'tries again at once': [
    'what fails waits for its pause, and holds up no other',
    driver =>
      delivering(driver, delivery => ({
        ...own(delivery),
        nack: options => delivery.nack({ ...options, requeueAfterMs: 0 }),
      })),
  ],
  'drops what it should bury': [
    'a dead letter keeps all that is known, and is not delivered',
    driver =>
      delivering(driver, delivery => ({
        ...own(delivery),
        nack: options => (options.dead === undefined ? delivery.nack(options) : delivery.ack()),
      })),
  ],
  'confirms what nobody receives': [
    'a message without a group is refused, or dropped when that is allowed',
    driver => ({
      publish: (topic, batch) => driver.publish(topic, batch, { allowUnrouted: true }),
    }),
  ],
  'hands out more than there are places for': [
    'no consumer holds more than its prefetch',
    driver => ({
      consume: (topic, group, options) =>
        driver.consume(topic, group, { ...options, prefetch: options.prefetch + 1 }),
    }),
  ],
  'reads ahead of who is slow': [
    'one that is slow keeps no more than its places from the others',
    driver => ({
      async *consume(topic, group, options) {
        const ahead: Delivery[] = [];
        for await (const delivery of driver.consume(topic, group, { ...options, prefetch: 50 })) {
          ahead.push(delivery);
          if (ahead.length === 50) yield* ahead.splice(0);
        }
      },
    }),
  ],
  'drops what waits when it connects again': [
    'a group is there still when connections have broken while nobody consumed',
    driver => ({
      async onBreak() {
        const stop = new AbortController();
        const { waiting } = await driver.stats!('topic', 'group');
        let dropped = 0;
        if (waiting === 0) return;
        for await (const each of driver.consume('topic', 'group', { prefetch: 1, signal: stop.signal })) {
          await each.ack();
          if (++dropped === waiting) stop.abort();
        }
      },
    }),
  ],
  'publishes to one group only': [
    'each group receives every message',
    driver => {
      const first = new Map<string, string>();
      return {
        async declare(topic, group) {
          if (!first.has(topic)) first.set(topic, group);
          if (first.get(topic) === group) await driver.declare(topic, group);
        },
      };
    },
  ],
  'shows what one group fails to all of them': [
    'what one group fails, no other receives again',
    driver =>
      delivering(driver, delivery => ({
        ...own(delivery),
        async nack() {
          await delivery.ack();
          await againForAll(driver, delivery);
        },
      })),
  ],
  'sends a dead letter to all groups again': [
    'what one group has lost, or sends again from its dead letters, no other receives',
    driver => ({
      async redrive(topic, group, selection) {
        const letters = await driver.inspect!(topic, group, { limit: 100 });
        const count = await driver.purge!(topic, group, selection);
        for (const letter of letters) await againForAll(driver, letter);
        return count;
      },
    }),
  ],
  'counts a dead letter as often as it is named': [
    'dead letters are sent again with new budgets',
    driver => ({
      async redrive(topic, group, selection) {
        const count = await driver.redrive!(topic, group, selection);
        return count && (selection.ids?.length ?? count);
      },
    }),
  ],
  'claims nothing under a limit that it cannot hold in 32 bits': [
    'limits may be as large as an integer can be',
    driver => ({
      consume(topic, group, options) {
        const { rate, keyRate, keyConcurrency } = options.limits ?? {};
        const counts = [rate?.count, keyRate?.count, keyConcurrency];
        if (counts.some(count => count !== undefined && count >= 2 ** 31)) throw new Error('out of range');
        return driver.consume(topic, group, options);
      },
    }),
  ],
  'forgets ids': [
    'a message arrives as it was published',
    driver => {
      let made = 0;
      return publishing(driver, message => ({ ...message, id: `${message.id}-${made++}` }));
    },
  ],
  'ignores delays': [
    'a delayed message comes after its time',
    driver => publishing(driver, ({ delayMs: _, ...message }) => message),
  ],
  'ignores priorities': [
    'higher priorities come first',
    driver => publishing(driver, ({ priority: _, ...message }) => message),
  ],
  'ignores expiry': [
    'a message whose time is over is not handed out',
    driver => publishing(driver, ({ expiresInMs: _, ...message }) => message),
  ],
  'keeps keys of deduplication after a crash': [
    'simple: while a message with the key is not settled, no other comes',
    driver => {
      const taken = new Set<string>();
      return {
        async publish(topic, batch, settings) {
          const [first] = batch;
          const { deduplication } = first ?? {};
          if (deduplication?.mode !== 'simple') return driver.publish(topic, batch, settings);
          if (taken.has(deduplication.key)) return [{ ok: true, isDuplicate: true }];
          taken.add(deduplication.key);
          return driver.publish(topic, batch, settings);
        },
      };
    },
  ],
  'says that it pauses': [
    'a paused group is handed nothing, in any process, until it is resumed',
    () => ({ async pause() {} }),
  ],
  'says that it cancels': [
    'a canceled message does not come, and is lost to whom it was given',
    driver => {
      const canceled = new Set<string>();
      return {
        async cancel(topic, group, id) {
          if (canceled.has(id) || (await driver.find!(topic, group, id)) === undefined) return false;
          canceled.add(id);
          return true;
        },
      };
    },
  ],
  'mixes up the order of a key': [
    'messages of a key come in order, one at a time',
    driver => ({
      consume: (topic, group, { ordered: _, ...options }) => driver.consume(topic, group, options),
    }),
  ],
  'serves one key first': [
    'a key with few messages does not wait for one with many',
    driver => ({
      consume: (topic, group, { fair: _, ...options }) => driver.consume(topic, group, options),
    }),
  ],
  'heeds no limit': [
    'no key has more in hands than its limit',
    driver => ({
      consume: (topic, group, { limits: _, ...options }) => driver.consume(topic, group, options),
    }),
  ],
};

let republished = 0;
async function againForAll(driver: Memory, { body, headers }: OutgoingMessage | Delivery): Promise<void> {
  await driver.publish('topic', [{ id: `again-${++republished}`, body, headers }]);
}

/** A delivery's properties, which are its class's. */
function own(delivery: Delivery): Delivery {
  const { id, body, headers, key, deliveries, failures = 0 } = delivery;
  return {
    ...{ id, body, headers, key, deliveries, failures },
    ack: options => delivery.ack(options),
    nack: options => delivery.nack(options),
    extend: ms => delivery.extend(ms),
    progress: value => delivery.progress!(value),
  };
}

describe('the conformance suite', () => {
  for (const [name, [caughtBy, broken]] of Object.entries(mutants)) {
    it(`finds a driver that ${name}: ${caughtBy}`, async () => {
      await expect(run(caughtBy, broken)).rejects.toThrow();
    });
  }

  it('finds nothing in a driver that only passes its calls on', async () => {
    for (const test of new Set(Object.values(mutants).map(([caughtBy]) => caughtBy)))
      await run(test, () => ({}));
  });
});
