import { deepEqual, equal, rejects } from 'node:assert/strict';
import type { MoveBackend, MoveContext, MoveSpec } from '../moves/move-backend.ts';
import { isFenceRefusal } from '../running/refusals.ts';
import type { MoveSubject } from './subject.ts';

export function context(token = 1n): MoveContext {
  return { token, signal: AbortSignal.timeout(60_000), progress() {} };
}

export type Step = 'prepare' | 'copy' | 'lag' | 'verify' | 'fence' | 'drain' | 'recheck' | 'turn';

type Call = (backend: MoveBackend, move: MoveSpec, token: bigint) => Promise<void>;

/** The steps up to the change of the map, in their order. */
const calls: Readonly<Record<Step, Call>> = {
  prepare: (backend, move, token) => backend.prepare(move, context(token)),
  copy: (backend, move, token) => backend.copy(move, context(token)),
  lag: (backend, move, token) => untilEqual(backend, move, token),
  verify: async (backend, move, token) =>
    deepEqual((await backend.verify(move, context(token))).differences, []),
  fence: (backend, move, token) => backend.fence(move, context(token), 2_000),
  drain: (backend, move, token) => backend.drain(move, context(token)),
  recheck: async (backend, move, token) =>
    deepEqual((await backend.recheck(move, context(token))).differences, []),
  turn: (backend, move, token) => backend.turn(move, context(token)),
};

export const steps: readonly Step[] = Object.keys(calls) as Step[];

export function step(backend: MoveBackend, move: MoveSpec, name: Step, token = 1n): Promise<void> {
  return calls[name](backend, move, token);
}

/** Runs the steps from one to another, both included. */
export async function run(
  backend: MoveBackend,
  move: MoveSpec,
  { from = 'prepare', to = 'turn', token = 1n }: { from?: Step; to?: Step; token?: bigint } = {},
): Promise<void> {
  for (const name of steps.slice(steps.indexOf(from), steps.indexOf(to) + 1))
    await step(backend, move, name, token);
}

async function untilEqual(backend: MoveBackend, move: MoveSpec, token: bigint): Promise<void> {
  // Nobody writes meanwhile, so it ends; its waits are those of the backend
  while ((await backend.lag(move, context(token))).lagMs > 1_000);
}

/** The same move, as it is rolled back. */
export function backwards(move: MoveSpec): MoveSpec {
  return { ...move, from: move.to, to: move.from };
}

/** Fills the source, and answers its rows. */
export async function filled(subject: MoveSubject): Promise<Record<string, string>> {
  const rows: Record<string, string> = {};
  for (const key of [...subject.moved, ...subject.others]) {
    rows[key] = `first of ${key}`;
    await subject.write(subject.move.from, key, rows[key]);
  }
  return rows;
}

/** Writes a row, and what the rows are then. */
export async function put(
  subject: MoveSubject,
  shard: string,
  rows: Record<string, string>,
  key: string,
  value: string | undefined,
): Promise<void> {
  await subject.write(shard, key, value);
  if (value === undefined) delete rows[key];
  else rows[key] = value;
}

export async function refuses(subject: MoveSubject, shard: string, key: string): Promise<void> {
  // To delete what is not there need not be refused
  const isThere = Object.hasOwn(await subject.rows(shard), key);
  for (const value of isThere ? ['refused', undefined] : ['refused'])
    await rejects(subject.write(shard, key, value), isFenceRefusal, `${shard} does not refuse ${key}`);
}

/** That a shard has these rows. */
export async function hasRows(
  subject: MoveSubject,
  shard: string,
  rows: Readonly<Record<string, string>>,
): Promise<void> {
  deepEqual({ ...(await subject.rows(shard)) }, { ...rows });
}

export async function leaksNothing(
  subject: MoveSubject,
  backend: MoveBackend,
  current: readonly string[] = [],
): Promise<void> {
  for (const shard of [subject.move.from, subject.move.to]) {
    const leaks = await backend.leaks(shard, current);
    equal(leaks.join('; '), '', `what is left at ${shard}`);
  }
}

export function only(
  rows: Readonly<Record<string, string>>,
  keys: readonly string[],
): Record<string, string> {
  return Object.fromEntries(Object.entries(rows).filter(([key]) => keys.includes(key)));
}
