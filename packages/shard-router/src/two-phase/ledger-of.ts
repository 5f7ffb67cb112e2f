import { isQueryClient } from '../clients/client.ts';
import { UnsupportedClientError } from '../errors/statements.ts';
import type { Ledger } from './ledger.ts';
import { SqlLedger } from './sql-ledger.ts';

/** The ledger of the shard that a client is connected to. @throws UnsupportedClientError */
export function ledgerOf(client: unknown): Ledger {
  if (isQueryClient(client)) return new SqlLedger(client);
  const { ledger } = (client ?? {}) as { readonly ledger?: Ledger };
  if (ledger !== undefined) return ledger;
  throw new UnsupportedClientError(client);
}
