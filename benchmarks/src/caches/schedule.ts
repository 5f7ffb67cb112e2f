import { type Random, seededRandom } from '@ashlar/core';
import type { GatedSource } from './gated-source.ts';
import type { Instance } from './library.ts';

/** What happens next: an instance is asked or written to, or something that waits in the source goes on. */
export type Step =
  | { readonly kind: 'read' | 'write'; readonly instance: number }
  | { readonly kind: 'release'; readonly choice: number };

const length = 20;

export function* schedules(seed: number, count: number): Generator<readonly Step[]> {
  const random = seededRandom(seed);
  for (let i = 0; i < count; i++) yield Array.from({ length }, () => step(random));
}

function step(random: Random): Step {
  const draw = random();
  const choice = Math.floor(random() * 1_000);
  if (draw < 0.35) return { kind: 'read', instance: choice };
  if (draw < 0.5) return { kind: 'write', instance: choice };
  return { kind: 'release', choice };
}

export interface Stage {
  readonly source: GatedSource;
  readonly instances: readonly Instance[];
  /** Resolves when nothing is under way but what waits in the source: all messages have been heard. */
  quiet(): Promise<void>;
}

/**
 * Whether some read answered with what a write had replaced that was over, messages and all, before the read began.
 * There is one writer at a time, so that the greatest value is the newest.
 */
export async function isWrong(
  { source, instances, quiet }: Stage,
  key: string,
  steps: readonly Step[],
): Promise<boolean> {
  const under: Promise<unknown>[] = [];
  let [isWriting, wrong] = [false, false];
  let [newest, over] = [0, 0];
  const read = async (instance: Instance) => {
    const least = over;
    const value = await instance.get(key);
    if (value === undefined || value < least) wrong = true;
  };
  const write = async (instance: Instance) => {
    isWriting = true;
    await instance.write(key, ++newest);
    isWriting = false;
  };
  for (const step of steps) {
    if (step.kind === 'release') source.release(step.choice);
    else {
      const instance = instances[step.instance % instances.length]!;
      if (step.kind === 'read') under.push(read(instance));
      else if (!isWriting) under.push(write(instance));
    }
    await quiet();
    if (!isWriting) over = newest;
  }
  await source.finish(Promise.all(under));
  await quiet();
  over = newest;
  for (const instance of instances) await source.finish(read(instance));
  return wrong;
}
