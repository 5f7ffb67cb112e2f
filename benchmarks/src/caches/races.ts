import { setImmediate as turn } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { GatedSource } from './gated-source.ts';
import { libraries } from './libraries.ts';
import type { How, Instance } from './library.ts';
import { isWrong, schedules } from './schedule.ts';

/** How many instances of the library there are, and how they are told of a write. */
export interface Way {
  readonly instances: 1 | 2;
  readonly how: How;
}

export const ways: readonly Way[] = [
  { instances: 1, how: 'delete' },
  { instances: 1, how: 'set' },
  { instances: 2, how: 'delete' },
  { instances: 2, how: 'set' },
];

export interface RaceOptions extends Way {
  readonly seed: number;
  readonly schedules: number;
  /** Of the Redis that two instances share. */
  readonly port: number;
}

export interface Race extends Way {
  readonly library: string;
  readonly seed: number;
  readonly schedules: number;
  /** In how many of them an old value was served. */
  readonly wrong: number;
}

export async function race(
  library: string,
  { instances: number, how, seed, schedules: count, port }: RaceOptions,
): Promise<Race> {
  const source = new GatedSource();
  const place = number === 1 ? undefined : { port, prefix: `${library}, ${how}` };
  const watch = place && new Redis({ port });
  const quiet = watch === undefined ? turns : () => serverIsQuiet(watch);
  const instances: Instance[] = [];
  try {
    while (instances.length < number) instances.push(await libraries[library]!({ source, how, place }));
    await quiet();
    let [wrong, name] = [0, 0];
    for (const steps of schedules(seed, count)) {
      if (await isWrong({ source, instances, quiet }, `key-${name++}`, steps)) wrong++;
    }
    return { library, instances: number, how, seed, schedules: count, wrong };
  } finally {
    for (const instance of instances) await instance.close();
    watch?.disconnect();
  }
}

/** All that needs no more than turns of the event loop has happened. */
async function turns(): Promise<void> {
  for (let i = 0; i < 3; i++) await turn();
}

/**
 * Twice in a row nobody else has sent the server anything between two questions to it, and what it sent before its
 * answers has been read.
 */
async function serverIsQuiet(redis: Redis): Promise<void> {
  let [before, inARow] = [0, 0];
  while (inARow < 2) {
    await turns();
    const now = Number(/total_commands_processed:(\d+)/.exec(await redis.info('stats'))![1]);
    inARow = now === before + 1 ? inARow + 1 : 0;
    before = now;
  }
  await turns();
}
