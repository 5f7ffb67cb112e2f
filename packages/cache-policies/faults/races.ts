import { within } from '@workspace/services';
import type { Happening } from './happening.ts';
import { instant } from './history.ts';
import type { CachePeer } from './peers/peer.ts';
import type { Run } from './run.ts';

/** One write that is the last, and what must not become of it. */
export const races: readonly Happening[] = [
  {
    name: 'message-lost',
    about: 'the last message of all does not reach a process, whose connections live',
    writes: 0,
    rejects: false,
    async happen(run) {
      const { victim, others, keys, tally } = run;
      for (const key of keys) await others[0]!.ask('write', key);
      await run.wait(0.5);
      const { wire } = victim;
      const before = wire.dropped;
      wire.drops = true;
      await others[1]!.ask('write', keys[1]!);
      const isLost = await within(run.patienceMs, () => wire.dropped > before || undefined);
      tally.expect(isLost === true, 'no message was lost');
      await run.wait(2);
      wire.drops = false;
    },
  },
  {
    name: 'loader-stopped',
    about:
      'SIGSTOP to a process between its source and its cache, others write and read the key, then SIGCONT',
    writes: 0,
    rejects: false,
    async happen(run) {
      const { victim, others, keys, random } = run;
      const [key] = keys as [string];
      const held = victim.ask('hold', key);
      const reading = victim.ask('read', [key]);
      await held;
      victim.process.kill('SIGSTOP');
      await others[Math.floor(2 * random())]!.ask('write', key);
      await readFor(1.5 * random(), run, others, key);
      victim.process.kill('SIGCONT');
      await victim.ask('letGo');
      await readFor(1.5, run, run.site.peers, key);
      await reading;
    },
  },
];

/** Lets them read, for so many times the bound. */
async function readFor(bounds: number, run: Run, peers: readonly CachePeer[], key: string): Promise<void> {
  const until = instant() + bounds * run.site.boundMs;
  do await Promise.all(peers.map(peer => peer.ask('read', [key])));
  while (instant() < until);
}
