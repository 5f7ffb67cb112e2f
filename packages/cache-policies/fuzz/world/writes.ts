import { WriteError } from '../../src/index.ts';
import type { Call } from '../verdict/calls.ts';
import type { Version } from '../verdict/history.ts';
import type { World } from './world.ts';

/** Whether the strategy accepts writes before the source has them. */
export function isBehind({ setup: { write } }: World): boolean {
  return write === 'writeBehind' || write === 'journal';
}

/** A write has resolved: nothing older may be read. */
export function written(world: World, version: Version, { name, cache }: Call): void {
  const { history, time } = world;
  const now = time.clock.now();
  if (!history.isApplied(version)) {
    world.fail('acknowledged too soon', `${name} resolved, and the source has not got it`);
  }
  if (version.end === Number.POSITIVE_INFINITY) version.end = history.tick();
  version.storedAt = now;
  history.settle(version, isBehind(world) ? cache : 'all', now);
}

/** A write was rejected: the source may have it all the same, and then nothing older may be read either. */
export function unwritten(world: World, version: Version, call: Call, error: unknown): void {
  const { setup, history, time, tierFailedAt } = world;
  const now = time.clock.now();
  const outcome = error instanceof WriteError ? error.outcome : undefined;
  const isApplied = history.isApplied(version);
  if (isBehind(world) ? outcome === undefined : !isApplied) {
    if (outcome === 'Executed') world.fail('wrong outcome', 'Executed, and the source has not got it');
    history.drop(version);
    return;
  }
  version.storedAt = now;
  if (setup.write === 'none' || isBehind(world)) version.end = history.tick();
  // refused before anything was done: without a strategy the tiers do not know of it
  if (outcome === undefined) return;
  if (setup.write !== 'none' && outcome === 'NotExecuted') {
    world.fail('wrong outcome', 'NotExecuted, and the source has it');
  }
  const isKnown = !isBehind(world) && tierFailedAt <= call.tick;
  history.settle(version, isKnown ? 'all' : call.cache, now);
}
