import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ManualClock } from '@ashlar/core/testing';
import { ended } from '@workspace/services';
import { expect, it, onTestFinished } from 'vitest';
import { Deadlines } from '../src/running/deadlines.ts';

it('each call is over at its own time, and forgotten ones never', async () => {
  const clock = new ManualClock();
  const deadlines = new Deadlines(clock, 100);
  const late: string[] = [];
  const add = (name: string, ms: number) => deadlines.add(ms, () => late.push(`${name} ${clock.now()}`));
  add('a', 100);
  add('long', 500)();
  const forget = add('b', 100);
  add('short', 20);
  await clock.advance(50);
  add('c', 100);
  forget();
  forget();
  await clock.advance(200);
  expect(late).toEqual(['short 20', 'a 100', 'c 150']);
  add('d', 100);
  await clock.advance(100);
  expect(late.at(-1)).toBe('d 350');
  expect(clock.sleeping).toBe(0);
});

it('one that is added while others are late has its own time', async () => {
  const clock = new ManualClock();
  const deadlines = new Deadlines(clock, 100);
  let count = 0;
  const again = () => {
    if (++count < 3) deadlines.add(100, again);
  };
  deadlines.add(100, again);
  await clock.advance(1_000);
  expect(count).toBe(3);
  deadlines.close();
  expect(clock.sleeping).toBe(0);
});

it('an open set keeps no process alive, a call does until its time is over', async () => {
  const text = `
    import { memoryCluster, ReplicaSet } from '@ashlar/replica-failover';
    const cluster = memoryCluster();
    const set = await ReplicaSet.connect({ servers: cluster.servers() });
    await set.write(db => db.set('a', '1'));
    cluster.kill('a');
    set.write(db => db.set('a', '2'), { timeoutMs: 1_000 }).catch(error => console.log(error.code));
  `;
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  const args = ['--conditions=@ashlar/source', '--import', 'tsx', '--input-type=module', '--eval', text];
  const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  expect(await ended(child)).toMatchObject({
    code: 0,
    stdout: 'ASHLAR_REPLICA_FAILOVER_NO_PRIMARY\n',
  });
});
