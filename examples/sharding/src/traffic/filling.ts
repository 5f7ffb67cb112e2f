import type { Router } from './traffic.ts';
import type { Wallet } from './wallets.ts';

const rowsAtOnce = 1_000;

/** Puts the wallets, which are empty, on their shards. */
export async function fill(router: Router, wallets: readonly Wallet[], signal: AbortSignal): Promise<void> {
  const byShard = new Map<string, { owner: string; payments: number }[]>();
  for (const { owner } of wallets) {
    const { shard } = router.route(owner);
    const rows = byShard.get(shard) ?? [];
    byShard.set(shard, rows);
    rows.push({ owner, payments: 0 });
  }
  for (const rows of byShard.values()) {
    for (let start = 0; start < rows.length; start += rowsAtOnce) {
      await router.table('wallets').insert(rows.slice(start, start + rowsAtOnce), { signal });
    }
  }
}

/** What is in the wallets, on whichever shard. */
export async function paymentsIn(router: Router, signal: AbortSignal): Promise<Map<string, bigint>> {
  const there = new Map<string, bigint>();
  const query = router.table('wallets').select('owner', 'payments').everywhere();
  for await (const { owner, payments } of query.stream({ signal })) there.set(owner!, payments!);
  return there;
}
