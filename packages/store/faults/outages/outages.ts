import { setTimeout as delay } from 'node:timers/promises';
import type { Client, Kind } from '../client.ts';
import { type Fault, Tally } from '../fault.ts';
import { Site } from '../site.ts';
import { Traffic } from './traffic.ts';

const processes = 3;

/** A dead server is noticed in this time. */
export const detectionMs = 1_000;

/** How long a fault lasts at least, longer than anybody may take to notice. */
const lastsMs = 1_300;

interface Outage {
  readonly name: string;
  readonly about: string;
  hurt(site: Site): Promise<void> | void;
  /** Resolves when the server can be reached again. */
  heal(site: Site): Promise<void> | void;
}

const outages: readonly Outage[] = [
  {
    name: 'killed',
    about: 'SIGKILL to the server, then a restart on the same data',
    hurt: ({ server }) => server.kill(),
    heal: ({ server }) => server.restart(),
  },
  {
    name: 'stopped',
    about: 'SIGSTOP to the server, then SIGCONT',
    hurt: ({ server }) => server.pause(),
    heal: ({ server }) => server.resume(),
  },
  {
    name: 'black-holed',
    about: 'packets are swallowed on the way to the server and back, then flow again',
    hurt: ({ proxy }) => proxy.stall(),
    heal: ({ proxy }) => proxy.resume(),
  },
];

/** What happens to a server while processes are at work: nothing may be lost or duplicated, and they go on. */
export function outagesOf(kind: Kind): Fault[] {
  return outages.map(({ name, about, hurt, heal }) => ({
    name: `${kind}-${name}`,
    about,
    usualRuns: 10,
    within: { noticedMs: detectionMs },
    async begin() {
      const site = await Site.start(kind);
      return {
        async run({ index, random }) {
          const tally = new Tally();
          const clients: Client[] = Array.from({ length: processes }, () => site.connect());
          try {
            const traffic = new Traffic(clients, `${index}:`, random);
            await traffic.busy(50 + Math.floor(100 * random()));
            const hurtAt = performance.now();
            await hurt(site);
            const noticedAt = await traffic.noticedAfter(hurtAt);
            await delay(Math.max(0, hurtAt + lastsMs - performance.now()));
            await heal(site);
            const healedAt = performance.now();
            const resumedAt = await traffic.acknowledgedAfter(healedAt);
            await traffic.busy(100);
            await traffic.end(tally);
            return tally.finding({ noticedMs: noticedAt - hurtAt, outageMs: resumedAt - healedAt });
          } finally {
            await Promise.all(clients.map(client => client[Symbol.asyncDispose]()));
          }
        },
        [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
      };
    },
  }));
}
