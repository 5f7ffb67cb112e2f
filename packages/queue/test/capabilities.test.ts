import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { bullmq } from '../src/adapters/bullmq.ts';
import { nats } from '../src/adapters/nats.ts';
import { postgresDriver } from '../src/adapters/postgres.ts';
import { rabbitmq } from '../src/adapters/rabbitmq.ts';
import { redisStreams } from '../src/adapters/redis-streams.ts';
import { zeromq } from '../src/adapters/zeromq.ts';
import {
  type Capabilities,
  type Driver,
  memoryDriver,
  messages,
  Queue,
  UnsupportedError,
} from '../src/index.ts';

/** Each driver in the ways that differ in what it can do, the default first. None of them connects. */
const drivers: Readonly<Record<string, Readonly<Record<string, Driver>>>> = {
  memoryDriver: { '': memoryDriver() },
  redisStreams: { '': redisStreams({ redis: new Redis({ lazyConnect: true }) }) },
  bullmq: { '': bullmq({ connection: new Redis({ lazyConnect: true }) }) },
  zeromq: {
    '': zeromq({ connect: 'inproc://nowhere' }),
    'durable: true': zeromq({ connect: 'inproc://nowhere', durable: true }),
  },
  nats: { '': nats({ connection: {} }) },
  postgresDriver: { '': postgresDriver({ pool: new pg.Pool() }) },
  rabbitmq: {
    '': rabbitmq({ url: 'amqp://localhost' }),
    "queueType: 'classic'": rabbitmq({ url: 'amqp://localhost', queueType: 'classic' }),
    'priorities: true': rabbitmq({ url: 'amqp://localhost', priorities: true }),
  },
};

/** What the rows of the README's table are about. `durable` is a row of many words: "a crash may take back". */
const rows: Readonly<Record<Exclude<keyof Capabilities, 'durable'>, string>> = {
  delay: 'delays',
  priority: 'priorities',
  fanout: 'several groups',
  orderedKeys: 'order by key (`ordered`)',
  fairness: 'fairness between keys (`fair`)',
  limits: 'limits of rate and concurrency (`limits`)',
  deadLetters: 'dead letters',
  crashCount: 'counts crashes (`crashes`)',
  jobs: 'pause, and jobs by id: `find`, `cancel`, `results`, `progress`',
  deduplication: 'keys of `deduplication`',
  uniqueIds: 'one message for a repeated `id`',
  transactions: 'publish in your transaction (`tx`)',
  expiry: 'expiry (`expiresInMs`)',
};

const drivenBy = (name: string, way: string) => `\`${name}\`${way && ` with ${way}`}`;

/** Of a cell, what it says of a driver that was made in one of its ways. */
function says(cell: string, way: string): boolean {
  const [, not, conditions] = /^(not )?with (`[^`]+`(?: or `[^`]+`)*)/.exec(cell) ?? [];
  if (conditions !== undefined)
    return conditions.split(' or ').includes(`\`${way}\``) !== (not !== undefined);
  return !/^(no$|by `outbox`$)/.test(cell);
}

describe('the table of drivers in the README', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [section = ''] = /\n## Drivers\n\n\|.*?\n\n/s.exec(readme) ?? [];
  const [head = [], , ...body] = section
    .trim()
    .split('\n')
    .slice(2)
    .map(line => line.split('|').slice(1, -1))
    .map(cells => cells.map(cell => cell.trim()));
  const columns = new Map(head.map((cell, index) => [/^`(\w+)\(/.exec(cell)?.[1], index]));

  it.each(Object.entries(rows))('says of each driver whether it has %s', (capability, label) => {
    const row = body.find(([first]) => first === label) ?? [];
    const said: Record<string, boolean> = {};
    const is: Record<string, boolean> = {};
    for (const [name, ways] of Object.entries(drivers)) {
      for (const [way, { capabilities }] of Object.entries(ways)) {
        said[drivenBy(name, way)] = says(row[columns.get(name)!] ?? '', way);
        is[drivenBy(name, way)] = capabilities[capability as keyof Capabilities] === true;
      }
    }
    expect(said).toEqual(is);
  });
});

/** What needs a capability: an option, or a method. */
const needs: { readonly [C in keyof Capabilities]?: Readonly<Record<string, Call>> } = {
  delay: { delayMs: publish({ delayMs: 10 }) },
  priority: { priority: publish({ priority: 3 }) },
  expiry: { expiresInMs: publish({ expiresInMs: 10 }) },
  deduplication: { deduplication: publish({ deduplication: { key: 'a', mode: 'simple' } }) },
  transactions: { tx: publish({ tx: {} }) },
  orderedKeys: { ordered: subscribe({ ordered: true }) },
  fairness: { fair: subscribe({ fair: true }) },
  limits: { limits: subscribe({ limits: { keyConcurrency: 1 } }) },
  crashCount: { crashes: subscribe({ crashes: 3 }) },
  jobs: {
    results: subscribe({ results: true }),
    find: queue => queue.find('work', '1'),
    cancel: queue => queue.cancel('work', '1'),
    pause: queue => queue.pause('work'),
    resume: queue => queue.resume('work'),
  },
};

type AnyQueue = Queue<{ work: number }, Capabilities>;
type Call = (queue: AnyQueue) => Promise<unknown>;

function publish(options: object): Call {
  return queue => queue.publish('work', 1, options);
}

function subscribe(options: object): Call {
  return queue => queue.subscribe('work', () => {}, options);
}

for (const [name, ways] of Object.entries(drivers)) {
  for (const [way, driver] of Object.entries(ways)) {
    it(`${drivenBy(name, way)} refuses what it cannot honor, before it asks its server`, async () => {
      const queue: AnyQueue = new Queue(driver, { messages: messages<{ work: number }>() });
      for (const [capability, calls] of Object.entries(needs)) {
        if (driver.capabilities[capability as keyof Capabilities] === true) continue;
        for (const [feature, call] of Object.entries(calls)) {
          const error = await call(queue).catch((error: unknown) => error);
          expect(error, feature).toBeInstanceOf(UnsupportedError);
          expect(error).toMatchObject({ feature, driver: driver.kind });
        }
      }
    });
  }
}
