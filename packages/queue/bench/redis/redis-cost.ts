import type { Redis } from 'ioredis';

/** Of one message: microseconds of the wall, of this process, of the server; commands sent, and executed in all. */
export interface Cost {
  readonly wallUs: number;
  readonly clientUs: number;
  readonly serverUs: number;
  readonly sent: number;
  readonly executed: number;
}

/** Commands that a client sends; the others run inside of scripts. */
const sentCommands = new Set([
  'evalsha',
  'eval',
  'xreadgroup',
  'bzpopmin',
  'multi',
  'exec',
  'hkeys',
  'hset',
  'hgetall',
]);

export async function costOf(admin: Redis, messages: number, work: () => Promise<void>): Promise<Cost> {
  const server = async () => {
    const info = await admin.info('cpu');
    const field = (name: string) => Number(new RegExp(`${name}:([\\d.]+)`).exec(info)![1]);
    return (field('used_cpu_user') + field('used_cpu_sys')) * 1e6;
  };
  await admin.config('RESETSTAT');
  const [serverBefore, clientBefore, before] = [await server(), process.cpuUsage(), performance.now()];
  await work();
  const wallUs = ((performance.now() - before) * 1_000) / messages;
  const { user, system } = process.cpuUsage(clientBefore);
  const serverUs = ((await server()) - serverBefore) / messages;
  const stats = await admin.info('commandstats');
  const calls = [...stats.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)];
  const total = (from: readonly RegExpExecArray[]) =>
    from.reduce((sum, [, , calls]) => sum + Number(calls), 0);
  const sent = total(calls.filter(([, name]) => sentCommands.has(name!))) / messages;
  const executed = total(calls.filter(([, name]) => !/^(info|config)/.test(name!))) / messages;
  return { wallUs, clientUs: (user + system) / messages, serverUs, sent, executed };
}
