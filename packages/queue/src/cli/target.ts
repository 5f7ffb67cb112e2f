import { MissingPeerError } from '@ashlar/core';
import { ConfigError, type Flags, type GivenFlags, importConfig, UsageError } from '@workspace/program';
import type { Capabilities, Driver, GroupStats } from '../driver.ts';
import { messages } from '../messages/messages.ts';
import { isName, nameShape } from '../names.ts';
import type { DeadLetterBox } from '../operating/dead-letter-box.ts';
import { Queue } from '../queue.ts';

/** What the commands need of a `Queue`, whatever its topics are. */
export interface AnyQueue {
  dead(topic: string, group: string): DeadLetterBox;
  stats(topic: string, group: string): Promise<GroupStats>;
  pause(topic: string, group: string): Promise<void>;
  resume(topic: string, group: string): Promise<void>;
  close(): Promise<void>;
}

/** A group, and the queue through which it is reached. */
export interface Target {
  readonly queue: AnyQueue;
  readonly topic: string;
  readonly group: string;
}

const protocols = [
  'redis:',
  'rediss:',
  'postgres:',
  'postgresql:',
  'amqp:',
  'amqps:',
  'nats:',
  'tcp:',
  'ipc:',
];

export const targetFlags: Flags = {
  config: {
    value: 'FILE',
    help: 'an ES module that exports a Queue or a driver, as `default`, `queue` or `driver`',
  },
  url: {
    value: 'URL',
    help: 'redis://… for redisStreams, postgres://… for postgresDriver, amqp://… for rabbitmq, nats://… for nats, tcp://… or ipc://… for zeromq, with their usual options',
  },
  prefix: {
    value: 'TEXT',
    help: 'the `prefix` of the driver (default ashlar-queue; in PostgreSQL ashlar_queue); with --url, not of zeromq',
  },
  topic: { value: 'NAME', help: 'the topic' },
  group: { value: 'NAME', help: 'the group (default: default)' },
};

/** Opens what the flags say, and closes it whatever becomes of the work. @throws UsageError, ConfigError */
export async function withTarget<T>(given: GivenFlags, work: (target: Target) => Promise<T>): Promise<T> {
  given.exclusive('config', 'url');
  given.exclusive('config', 'prefix');
  const topic = nameOf(given, 'topic');
  if (topic === undefined) throw new UsageError('--topic is needed: --topic NAME');
  const group = nameOf(given, 'group') ?? 'default';
  const queue = await openQueue(given);
  try {
    return await work({ queue, topic, group });
  } finally {
    await queue.close();
  }
}

function nameOf(given: GivenFlags, flag: 'topic' | 'group'): string | undefined {
  const name = given.get(flag);
  if (name === undefined || isName(name)) return name;
  throw new UsageError(`--${flag} must be ${nameShape}, got ${JSON.stringify(name)}`);
}

function openQueue(given: GivenFlags): Promise<AnyQueue> {
  const config = given.get('config');
  if (config !== undefined) return fromConfig(config);
  const url = given.url('url', protocols);
  if (url === undefined) throw new UsageError('say where the queue is: --config FILE or --url URL');
  const prefix = given.get('prefix');
  if (/^rediss?:/.test(url)) return fromRedis(url, prefix);
  if (/^postgres(ql)?:/.test(url)) return fromPostgres(url, prefix);
  if (/^amqps?:/.test(url)) return fromRabbitmq(url, prefix);
  return url.startsWith('nats:') ? fromNats(url, prefix) : fromZeromq(url);
}

async function fromPostgres(connectionString: string, prefix: string | undefined): Promise<AnyQueue> {
  const [{ postgresDriver }, { default: pg }] = await Promise.all([
    import('../adapters/postgres.ts'),
    import('pg').catch(cause => {
      throw new MissingPeerError('ashlar-queue --url postgres://…', 'pg', 'pg', { cause });
    }),
  ]);
  const pool = new pg.Pool({ connectionString, max: 2 });
  // An idle connection that breaks is replaced by the next statement
  pool.on('error', () => {});
  const queue = queueOver(postgresDriver({ pool, ...(prefix !== undefined && { prefix }) }));
  return {
    dead: (topic, group) => queue.dead(topic, group),
    stats: (topic, group) => queue.stats(topic, group),
    pause: (topic, group) => queue.pause(topic, group),
    resume: (topic, group) => queue.resume(topic, group),
    async close() {
      await queue.close();
      await pool.end();
    },
  };
}

async function fromRabbitmq(url: string, prefix: string | undefined): Promise<AnyQueue> {
  const { rabbitmq } = await import('../adapters/rabbitmq.ts');
  return queueOver(rabbitmq({ url, ...(prefix !== undefined && { prefix }) }));
}

async function fromNats(servers: string, prefix: string | undefined): Promise<AnyQueue> {
  const { nats } = await import('../adapters/nats.ts');
  return queueOver(nats({ connection: { servers }, ...(prefix !== undefined && { prefix }) }));
}

async function fromZeromq(connect: string): Promise<AnyQueue> {
  const { zeromq } = await import('../adapters/zeromq.ts');
  return queueOver(zeromq({ connect }));
}

async function fromConfig(file: string): Promise<AnyQueue> {
  const loaded = await importConfig(file);
  for (const found of [loaded['default'], loaded['queue'], loaded['driver']]) {
    const one = await found;
    if (has<AnyQueue>(one, ['dead', 'stats', 'pause', 'resume', 'close'])) return one;
    if (has<Driver>(one, ['declare', 'publish', 'consume'])) return queueOver(one);
  }
  const names = Object.keys(loaded).join(', ') || 'nothing';
  throw new ConfigError(
    `--config ${file} exports ${names}: it needs a Queue or a driver as \`default\`, \`queue\` or \`driver\``,
  );
}

async function fromRedis(url: string, prefix: string | undefined): Promise<AnyQueue> {
  const [{ redisStreams }, { Redis }] = await Promise.all([
    import('../adapters/redis-streams.ts'),
    import('ioredis').catch(cause => {
      throw new MissingPeerError('ashlar-queue --url redis://…', 'ioredis', 'ioredis', { cause });
    }),
  ]);
  const redis = new Redis(url, { lazyConnect: true });
  return queueOver(redisStreams({ redis, ...(prefix !== undefined && { prefix }) }));
}

function queueOver(driver: Driver<Capabilities>): AnyQueue {
  return new Queue(driver, { messages: messages<Record<string, unknown>>(), name: 'operator' });
}

function has<T>(value: unknown, methods: readonly (keyof T & string)[]): value is T {
  const found = value as Readonly<Record<string, unknown>> | null | undefined;
  return methods.every(name => typeof found?.[name] === 'function');
}
