import { memoryStore } from '@ashlar/store';
import { type Death, dyingClient } from '../support/dying-client.ts';
import { accountsRouter, postgresShards, transfer } from './accounts.ts';

interface Settings {
  readonly urls: Readonly<Record<string, string>>;
  readonly from: string;
  readonly to: readonly string[];
  readonly id: string;
  readonly dies: Death;
}

const { urls, from, to, id, dies } = JSON.parse(process.argv[2]!) as Settings;
const router = accountsRouter(await postgresShards(urls, dyingClient(dies)), memoryStore(), {
  sweepMs: 600_000,
});
await router.ready();
await transfer(router, from, to, id);
process.send!('done');
