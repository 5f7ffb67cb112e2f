import type { RemoteTier, TierSession } from '../../src/index.ts';

export type Mutant = 'unbounded' | 'unleased';

/** What a tier could do wrong, so that it is seen that the judge finds it. */
const mutants: Readonly<Record<Mutant, (session: TierSession) => Partial<TierSession>>> = {
  /** What is in the memory of the process is served however long ago it was confirmed. */
  unbounded: () => ({ confirmedUntil: Number.POSITIVE_INFINITY }),
  /** A fill stores whatever became of its lease. */
  unleased: session => ({
    async fill(fills) {
      await session.write(new Map(fills.map(({ key, entry }) => [key, entry])));
      return fills.map(() => true);
    },
  }),
};

export function mutated(tier: RemoteTier, mutant: Mutant): RemoteTier {
  return {
    name: tier.name,
    get: key => tier.get(key),
    open(listener) {
      const session = tier.open(listener);
      const changed = mutants[mutant](session);
      return new Proxy(session, {
        get(target, property) {
          const value = Reflect.get(property in changed ? changed : target, property) as unknown;
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
    },
  };
}
