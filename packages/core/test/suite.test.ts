import { describe, expect, it } from 'vitest';
import { suite, type TestRunner } from '../src/testing.ts';

function recorder(): { runner: TestRunner; log: string[] } {
  const log: string[] = [];
  const run = (name: string, body: () => Promise<void> | void) => {
    log.push(`run ${name}`);
    void body();
  };
  const skip = (name: string) => log.push(`skip ${name}`);
  const group = (name: string, body: () => void) => {
    log.push(name);
    body();
  };
  return { runner: { describe: group, it: Object.assign(run, { skip }) }, log };
}

describe('suite', () => {
  it('runs what is not skipped and shows why the rest is', () => {
    const { runner, log } = recorder();
    const ran: string[] = [];
    const tests = { acks: () => void ran.push('acks'), delays: () => void ran.push('delays') };
    suite(runner, 'driver', tests, [{ test: 'delays', reason: 'no delays over ZeroMQ' }]);
    expect(log).toEqual(['driver', 'run acks', 'skip delays (no delays over ZeroMQ)']);
    expect(ran).toEqual(['acks']);
  });

  it('refuses a skip that fits no test', () => {
    const { runner } = recorder();
    expect(() => suite(runner, 'driver', {}, [{ test: 'delay', reason: '' }])).toThrow(
      '"driver" has no test "delay" to skip',
    );
  });
});
