/** What somebody knows who has paid into a wallet. */
export interface Wallet {
  readonly owner: string;
  /** Payments that were acknowledged. */
  acknowledged: number;
  /** Payments of which nobody knows what became of them. */
  unknown: number;
}

export function newWallets(count: number): Wallet[] {
  return Array.from({ length: count }, (_, index) => {
    return { owner: `owner-${index}`, acknowledged: 0, unknown: 0 };
  });
}

export interface Comparison {
  /** Acknowledged payments that are not in their wallet. */
  readonly lost: number;
  /** Payments that are there and which nobody has made, or twice. */
  readonly twice: number;
}

/** Compares what is there with what is known. @param there payments by owner */
export function compare(wallets: readonly Wallet[], there: ReadonlyMap<string, bigint>): Comparison {
  let lost = 0;
  let twice = 0;
  for (const { owner, acknowledged, unknown } of wallets) {
    const payments = Number(there.get(owner) ?? 0n);
    lost += Math.max(0, acknowledged - payments);
    twice += Math.max(0, payments - acknowledged - unknown);
  }
  return { lost, twice };
}
