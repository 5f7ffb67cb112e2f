import { setTimeout as delay } from 'node:timers/promises';
import { endWithParent } from '@workspace/program';
import { channels, type PublishedMessage } from '../../src/index.ts';
import { connect } from '../../test/fixtures/backends.ts';
import { Tally } from '../fault.ts';
import { bestSellers, type FleetSaid, type FleetSettings, fastClock, keys, report } from './data.ts';

/** One scheduler of the fleet, which builds, publishes and reads, until it is killed. */
endWithParent();
const { backend, time, snapshot } = JSON.parse(process.argv[2]!) as FleetSettings;
const { store } = connect(backend);
const clock = fastClock(time);
const say = (message: FleetSaid) => void process.send!(message);

let building = 0;
const best = bestSellers(store, clock, {
  snapshot,
  hotKeys: snapshot === 'shared' ? 10 : undefined,
} as object);
(channels.runStarted as unknown as Subscribable).subscribe(message => {
  const { job, scheduledAt } = message as { readonly job: string; readonly scheduledAt: number };
  if (job === 'best') building = scheduledAt;
});
(channels.published as unknown as Subscribable).subscribe(message => {
  say({ what: 'published', scheduledAt: building, version: (message as PublishedMessage).version });
});
interface Subscribable {
  subscribe(listener: (message: unknown) => void): void;
}

await Promise.all([best.start(), report(store, clock).start()]);
say({ what: 'ready' });
for (let tally = new Tally(); ; await delay(5)) {
  const { version, get } = best.pin();
  if (version > 0) tally.read(keys.map(key => get(key).value));
  if (tally.operations < 50 && tally.torn + tally.missing === 0) continue;
  const { operations, torn, missing } = tally;
  say({ what: 'reads', operations, torn, missing });
  tally = new Tally();
}
