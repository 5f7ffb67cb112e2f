import { describe, expect, it } from 'vitest';
import * as core from '../src/index.ts';
import { Backoff, InvalidOptionError, seededRandom, sleep, withDeadline } from '../src/index.ts';
import { ManualClock } from '../src/testing.ts';

/** What is no number; and NaN, which is none either. */
const noNumbers = ['x', '5', Number.NaN, null, undefined, {}, [], true, 5n, () => 5];

async function failure(attempt: () => unknown): Promise<unknown> {
  try {
    await attempt();
  } catch (error) {
    return error;
  }
  return 'none';
}

describe('nonsense is refused with an InvalidOptionError', () => {
  const late = () => new Error('late');
  const refused: Record<string, readonly [option: string, attempts: readonly (() => unknown)[]]> = {
    'limits of a Backoff': [
      'firstMs',
      [{}, ...noNumbers.map(firstMs => ({ firstMs, maxMs: 5 }))].map(
        limits => () => new Backoff(limits as never),
      ),
    ],
    'the highest limit of a Backoff': [
      'maxMs',
      [...noNumbers, -1, Infinity].map(maxMs => () => new Backoff({ firstMs: 5, maxMs } as never)),
    ],
    'what has no limits': [
      'Backoff',
      [undefined, null, 5, 'x', []].map(each => () => new Backoff(each as never)),
    ],
    'a limit that is misspelled': ['firstms', [() => new Backoff({ firstms: 1, maxMs: 5 } as never)]],
    'the random of a Backoff': [
      'random',
      [5, 'x', null].map(random => () => new Backoff({ firstMs: 1, maxMs: 5 }, random as never)),
    ],
    'the time of a sleep': ['ms', noNumbers.map(ms => () => sleep(ms as never))],
    'the signal of a sleep': ['signal', ['x', 5, {}, null].map(signal => () => sleep(1, signal as never))],
    'the time of a deadline': [
      'timeoutMs',
      ['x', Number.NaN, null].map(timeoutMs => () => withDeadline({ timeoutMs, late } as never, () => 1)),
    ],
    'the error of a deadline': [
      'late',
      [undefined, 'x'].map(late => () => withDeadline({ timeoutMs: 5, late } as never, () => 1)),
    ],
    'a seed': ['seed', [...noNumbers, Infinity].map(seed => () => seededRandom(seed as never))],
    'the start of a ManualClock': [
      'startMs',
      noNumbers.filter(each => each !== undefined).map(startMs => () => new ManualClock(startMs as never)),
    ],
    'the time that a ManualClock moves on': [
      'ms',
      [...noNumbers, -1, Infinity].map(ms => () => new ManualClock().advance(ms as never)),
    ],
    'the time of a sleep of a ManualClock': [
      'ms',
      noNumbers.map(ms => () => new ManualClock().sleep(ms as never)),
    ],
  };
  for (const [what, [option, attempts]] of Object.entries(refused)) {
    it(what, async () => {
      for (const attempt of attempts) {
        const error = await failure(attempt);
        expect(error).toBeInstanceOf(InvalidOptionError);
        expect(error).toMatchObject({ option });
      }
    });
  }

  it('but a sleep may be over already, or have no end', async () => {
    await sleep(-5);
    await sleep(0);
    const controller = new AbortController();
    const endless = sleep(Infinity, controller.signal);
    controller.abort('enough');
    await expect(endless).rejects.toBe('enough');
    expect(Object.keys(core)).toContain('sleep');
  });
});
