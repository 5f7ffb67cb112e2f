import { ManualClock } from '@ashlar/core/testing';
import {
  type MemoryClient,
  MoveAbortedError,
  type MoveRequest,
  Mover,
  type Moving,
  memoryMoves,
  memoryShards,
  ShardRouter,
} from '@ashlar/shard-router';
import { memoryStore } from '@ashlar/store';

export type Action = 'add' | 'drain';

export interface ShardView {
  readonly name: string;
  readonly slots: number;
  readonly wallets: number;
  /** What may be done with it now. */
  readonly action: Action | undefined;
}

export interface SlotView {
  readonly shard: string;
  /** Where it is going. */
  readonly to: string | undefined;
}

/** The move that is under way. */
export interface MoveView {
  readonly from: string;
  readonly to: string;
  readonly step: string;
}

interface Wallet {
  readonly owner: string;
  acknowledged: number;
}

const names = ['a', 'b', 'c', 'd'] as const;
const slots = 64;
const tables = {
  wallets: { key: ['owner'], primaryKey: ['owner'], columns: { owner: 'text', payments: 'int8' } },
} as const;

const walletCount = 256;
const workers = 4;
const payEveryMs = 25;
const lookEveryMs = 25;
const countEveryMs = 500;
const transferMs = 40;
const rowsAtOnce = 2;
const limits = { steadyMs: 200, lagMs: 200 };
const keptEvents = 5;

/** An application over memory shards, in virtual time: it pays into wallets and reads them, while slots move from shard to shard. */
export class ShardsSimulation {
  /** The latest, in order. */
  readonly events: { readonly number: number; readonly text: string }[] = [];
  acknowledged = 0;
  /** Payments that were acknowledged and were not there when they were counted last. */
  lost = 0;
  /** Payments that were there twice then. */
  twice = 0;
  /** Payments that have waited for their rows, and the longest wait in milliseconds. */
  waited = 0;
  longestMs = 0;
  failed = 0;
  reads = 0;
  /** Reads that missed a payment which was acknowledged before they began. */
  stale = 0;
  /** For how long the rows of the latest move could not be written, in milliseconds. */
  pauseMs: number | undefined;
  readonly #clock: ManualClock;
  readonly #router: ShardRouter<MemoryClient, typeof tables>;
  readonly #mover: Mover;
  readonly #wallets: readonly Wallet[];
  #move: MoveView | undefined;
  #begun: readonly Moving[] = [];
  #isMoving = false;
  #told = 0;

  private constructor(
    clock: ManualClock,
    router: ShardRouter<MemoryClient, typeof tables>,
    mover: Mover,
    wallets: readonly Wallet[],
  ) {
    this.#clock = clock;
    this.#router = router;
    this.#mover = mover;
    this.#wallets = wallets;
  }

  static async start(): Promise<ShardsSimulation> {
    const clock = new ManualClock();
    const store = memoryStore({ clock });
    const shards = memoryShards(names);
    const { a, b } = shards;
    const common = { store, key: 'text', slots, tables, clock } as const;
    // The map of the time when there were two
    const first = new ShardRouter({ ...common, shards: { a, b } });
    await first.ready();
    await first.close();
    const router = new ShardRouter({ ...common, shards });
    await router.ready();
    const transport = () => clock.sleep(transferMs);
    const backend = memoryMoves({ shards, batch: rowsAtOnce, transport, clock });
    const drain = backend.drain.bind(backend);
    // As between machines: what has arrived is known later
    backend.drain = async (...args) => {
      await transport();
      await drain(...args);
    };
    const mover = new Mover({ store, tables, backend, clock, ...limits });
    const wallets = Array.from({ length: walletCount }, (_, n) => ({ owner: `owner ${n}`, acknowledged: 0 }));
    for (const { owner } of wallets) await router.table('wallets').insert({ owner, payments: 0 });
    const simulation = new ShardsSimulation(clock, router, mover, wallets);
    for (let worker = 0; worker < workers; worker++) {
      void simulation.#pay(worker);
      void simulation.#look(worker);
    }
    void simulation.#count();
    return simulation;
  }

  get nowMs(): number {
    return this.#clock.now();
  }

  get move(): MoveView | undefined {
    return this.#move;
  }

  /** Whether what moves may be undone. */
  get mayUndo(): boolean {
    return this.#begun.length > 0;
  }

  get slots(): SlotView[] {
    const { ranges, moves } = this.#router.snapshot().map!;
    return Array.from({ length: slots }, (_, slot) => {
      const { shard } = ranges.findLast(({ from }) => from <= slot)!;
      const move = moves.find(({ slices }) => slices.some(({ from, to }) => from <= slot && slot < to));
      return { shard, to: move === undefined || move.to === shard ? undefined : move.to };
    });
  }

  get shards(): ShardView[] {
    const owners = this.slots.map(({ shard }) => shard);
    const inUse = new Set(owners).size;
    return names.map(name => {
      const count = owners.filter(owner => owner === name).length;
      const wallets = this.#wallets.filter(({ owner }) => this.#router.route(owner).shard === name).length;
      const action = count === 0 ? 'add' : inUse > 1 ? 'drain' : undefined;
      return { name, slots: count, wallets, action: this.#isMoving ? undefined : action };
    });
  }

  /** Payments that wait now. */
  get waiting(): number {
    return this.#router.snapshot().heldWrites;
  }

  async advance(ms: number): Promise<void> {
    await this.#clock.advance(ms);
  }

  act(shard: string, action: Action): void {
    const view = this.shards.find(({ name }) => name === shard);
    if (view?.action !== action) return;
    this.#isMoving = true;
    this.#tell(action === 'add' ? `${shard} gets its part of the slots` : `${shard} gives its slots away`);
    void this.#perform({ kind: action, shard });
  }

  /** Undoes the moves that are not committed yet. */
  undo(): void {
    const moves = this.#begun;
    this.#begun = [];
    for (const { id } of moves) {
      this.#mover.abort(id).catch(error => this.#tell(`not undone: ${(error as Error).message}`));
    }
  }

  async #perform(request: MoveRequest): Promise<void> {
    const committed: string[] = [];
    try {
      const moves = await this.#mover.begin(request);
      this.#begun = moves;
      for (const { id, from, to } of moves) {
        await this.#run(id, from, to);
        committed.push(id);
        this.#begun = this.#begun.filter(move => move.id !== id);
        this.#tell(`${to} has them from ${from}: their rows could not be written for ${this.pauseMs} ms`);
      }
    } catch (error) {
      const isUndone = error instanceof MoveAbortedError;
      this.#tell(isUndone ? 'undone: the slots are where they were' : (error as Error).message);
    }
    this.#begun = [];
    for (const id of committed) await this.#mover.finish(id);
    this.#move = undefined;
    this.#isMoving = false;
  }

  async #run(id: string, from: string, to: string): Promise<void> {
    const run = this.#mover.run(id);
    for await (const { step, pauseMs } of run) {
      this.#move = { from, to, step };
      if (pauseMs !== undefined) this.pauseMs = Math.round(pauseMs);
    }
    await run.done;
  }

  /** Each has wallets of its own, and knows what is in them. */
  async #pay(worker: number): Promise<never> {
    for (let n = worker; ; n += workers * 7) {
      await this.#clock.sleep(payEveryMs + worker);
      const wallet = this.#wallets[n % walletCount]!;
      const { owner } = wallet;
      const startedAt = this.nowMs;
      try {
        await this.#router.transaction(owner, async tx => {
          const found = await tx.table('wallets').get({ owner });
          const payments = found!.payments! + 1n;
          await tx.table('wallets').update({ payments }).where({ owner }).run();
        });
        wallet.acknowledged++;
        this.acknowledged++;
        const tookMs = Math.round(this.nowMs - startedAt);
        if (tookMs > 0) this.waited++;
        this.longestMs = Math.max(this.longestMs, tookMs);
      } catch (error) {
        this.failed++;
        this.#tell(`a payment failed: ${(error as Error).message}`);
      }
    }
  }

  async #look(worker: number): Promise<never> {
    for (let n = worker; ; n += workers * 5 + 1) {
      await this.#clock.sleep(lookEveryMs + worker);
      const { owner, acknowledged } = this.#wallets[n % walletCount]!;
      try {
        const found = await this.#router.table('wallets').get({ owner });
        this.reads++;
        if (Number(found?.payments ?? -1) < acknowledged) this.stale++;
      } catch (error) {
        this.#tell(`a read failed: ${(error as Error).message}`);
      }
    }
  }

  /** Compares what is there with what was acknowledged before, or has been meanwhile. */
  async #count(): Promise<never> {
    for (;;) {
      await this.#clock.sleep(countEveryMs);
      const before = new Map(this.#wallets.map(({ owner, acknowledged }) => [owner, acknowledged]));
      const rows = await this.#router.table('wallets').select().everywhere().all();
      const there = new Map(rows.map(({ owner, payments }) => [owner!, Number(payments)]));
      let [lost, twice] = [0, 0];
      for (const { owner, acknowledged } of this.#wallets) {
        const payments = there.get(owner) ?? 0;
        lost += Math.max(0, before.get(owner)! - payments);
        // One may be there whose acknowledgment is on its way
        twice += Math.max(0, payments - acknowledged - 1);
      }
      this.lost = lost;
      this.twice = twice + rows.length - there.size;
    }
  }

  #tell(text: string): void {
    this.events.push({ number: this.#told++, text });
    if (this.events.length > keptEvents) this.events.shift();
  }
}
