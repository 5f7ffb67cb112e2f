import { ShardRouter } from '../../src/index.ts';

/** Users, found by their mail, which is theirs alone, and by their town. */
export const tables = {
  users: {
    key: ['tenant'],
    primaryKey: ['tenant', 'id'],
    columns: { tenant: 'text', id: 'int8', mail: 'text', town: 'text', seen: 'int4' },
    indexes: { mail: { columns: ['mail'], unique: true }, town: { columns: ['town'] } },
  },
} as const;

export const ddl =
  'CREATE TABLE users (tenant text, id int8, mail text, town text, seen int4, PRIMARY KEY (tenant, id))';

export type Users = ShardRouter<unknown, typeof tables>;

export function usersRouter(
  shards: Readonly<Record<string, unknown>>,
  store: ConstructorParameters<typeof ShardRouter>[0]['store'],
  options: { readonly sweepMs?: number; readonly inDoubtMs?: number } = {},
): Users {
  return new ShardRouter<unknown, typeof tables>({
    shards: shards as never,
    store,
    key: 'text',
    tables,
    sweepMs: 600_000,
    ...options,
  });
}

/** What is wrong: rows that an index does not find, values of two rows, and entries that find nothing. */
export async function faultsOf(router: Users): Promise<string[]> {
  const faults: string[] = [];
  const rows = await router.table('users').select().everywhere().all();
  const mails = new Map<string, number>();
  for (const { tenant, id, mail, town } of rows) {
    for (const found of [
      mail === null ? undefined : await router.table('users').findBy('mail', { mail }),
      town === null ? undefined : await router.table('users').findBy('town', { town }),
    ]) {
      if (found !== undefined && !found.some(each => each.tenant === tenant && each.id === id))
        faults.push(`${tenant}/${id} is not found by ${mail} or ${town}`);
    }
    if (mail !== null) mails.set(mail, (mails.get(mail) ?? 0) + 1);
  }
  for (const [mail, count] of mails) if (count > 1) faults.push(`${mail} is that of ${count} users`);
  return faults;
}
