import { readFileSync } from 'node:fs';
import { InvalidOptionError } from '@ashlar/core';
import { Redis } from 'ioredis';
import pg from 'pg';
import { expect, it } from 'vitest';
import { bullmq } from '../../src/adapters/bullmq.ts';
import { nats } from '../../src/adapters/nats.ts';
import { postgresDriver } from '../../src/adapters/postgres.ts';
import { rabbitmq } from '../../src/adapters/rabbitmq.ts';
import { redisStreams } from '../../src/adapters/redis-streams.ts';
import { startBroker, zeromq } from '../../src/adapters/zeromq.ts';
import { memoryDriver } from '../../src/index.ts';

type Make = (options: Readonly<Record<string, unknown>>) => unknown;

const redis = new Redis({ lazyConnect: true });
/** None of them connects: each is given a value that no option takes. */
const makers: Readonly<Record<string, Make>> = {
  memoryDriver: options => memoryDriver(options),
  redisStreams: options => redisStreams({ redis, ...options }),
  bullmq: options => bullmq({ connection: redis, ...options } as never),
  zeromq: options => zeromq({ connect: 'inproc://nowhere', ...options }),
  nats: options => nats({ connection: {}, ...options }),
  postgresDriver: options => postgresDriver({ pool: new pg.Pool(), ...options }),
  rabbitmq: options => rabbitmq({ url: 'amqp://localhost', ...options }),
  startBroker: options => startBroker({ bind: 'nonsense', ...options }),
  log: options => startBroker({ bind: 'nonsense', log: { directory: '', ...options } }),
};
const names = Object.keys(makers);

async function refusal(name: string, option: string): Promise<string> {
  try {
    await makers[name]!({ [option]: Symbol('of no type') });
  } catch (error) {
    if (error instanceof InvalidOptionError) return error.message;
    throw error;
  }
  throw new Error(`${name} takes anything for \`${option}\``);
}

async function takes(name: string, option: string): Promise<boolean> {
  return !/ has no option /.test(await refusal(name, option));
}

/** `all but \`zeromq\``, or a list of names. */
function meant(cell: string): string[] {
  const named = [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name!);
  if (!cell.startsWith('all')) return named;
  return names.filter(name => name !== 'log' && !named.includes(name));
}

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const [, table = ''] = /\n\| option of \| name \|.*\n\|.*\n((?:\|.*\n)+)/.exec(readme) ?? [];
const rows = table
  .trim()
  .split('\n')
  .map(line => line.split('|').map(cell => cell.trim()))
  .map(([, of = '', name = '']) => ({ of: meant(of), option: name.replaceAll('`', '') }));

it.each(rows)('the README says rightly whose option `$option` is', async ({ of, option }) => {
  for (const name of names) {
    const isSaid = rows.some(row => row.option === option && row.of.includes(name));
    expect({ name, option, is: await takes(name, option) }).toEqual({ name, option, is: isSaid });
  }
  expect(of.length).toBeGreaterThan(0);
});

it.each(names)('the README has each option of %s', async name => {
  const [, list = ''] = /; it takes (.*)$/.exec(await refusal(name, 'x')) ?? [];
  const taken: string[] = [];
  // Some only beside others
  for (const option of list.split(', ')) if (await takes(name, option)) taken.push(option);
  const said = rows.filter(({ of }) => of.includes(name)).map(({ option }) => option);
  expect(said).toEqual(expect.arrayContaining(taken));
  expect(taken.length).toBeGreaterThan(0);
});
