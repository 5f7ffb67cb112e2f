import { within } from '@workspace/services';
import { StaleTokenError } from '../src/leases/fencing.ts';
import type { Kind } from './client.ts';
import { type Fault, Tally } from './fault.ts';
import { Site } from './site.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;

/**
 * The wall clock of the server is set an hour ahead, then back. Ahead, everything with a time ends at once, so two
 * believe that they hold a name: the sink refuses the first. Back, tokens grow on and what was written stays.
 */
export function clockOf(kind: Kind): Fault {
  return {
    name: `${kind}-clock-stepped`,
    about:
      'the clock of the server is set an hour ahead, then back: leases end early, tokens grow, sinks refuse',
    allows: ['duplicated'],
    usualRuns: 20,
    async begin() {
      const site = await Site.start(kind, { clock: true });
      const client = site.connect();
      const { store } = client;
      return {
        async run({ index }) {
          const tally = new Tally();
          const [name, key] = [`name ${index}`, `key ${index}`];
          const sink = client.sink(name);
          const versions = new Set<string>();
          const set = async (at: string, options = {}) => {
            tally.operations++;
            versions.add(await store.set(at, Buffer.from('value'), options));
          };
          const claim = async (holder: string) => {
            tally.operations++;
            const given = await store.claim(name, holder, minuteMs);
            return given && { token: given.token, holder };
          };
          site.clock!.set(0);
          const first = await claim('first');
          await sink.write('first', first!);
          await set(key);
          await set(`${key} of a minute`, { ttlMs: minuteMs });
          tally.expect((await claim('second')) === undefined, 'two hold the name before anything happened');

          site.clock!.set(hourMs);
          // Valkey goes by the time of its last look at the clock, for some milliseconds
          const second = await within(10_000, () => claim('second'));
          tally.expect(second !== undefined, 'the claim outlived its time');
          if (second === undefined) return tally.finding();
          tally.duplicated++;
          tally.expect(second.token > first!.token, `token ${second.token} was given after ${first!.token}`);
          await sink.write('second', second);
          const late = await sink.write('late', first!).catch((error: unknown) => error);
          tally.expect(late instanceof StaleTokenError, 'the sink took a write of the first');
          tally.expect((await store.get(key)) !== undefined, 'a value without a time is gone');
          tally.expect((await store.get(`${key} of a minute`)) === undefined, 'a value outlived its time');

          site.clock!.set(0);
          await store.release(name, second.token);
          const third = await claim('third');
          tally.expect(third !== undefined, 'a released name was not given');
          const grows = third !== undefined && third.token > second.token;
          tally.expect(grows, `token ${third?.token} was given after ${second.token}`);
          await set(key);
          await store.delete(key);
          await set(key, { ifVersion: 'absent' });
          tally.expect(versions.size === 4, 'a version was given twice');
          await sink.write('third', third!);
          tally.expect((await sink.read()) === 'third', 'the sink refused the third');
          return tally.finding();
        },
        async [Symbol.asyncDispose]() {
          await client[Symbol.asyncDispose]();
          await site[Symbol.asyncDispose]();
        },
      };
    },
  };
}
