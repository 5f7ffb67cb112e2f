import type { Users } from './users.ts';

/** A transaction that changes the row of `a` with the mail `old`, and gives that to a new one, of this tenant. */
export function changing(router: Users, tenant = 'a'): Promise<void> {
  return router.transaction(
    ['a', tenant],
    async tx => {
      await tx.table('users').update({ mail: 'new', town: 'Graz' }).where({ tenant: 'a', id: 1 }).run();
      await tx.table('users').insert({ tenant, id: 2, mail: 'old', town: 'Wien' });
    },
    { twoPhase: true },
  );
}

export function moving(router: Users, tenant: string): Promise<boolean> {
  return router.table('users').moveRow({ tenant: 'a', id: 1 }, { tenant });
}
