import type { Random } from '@ashlar/core';
import { Peer } from '@workspace/faults';
import { type Fault, type Finding, Tally } from '../fault.ts';
import { busy, judgeWrites, outageOf, Traffic } from '../traffic.ts';
import { nowMs } from '../writer.ts';
import { startCluster } from './cluster.ts';
import { primary } from './kinds.ts';
import { rowsOf } from './rows.ts';

/** What a process that follows is told. */
export interface PromotedSettings {
  readonly writer: number;
  readonly by: 'roles' | 'postgres-js';
  /** The primary first. */
  readonly ports: readonly number[];
}

const writers = 2;
const whos = {
  roles: 'the set asks every server for its role',
  'postgres-js': 'postgres.js with several hosts',
};

/** The primary is killed, and somebody else promotes: how soon are writes on the next one? */
export const promoted: readonly Fault[] = (['roles', 'postgres-js'] as const).map(by => ({
  name: `promoted-${by}`,
  about: `the primary is killed, the test promotes, and from then on the time counts: ${whos[by]}`,
  usualRuns: 20,
  async begin() {
    return {
      run: ({ random }: { random: Random }) => run(by, random),
      async [Symbol.asyncDispose]() {},
    };
  },
}));

async function run(by: PromotedSettings['by'], random: Random): Promise<Finding> {
  const cluster = await startCluster();
  const processes: Traffic[] = [];
  try {
    await cluster.tell(primary, 'CREATE TABLE item (writer int, n int)');
    const ports = [...cluster.members.values()].map(({ port }) => port);
    for (let writer = 0; writer < writers; writer++) {
      const settings: PromotedSettings = { writer, by, ports };
      processes.push(
        new Traffic(new Peer(new URL('./promoted-writer-process.ts', import.meta.url), settings)),
      );
    }
    await Promise.all(processes.map(each => each.begin()));
    await busy(processes, nowMs());
    await new Promise(resolve => setTimeout(resolve, random() * 300));
    await cluster.members.get(primary)!.kill();
    await cluster.promoteMostAdvanced();
    const at = nowMs();
    await busy(processes, at);
    const outageMs = outageOf(processes, at);
    for (const { peer } of processes) await peer.end();
    const tally = new Tally();
    const kept = await rowsOf(cluster);
    for (const [writer, traffic] of processes.entries())
      judgeWrites(tally, traffic, n => kept.get(`${writer} ${n}`) ?? 0);
    return tally.finding({ outageMs });
  } finally {
    for (const { peer } of processes) await peer.end();
    await cluster.stop();
  }
}
