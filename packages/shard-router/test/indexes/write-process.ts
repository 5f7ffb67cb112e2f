import { memoryStore } from '@ashlar/store';
import { type Death, dyingClient } from '../support/dying-client.ts';
import { postgresShards } from '../two-phase/accounts.ts';
import { changing, moving } from './transactions.ts';
import { tenantsOn, usersRouter } from './users.ts';

interface Settings {
  readonly urls: Readonly<Record<string, string>>;
  readonly dies: Death & { readonly operation: 'insert' | 'update' | 'delete' | 'transaction' | 'move' };
}

const { urls, dies } = JSON.parse(process.argv[2]!) as Settings;
const router = usersRouter(await postgresShards(urls, dyingClient(dies)), memoryStore(), { twoPhase: true });
await router.ready();
const users = router.table('users');
const row = { tenant: 'a', id: 1 };
if (dies.operation === 'insert') await users.insert({ tenant: 'b', id: 2, mail: 'new', town: 'Graz' });
else if (dies.operation === 'update') await users.update({ mail: 'new', town: 'Graz' }).where(row).run();
else if (dies.operation === 'delete') await users.delete().where(row).run();
else {
  const other = Object.keys(urls).find(name => name !== router.route('a').shard)!;
  const [tenant] = tenantsOn(router, [other]);
  await (dies.operation === 'move' ? moving : changing)(router, tenant!);
}
process.send!('done');
