import type { Random } from '@ashlar/core';
import { Peer } from '@workspace/faults';
import { isIn } from '../../src/keys/slices.ts';
import type { Maps } from '../../src/map/maps.ts';
import { type Finding, Tally } from '../fault.ts';
import type { Kind } from './kinds.ts';
import { ownerOf, slotOf } from './owners.ts';
import { Coordinator, overOf, Traffic, writing } from './peers.ts';
import type { Place } from './place.ts';
import { Probe } from './probe.ts';
import { customerName, nowMs } from './roles.ts';
import { longest, slowestOf, stepsOf, writesOf } from './telling.ts';

const clients = 2;

/** @returns what it shows, and in words how it went */
export async function run(
  kind: Kind,
  place: Place,
  maps: Maps,
  random: Random,
): Promise<Finding & { readonly words: string }> {
  const tally = new Tally();
  const traffic: Traffic[] = [];
  const coordinators: Coordinator[] = [];
  let probe: Probe | undefined;
  try {
    await place.waits?.();
    for (let at = 0; at < clients; at++) {
      const settings = { ...place.settings, process: Math.floor(random() * 1e9) };
      traffic.push(new Traffic(new Peer(place.programs.client, settings)));
    }
    await writing(traffic, 0);
    const before = (await maps.read())!;
    const request = place.request(before, random);
    const { from, to } = request;
    const another = () => {
      const settings = { ...place.settings, process: 0, request };
      coordinators.push(new Coordinator(new Peer(place.programs.coordinator, settings)));
    };
    another();
    const [coordinator] = coordinators as [Coordinator];
    const step = kind.steps?.[Math.floor(random() * kind.steps.length)];
    if (step !== undefined) {
      await Promise.race([coordinator.at(step), coordinator.over]);
      await new Promise(resolve => setTimeout(resolve, random() * 30));
    }
    const moving = (await maps.read())!.moves[0]?.slices ?? [];
    const isMoving = (each: string) =>
      moving.length > 0 ? isIn(moving, slotOf(each)) : ownerOf(before, each) === from;
    probe = await Probe.start(place, customersOf(place).find(isMoving)!, from, to);
    const struckAt = nowMs();
    await kind.happen({ place, from, to, traffic, coordinator, another });
    const committed = await overOf(coordinators);
    const overAt = nowMs();
    await writing(traffic, overAt);
    const direct = await probe.end();
    for (const { peer } of traffic) await peer.end();
    const waits = await place.waits?.();
    const map = (await maps.read())!;
    tally.expect(map.moves.length === 0, 'the move is still in the map');
    tally.expect(
      committed || kind.steps !== undefined,
      `the move was undone: ${coordinator.said.join('; ')}`,
    );
    tally.twoPlaces += direct.twoPlaces;
    await place.judge(map, traffic, tally);
    const found = await place.directs(ownerOf(map, direct.customer), direct.customer);
    const missing = direct.accepted - (found - direct.before);
    if (missing > 0) tally.lost += missing;
    tally.expect(missing <= 0, `${missing} of ${direct.accepted} writes past the router are gone`);
    const isMoved = (each: string) => ownerOf(map, each) !== ownerOf(before, each);
    const begunAt = coordinator.steps[0]?.at ?? 0;
    // What a process does first of all, as connecting, is no pause
    const slowest = longest(traffic, each => each.endedAt >= begunAt && isMoved(each.customer));
    const finding = tally.finding({
      pauseMs: slowest === undefined ? 0 : slowest.endedAt - slowest.begunAt,
      ...(step !== undefined && { recoveryMs: overAt - struckAt }),
    });
    const words = [
      ...(step === undefined ? [] : [`at ${step}`]),
      ...stepsOf(coordinators),
      slowestOf(traffic, coordinators, isMoved),
      writesOf(traffic, coordinators),
      waits ?? '',
    ];
    return { ...finding, words: words.filter(each => each !== '').join('; ') };
  } finally {
    await probe?.end();
    for (const { peer } of [...traffic, ...coordinators]) await peer.end();
  }
}

function customersOf({ settings }: Place): readonly string[] {
  return Array.from({ length: settings.customers }, (_, n) => customerName(n));
}
