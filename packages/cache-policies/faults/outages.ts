import { Redis } from 'ioredis';
import type { Happening } from './happening.ts';
import type { Run } from './run.ts';

/** What happens to processes that read and write all the time, for longer than the bound. */
export const outages: readonly Happening[] = [
  outage({
    name: 'none',
    about: 'nothing happens',
    hurt: () => {},
    heal: () => {},
  }),
  outage({
    name: 'reader-stopped',
    about: 'SIGSTOP to a process, then SIGCONT; in half of the runs what it missed comes later still',
    rejects: true,
    hurt: ({ victim }) => victim.process.kill('SIGSTOP'),
    async heal(run) {
      const { victim } = run;
      const isLate = run.random() < 0.5;
      if (isLate) victim.wire.hold('hearing');
      victim.process.kill('SIGCONT');
      if (isLate) await run.wait(0.2);
      victim.wire.release();
    },
  }),
  outage({
    name: 'hearing-cut',
    about: 'the connection of a process that hears of changes is reset, and cannot be made again',
    hurt: ({ victim }) => victim.wire.cut('hearing'),
    heal: ({ victim }) => victim.wire.release(),
  }),
  outage({
    name: 'hearing-black-holed',
    about: 'the connection of a process that hears of changes is silent',
    hurt: ({ victim }) => victim.wire.hold('hearing'),
    heal: ({ victim }) => victim.wire.release(),
  }),
  outage({
    name: 'commands-cut',
    about: 'the connection of a process that reads and writes is reset, and cannot be made again',
    rejects: true,
    hurt: ({ victim }) => victim.wire.cut('commands'),
    heal: ({ victim }) => victim.wire.release(),
  }),
  outage({
    name: 'redis-killed',
    about: 'SIGKILL to Redis, then it comes back empty',
    rejects: true,
    hurt: ({ site }) => site.tier.kill(),
    heal: ({ site }) => site.tier.restart(),
  }),
  outage({
    name: 'redis-stopped',
    about: 'SIGSTOP to Redis, then SIGCONT',
    rejects: true,
    hurt: ({ site }) => site.tier.pause(),
    heal: ({ site }) => site.tier.resume(),
  }),
  outage({
    name: 'flushall',
    about: 'FLUSHALL: values, leases and the numbers of changes are gone',
    async hurt({ site }) {
      const admin = new Redis(site.tier.port);
      await admin.flushall();
      admin.disconnect();
    },
    heal: () => {},
  }),
];

interface Outage extends Pick<Happening, 'name' | 'about'> {
  readonly rejects?: boolean;
  hurt(run: Run): unknown;
  heal(run: Run): unknown;
}

function outage({ name, about, rejects = false, hurt, heal }: Outage): Happening {
  return {
    ...{ name, about, rejects, writes: 0.05 },
    async happen(run) {
      await hurt(run);
      await run.wait(1.2 + 0.8 * run.random());
      await heal(run);
    },
  };
}
