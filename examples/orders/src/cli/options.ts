import { describe } from '@ashlar/core';
import { type Flags, flagsHelp, readFlags, UsageError } from '@workspace/program';
import { type DriverName, driverNames } from '../backends/backend.ts';

export interface Options {
  readonly driver: DriverName;
  /** Of its server. */
  readonly url: string | undefined;
  /** Of the PostgreSQL whose transactions commit orders with their events; without, both are in memory. */
  readonly outboxUrl: string | undefined;
  readonly orders: number;
  readonly perSecond: number;
  readonly killEveryMs: number;
  readonly json: boolean;
}

/** The protocols of a URL, and where the server is unless that is said. */
const redis = { protocols: ['redis:', 'rediss:'], usual: 'redis://127.0.0.1:6379' };
const nats = { protocols: ['nats:'], usual: 'nats://127.0.0.1:4222' };
const postgres = {
  protocols: ['postgres:', 'postgresql:'],
  usual: 'postgres://postgres@127.0.0.1:5432/postgres',
};
const rabbitmq = { protocols: ['amqp:', 'amqps:'], usual: 'amqp://127.0.0.1:5672' };
const servers: Readonly<Partial<Record<DriverName, typeof redis>>> = {
  redis,
  bullmq: redis,
  postgres,
  rabbitmq,
  nats,
};

const flags: Flags = {
  driver: { value: 'NAME', help: `${driverNames.join(', ')} (memory)` },
  url: { value: 'URL', help: 'of its server (on this machine); memory and zeromq need none' },
  outbox: {
    value: 'URL',
    help: 'keep orders and events on this PostgreSQL, postgres://user:password@host/database',
  },
  orders: { value: 'COUNT', help: 'how many are placed (300)' },
  'per-second': { value: 'COUNT', help: 'so many a second (60)' },
  'kill-every-ms': { value: 'MS', help: 'between two deaths of the worker (800)' },
  json: { help: 'the result as JSON; the events go to stderr' },
  help: { help: 'this text' },
};

/** @throws UsageError. `undefined` when help was asked for. */
export function readOptions(args: readonly string[]): Options | undefined {
  const given = readFlags(args, flags);
  if (given.has('help')) return undefined;
  const driver = driverOf(given.get('driver') ?? 'memory');
  return {
    driver,
    url: urlOf(driver),
    outboxUrl: given.url('outbox', postgres.protocols),
    orders: given.integer('orders', 300, [1, 100_000]),
    perSecond: given.integer('per-second', 60, [1, 2_000]),
    killEveryMs: given.integer('kill-every-ms', 800, [100, 60_000]),
    json: given.has('json'),
  };

  function urlOf(driver: DriverName): string | undefined {
    const server = servers[driver];
    if (server !== undefined) return given.url('url', server.protocols) ?? server.usual;
    if (given.has('url'))
      throw new UsageError(`--url is for a driver with a server, and ${driver} needs none`);
    return undefined;
  }
}

export function help(): string {
  return flagsHelp(
    'A shop whose billing worker is killed again and again: every order is charged, none twice.',
    flags,
  );
}

function driverOf(name: string): DriverName {
  const driver = driverNames.find(known => known === name);
  if (driver !== undefined) return driver;
  throw new UsageError(`--driver must be one of ${driverNames.join(', ')}, got ${describe(name)}`);
}
