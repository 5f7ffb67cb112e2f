import { type CallOutcome, type Random, sleep } from '@ashlar/core';
import type { ShardRouter } from '@ashlar/shard-router';
import type { tables } from '../shards/site.ts';
import type { Wallet } from './wallets.ts';

// biome-ignore lint/suspicious/noExplicitAny: the tables run on clients of any kind
export type Router = ShardRouter<any, typeof tables>;

const writers = 4;
const readers = 4;
const pauseMs = 5;

/** Payments into wallets, and reads that must see them. Goes on until it is disposed of. */
export class Traffic implements AsyncDisposable {
  writes = 0;
  reads = 0;
  /** Writes of which the router has said that nothing was executed. */
  failedWrites = 0;
  failedReads = 0;
  /** Reads that missed a payment which was acknowledged before they began. */
  stale = 0;
  /** The longest that a write has taken, in milliseconds. */
  longestWriteMs = 0;
  readonly #router: Router;
  readonly #wallets: readonly Wallet[];
  readonly #random: Random;
  readonly #tell: (event: string) => void;
  readonly #running: Promise<unknown>;
  #isEnding = false;

  constructor(router: Router, wallets: readonly Wallet[], random: Random, tell: (event: string) => void) {
    this.#router = router;
    this.#wallets = wallets;
    this.#random = random;
    this.#tell = tell;
    const paying = Array.from({ length: writers }, (_, writer) => {
      // Each writer has wallets of its own, and knows what is in them
      const own = wallets.filter((_, index) => index % writers === writer);
      return this.#goOn(() => this.#pay(this.#oneOf(own)));
    });
    const looking = Array.from({ length: readers }, () =>
      this.#goOn(() => this.#look(this.#oneOf(this.#wallets))),
    );
    this.#running = Promise.all([...paying, ...looking]);
  }

  get unknown(): number {
    return this.#wallets.reduce((sum, { unknown }) => sum + unknown, 0);
  }

  /** Resolves when what is under way has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    await this.#running;
  }

  async #goOn(call: () => Promise<void>): Promise<void> {
    while (!this.#isEnding) {
      await call();
      await sleep(pauseMs);
    }
  }

  async #pay(wallet: Wallet): Promise<void> {
    const { owner } = wallet;
    const startedAt = performance.now();
    try {
      // #region calls
      await this.#router.transaction(owner, async tx => {
        const wallets = tx.table('wallets');
        const found = await wallets.get({ owner });
        await wallets
          .update({ payments: found!.payments! + 1n })
          .where({ owner })
          .run();
      });
      // #endregion
      wallet.acknowledged++;
      this.writes++;
      this.longestWriteMs = Math.max(this.longestWriteMs, performance.now() - startedAt);
    } catch (error) {
      const isSure = (error as { outcome?: CallOutcome }).outcome === 'NotExecuted';
      if (isSure) this.failedWrites++;
      else wallet.unknown++;
      this.#tell(`a payment ${isSure ? 'was not executed' : 'may be executed or not'}: ${error}`);
    }
  }

  async #look({ owner, acknowledged }: Wallet): Promise<void> {
    try {
      const found = await this.#router.table('wallets').get({ owner });
      this.reads++;
      if (Number(found?.payments ?? -1) < acknowledged) this.stale++;
    } catch (error) {
      this.failedReads++;
      this.#tell(`a read failed: ${error}`);
    }
  }

  #oneOf(wallets: readonly Wallet[]): Wallet {
    return wallets[Math.floor(this.#random() * wallets.length)]!;
  }
}
