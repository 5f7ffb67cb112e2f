import { type Random, seededRandom } from '@ashlar/core';
import { postgresStore } from '@ashlar/store/postgres';
import { Peer } from '@workspace/faults';
import pg from 'pg';
import { isIn } from '../../src/keys/slices.ts';
import { Maps } from '../../src/map/maps.ts';
import { ownersOf, type ShardMap } from '../../src/map/shard-map.ts';
import type { MoveRequest } from '../../src/moves/planner.ts';
import { type Fault, type Finding, Tally } from '../fault.ts';
import { judge, ownerOf, slots } from './judging.ts';
import { type Kind, kinds } from './kinds.ts';
import { Coordinator, longest, overOf, Traffic, writing } from './peers.ts';
import { Probe } from './probe.ts';
import { nowMs } from './roles.ts';
import { FourShards } from './shards.ts';

const clients = 2;
const customers = Number(process.env['ROWS'] ?? 100_000);

/** Four shards of PostgreSQL, processes that write and read, and a quarter of the rows that moves. */
export const moveFaults: readonly Fault[] = kinds.map(kind => ({
  name: kind.name,
  about: kind.about,
  usualRuns: kind.hasStandbys === true ? 6 : 20,
  async begin() {
    const kept = kind.hasStandbys === true ? undefined : await started(0);
    return {
      async run({ index, random }) {
        // A seed of its own: how often a run asks for a number depends on what happens
        const seed = Math.floor(random() * 2 ** 31);
        const own = kept === undefined ? await started(1) : undefined;
        const startedAt = nowMs();
        const told = (words: string) =>
          process.stderr.write(
            `${kind.name} ${index + 1} (${seed}): ${words}, ${Math.round((nowMs() - startedAt) / 1_000)} s\n`,
          );
        try {
          const { shards, maps } = (kept ?? own)!;
          const { steps, ...found } = await run(kind, shards, maps, seededRandom(seed));
          told(`${wordsOf(found)}; ${steps}`);
          return found;
        } catch (error) {
          told(`it failed: ${(error as Error).message}`);
          throw error;
        } finally {
          await own?.end();
        }
      },
      async [Symbol.asyncDispose]() {
        await kept?.end();
      },
    };
  },
}));

async function started(standbys: 0 | 1) {
  const shards = await FourShards.start(customers, standbys);
  const pool = new pg.Pool({ connectionString: shards.store.url });
  const store = postgresStore({ pool });
  await store.migrate();
  return {
    shards,
    maps: new Maps(store, 'shards'),
    async end() {
      await store.close();
      await pool.end();
      await shards[Symbol.asyncDispose]();
    },
  };
}

/** One run on a line, for whoever comes back later. */
function wordsOf({
  operations,
  lost,
  duplicated,
  twoPlaces,
  stale,
  unexpected,
  pauseMs,
  recoveryMs,
}: Finding): string {
  const bad = Object.entries({ lost, duplicated, twoPlaces, stale, unexpected }).filter(
    ([, count]) => count > 0,
  );
  const times = Object.entries({ pause: pauseMs, recovery: recoveryMs }).filter(([, ms]) => ms !== undefined);
  const what =
    bad.length === 0 ? 'ok' : `NOT OK: ${bad.map(([name, count]) => `${count} ${name}`).join(', ')}`;
  return [what, `${operations} writes`, ...times.map(([name, ms]) => `${name} ${Math.round(ms!)} ms`)].join(
    ', ',
  );
}

/** @returns what it shows, and in words how long the steps took */
async function run(
  kind: Kind,
  shards: FourShards,
  maps: Maps,
  random: Random,
): Promise<Finding & { readonly steps: string }> {
  const tally = new Tally();
  const traffic: Traffic[] = [];
  const coordinators: Coordinator[] = [];
  let probe: Probe | undefined;
  try {
    for (let at = 0; at < clients; at++) {
      const settings = { ...shards.settings, process: Math.floor(random() * 1e9) };
      traffic.push(new Traffic(new Peer(new URL('./client-process.ts', import.meta.url), settings)));
    }
    await writing(traffic, 0);
    const before = (await maps.read())!;
    const request = requestFor(before, random);
    const { from, to } = request;
    const another = () => {
      const settings = { ...shards.settings, process: 0, request };
      coordinators.push(
        new Coordinator(new Peer(new URL('./coordinator-process.ts', import.meta.url), settings)),
      );
    };
    another();
    const [coordinator] = coordinators as [Coordinator];
    const step = kind.steps?.[Math.floor(random() * kind.steps.length)];
    if (step !== undefined) {
      await Promise.race([coordinator.at(step), coordinator.over]);
      await new Promise(resolve => setTimeout(resolve, random() * 30));
    }
    const moving = (await maps.read())!.moves[0]?.slices ?? [];
    probe = await Probe.start(shards, customerIn(shards, before, moving, from), from, to);
    const struckAt = nowMs();
    await kind.happen({ shards, from, to, traffic, coordinator, random, another });
    const committed = await overOf(coordinators);
    const overAt = nowMs();
    await writing(traffic, overAt);
    const direct = await probe.end();
    for (const { peer } of traffic) await peer.end();
    const map = (await maps.read())!;
    tally.expect(map.moves.length === 0, 'the move is still in the map');
    tally.expect(
      committed || kind.steps !== undefined,
      `the move was undone: ${coordinator.said.join('; ')}`,
    );
    tally.twoPlaces += direct.twoPlaces;
    await judge(shards, map, traffic, tally);
    const found = await shards.ask(
      ownerOf(map, direct.customer),
      'SELECT direct::int FROM customer WHERE id = $1',
      [direct.customer],
    );
    const missing = direct.accepted - (Number(found[0]?.direct ?? 0) - direct.before);
    if (missing > 0) tally.lost += missing;
    tally.expect(missing <= 0, `${missing} of ${direct.accepted} writes past the router are gone`);
    const moved = new Set(shards.customers.filter(each => ownerOf(map, each) !== ownerOf(before, each)));
    const pauseMs = longest(traffic, each => moved.has(each.customer));
    const steps = coordinators.map(({ tookMs }) =>
      [...tookMs]
        .filter(([, ms]) => ms >= 1_000)
        .map(([name, ms]) => `${name} ${Math.round(ms / 1_000)} s`)
        .join(', '),
    );
    const failures = new Set(
      coordinators.flatMap(({ said }) => said.filter(each => each.startsWith('failed'))),
    );
    const finding = tally.finding({ pauseMs, ...(step !== undefined && { recoveryMs: overAt - struckAt }) });
    const words = [`${step === undefined ? '' : `at ${step}: `}${steps.join(' | then ')}`, ...failures];
    return { ...finding, steps: words.join('; ') };
  } finally {
    await probe?.end();
    for (const { peer } of [...traffic, ...coordinators]) await peer.end();
  }
}

/** A quarter of all slots goes from a shard that has many to one that has few. */
function requestFor(
  map: ShardMap,
  random: Random,
): MoveRequest & { readonly from: string; readonly to: string } {
  const ofSlots = ownersOf(map);
  const count = (name: string) => ofSlots.filter(each => each === name).length;
  const all = ['one', 'two', 'three', 'four'].sort((a, b) => count(b) - count(a) || random() - 0.5);
  const [from, to] = [all[0]!, all.at(-1)!];
  return { kind: 'move', from, to, part: 256 / count(from) };
}

function customerIn(
  shards: FourShards,
  map: ShardMap,
  slices: ShardMap['moves'][number]['slices'],
  from: string,
): string {
  const is = (each: string) =>
    slices.length > 0 ? isIn(slices, slots.of(each)) : ownerOf(map, each) === from;
  return shards.customers.find(is)!;
}
