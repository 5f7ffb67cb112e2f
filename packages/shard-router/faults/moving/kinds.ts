import { signal } from '@workspace/services';
import type { Coordinator, Traffic } from './peers.ts';
import type { Place } from './place.ts';

const stopMs = 6_000;

interface Happening {
  readonly place: Place;
  readonly from: string;
  readonly to: string;
  readonly traffic: readonly Traffic[];
  readonly coordinator: Coordinator;
  /** One more process that works on the move. */
  another(): void;
}

export interface Kind {
  readonly name: string;
  readonly about: string;
  /** Steps at which it happens; undefined when it does not. */
  readonly steps?: readonly string[];
  /** Each server has a standby, and each run has servers of its own. */
  readonly hasStandbys?: boolean;
  happen(happening: Happening): Promise<void>;
}

const steps = ['prepare', 'copy', 'catchUp', 'verify', 'cutover', 'fence', 'turn', 'committed'];
const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));

export const kinds: readonly Kind[] = [
  {
    name: 'move',
    about: 'rows move under writes, and nothing else happens',
    async happen() {},
  },
  {
    name: 'coordinator-killed',
    about: 'the process that moves is killed at a random step, and another goes on',
    steps,
    async happen({ coordinator, another }) {
      coordinator.peer.process.kill('SIGKILL');
      another();
    },
  },
  {
    name: 'coordinator-stopped',
    about: 'the process that moves stands still at a random step, another takes over, and the first wakes up',
    steps,
    async happen({ coordinator, another }) {
      coordinator.peer.process.kill('SIGSTOP');
      another();
      await pause(stopMs);
      coordinator.peer.process.kill('SIGCONT');
    },
  },
  {
    name: 'source-killed',
    about: 'the server of the source is killed at a random step, and started again',
    steps,
    happen: ({ place, from }) => place.restart(from),
  },
  {
    name: 'target-killed',
    about: 'the server of the target is killed at a random step, and started again',
    steps,
    happen: ({ place, to }) => place.restart(to),
  },
  {
    name: 'source-stopped',
    about: 'the server of the source stands still for 2 s at a random step',
    steps,
    happen: ({ place, from }) => stopped(place, from),
  },
  {
    name: 'target-stopped',
    about: 'the server of the target stands still for 2 s at a random step',
    steps,
    happen: ({ place, to }) => stopped(place, to),
  },
  {
    name: 'source-failover',
    about: 'the server of the source is killed at a random step for good, and its standby takes its place',
    steps,
    hasStandbys: true,
    happen: ({ place, from }) => place.failover(from),
  },
  {
    name: 'target-failover',
    about: 'the server of the target is killed at a random step for good, and its standby takes its place',
    steps,
    hasStandbys: true,
    happen: ({ place, to }) => place.failover(to),
  },
  {
    name: 'router-stopped',
    about:
      'a process with a router stands still from a random step on for longer than the move takes, and goes on with its old map',
    steps,
    async happen({ traffic, coordinator }) {
      const { pid } = traffic[0]!.peer.process;
      signal(pid!, 'SIGSTOP');
      traffic[0]!.wasStopped = true;
      await Promise.race([coordinator.over, pause(20_000)]);
      signal(pid!, 'SIGCONT');
    },
  },
  {
    name: 'router-killed',
    about: 'a process with a router is killed at a random step',
    steps,
    async happen({ traffic }) {
      traffic[0]!.wasStopped = true;
      traffic[0]!.peer.process.kill('SIGKILL');
    },
  },
];

async function stopped(place: Place, shard: string): Promise<void> {
  place.signalAll(shard, 'SIGSTOP');
  await pause(2_000);
  place.signalAll(shard, 'SIGCONT');
}
