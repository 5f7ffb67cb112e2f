import { seededRandom } from '@ashlar/core';
import { ManualClock } from '@ashlar/core/testing';
import { Session } from '@ashlar/replica-failover/executor';
import { memoryStore, type Store } from '@ashlar/store';
import type { MoveRefusedError } from '../src/errors/moves.ts';
import { ShardMapError, UnplacedKeyError, WrongShardError } from '../src/errors/routing.ts';
import {
  type MemoryClient,
  type MemoryShard,
  Mover,
  memoryMoves,
  memoryShards,
  ShardRouter,
} from '../src/index.ts';
import { Slots } from '../src/keys/slots.ts';
import { Maps } from '../src/map/maps.ts';
import { ownersOf, type ShardMap } from '../src/map/shard-map.ts';
import type { MoveBackend } from '../src/moves/move-backend.ts';
import type { MoveRequest } from '../src/moves/planner.ts';
import type { Statement } from '../src/tables/statement.ts';
import type { TableSpec } from '../src/tables/table.ts';
import { Table } from '../src/tables/table-of.ts';
import { Model, type Outcome, type Reading, type Written } from './model.ts';
import {
  coordinators,
  type Level,
  type Plan,
  placed,
  type Step,
  shardNames,
  slots,
  tenants,
} from './plan.ts';
import { Process } from './process.ts';

/** Wraps parts, so that a fault can be planted. */
export interface PlayOptions {
  readonly backend?: (backend: MoveBackend, shards: Readonly<Record<string, MemoryShard>>) => MoveBackend;
  readonly store?: (store: Store, of: 'router' | 'coordinator') => Store;
  readonly shard?: (shard: MemoryShard, store: Store) => MemoryShard;
  readonly routerClock?: (process: Process) => Process;
}

const spec = {
  key: ['tenant'],
  primaryKey: ['tenant', 'id'],
  columns: { tenant: 'int8', id: 'int4' },
} as const satisfies TableSpec;
const table = new Table('rows', spec, 'int8');

/** Longer than a move takes, with all that it waits for. */
const patienceMs = 90_000;
/** How long a slow transaction is open. */
const slowMs = 200;

interface RouterProcess {
  readonly process: Process;
  readonly router: ShardRouter<MemoryClient>;
}

interface Coordinator {
  readonly process: Process;
  readonly mover: Mover;
}

/** A case that is played, in time that moves only when the case says so. */
export class Play {
  readonly #plan: Plan;
  readonly #options: PlayOptions;
  readonly #clock = new ManualClock();
  readonly #model = new Model();
  readonly #store: ReturnType<typeof memoryStore>;
  readonly #shards: Readonly<Record<string, MemoryShard>>;
  readonly #maps: Maps;
  readonly #routers: RouterProcess[] = [];
  readonly #coordinators: Coordinator[] = [];
  readonly #calls = new Map<Promise<unknown>, string>();
  readonly #forgetting = new Map<Promise<unknown>, Process>();
  readonly #random = seededRandom(1);
  /** The shards that have had each tenant, as far as it was seen. */
  readonly #homes = Array.from({ length: tenants }, () => new Set<string>());
  #epoch = 0;

  constructor(plan: Plan, options: PlayOptions) {
    this.#plan = plan;
    this.#options = options;
    this.#store = memoryStore({ clock: this.#clock });
    const shards = memoryShards(shardNames);
    const wrap = options.shard ?? (shard => shard);
    this.#shards = Object.fromEntries(
      Object.entries(shards).map(([name, shard]) => [name, wrap(shard, this.#store)]),
    );
    this.#maps = new Maps(this.#store, 'shards');
  }

  /** What breaks a promise. */
  async run(): Promise<readonly string[]> {
    for (let i = 0; i < this.#plan.routers; i++) await this.#startRouter();
    for (let i = 0; i < coordinators; i++) this.#coordinators.push(this.#coordinator());
    try {
      for (const step of this.#plan.steps) {
        await this.#step(step);
        await this.#advance(0);
      }
      await this.#calm();
    } catch (error) {
      // Nothing goes on with a damaged map
      if (!(error instanceof ShardMapError)) throw error;
      this.#complain(`map: ${error.message}`);
    }
    await this.#close();
    return this.#model.complaints;
  }

  async #startRouter(): Promise<void> {
    const process = new Process(this.#clock);
    const router = new ShardRouter<MemoryClient>({
      shards: Object.fromEntries(
        Object.entries(this.#shards).map(([name, shard]) => [name, process.shard(shard)]),
      ),
      store: this.#wrapped(process.store(this.#store), 'router'),
      key: 'int8',
      slots,
      ...(this.#plan.layout === 'directory' && { layout: directory }),
      leaseMs: 2_000,
      clock: this.#options.routerClock?.(process) ?? process,
    });
    const ready = router.ready();
    if (!(await this.#ends(ready))) this.#complain('ready: it does not end');
    this.#routers.push({ process, router });
  }

  #coordinator(): Coordinator {
    const process = new Process(this.#clock);
    const { transportMs } = this.#plan;
    const moves = memoryMoves({
      shards: this.#shards,
      clock: this.#clock,
      batch: 2,
      transport: () => this.#clock.sleep(transportMs),
    });
    const backend = this.#options.backend?.(moves, this.#shards) ?? moves;
    const mover = new Mover({
      backend: process.backend(backend),
      store: this.#wrapped(process.store(this.#store), 'coordinator'),
      tables: { rows: spec },
      leaseMs: 1_500,
      steadyMs: 100,
      attempts: 3,
      finishAfterMs: 5_000,
      clock: process,
      random: this.#random,
    });
    return { process, mover };
  }

  #wrapped(store: Store, of: 'router' | 'coordinator'): Store {
    return this.#options.store?.(store, of) ?? store;
  }

  #complain(complaint: string): void {
    this.#model.complaints.push(complaint);
  }

  async #step(step: Step): Promise<void> {
    switch (step.step) {
      case 'wait':
        return this.#advance(step.ms);
      case 'insert':
      case 'remove':
        return this.#write(step);
      case 'read':
      case 'look':
        return this.#read(step);
      case 'pause':
        return this.#router(step.router).process.pause();
      case 'go':
        return this.#router(step.router).process.go();
      case 'kill':
        return this.#coordinators[step.coordinator]!.process.kill();
      case 'trap':
        this.#coordinators[step.coordinator]!.process.trap = step;
        return;
      case 'stop':
        return this.#coordinators[step.coordinator]!.process.pause();
      case 'resume':
        return this.#coordinators[step.coordinator]!.process.go();
      case 'watch':
        this.#coordinators[step.coordinator]!.mover.watch().catch(() => {});
        return;
      case 'store': {
        const all = [...this.#coordinators, ...this.#routers];
        all[step.process % all.length]!.process.fault = step.fault;
        return;
      }
      case 'begin':
        return this.#begin(step);
      case 'own':
      case 'place':
      case 'join':
        return this.#part(step);
      case 'forget':
        return this.#forget(step);
      case 'purge':
        return this.#purge(step);
      default:
        return this.#manage(step);
    }
  }

  #router(number: number): RouterProcess {
    return this.#routers[number % this.#routers.length]!;
  }

  async #begin({ coordinator, to, slot: of }: Extract<Step, { step: 'begin' }>): Promise<void> {
    const map = (await this.#maps.read())!;
    // What has its keys now, where it was cut or joined
    const [slot = of] = new Slots(map.key, map.slots, map).live([of]);
    const from = ownersOf(map)[slot]!;
    const others = shardNames.filter(name => name !== from);
    const slices = [{ from: slot, to: slot + 1 }];
    this.#move(coordinator, { kind: 'move', from, to: others[to]!, slices });
  }

  async #part({
    step,
    coordinator,
    tenant,
    to,
  }: Extract<Step, { tenant: number; to: number }>): Promise<void> {
    const owner = ownerIn((await this.#maps.read())!, tenant) ?? shardNames[2]!;
    if (step === 'join') return this.#move(coordinator, { kind: 'join', at: tenant });
    const others = shardNames.filter(name => name !== owner);
    this.#move(coordinator, { kind: 'place', key: tenant, to: step === 'own' ? owner : others[to]! });
  }

  #forget({ coordinator, tenant, keepsRows = false }: Extract<Step, { step: 'forget' }>): void {
    const { mover, process } = this.#coordinators[coordinator]!;
    const forgetting = mover.forget(tenant, { rows: keepsRows ? 'keep' : 'refuse' }).catch(() => {});
    if (keepsRows) this.#model.leave(tenant, forgetting);
    this.#forgetting.set(forgetting, process);
  }

  /** Only what nobody is routed to may go: a row of any other kind that is missed is a complaint. */
  #purge({ coordinator, tenant, shard }: Extract<Step, { step: 'purge' }>): void {
    const { mover, process } = this.#coordinators[coordinator]!;
    this.#forgetting.set(
      mover.purge(tenant, shardNames[shard]!).catch(() => {}),
      process,
    );
  }

  #move(coordinator: number, request: MoveRequest): void {
    const { mover, process } = this.#coordinators[coordinator]!;
    const moving = (async () => {
      const moves = await mover.begin(request);
      for (const { id, from: source } of moves) {
        const run = mover.run(id);
        await run.done.catch((error: unknown) => this.#checkUnlocked(id, source, process, error));
      }
    })();
    moving.catch(() => {});
  }

  /** A run that has ended in an error has left nothing locked, unless it could not. */
  async #checkUnlocked(id: string, source: string, process: Process, error: unknown): Promise<void> {
    const { code } = error as { readonly code?: unknown };
    const couldNot = code === 'ASHLAR_STORE_LEASE_LOST' || code === 'ASHLAR_SHARD_ROUTER_STALE_MOVE';
    if (couldNot || !process.isRunning) return;
    const map = await this.#maps.read();
    const move = map?.moves.find(each => each.id === id);
    // In other hands by now
    if (move !== undefined && move.step !== 'ready') return;
    const owner = move?.from ?? source;
    if (move === undefined && !map?.ranges.some(({ shard }) => shard === owner)) return;
    if (move !== undefined && this.#shards[owner]!.fences.includes(id))
      this.#complain(`run: it has ended with ${error}, and ${owner} is still fenced`);
  }

  async #manage(step: Extract<Step, { move: number }>): Promise<void> {
    const { moves } = (await this.#maps.read())!;
    const move = moves[step.move % Math.max(1, moves.length)];
    if (move === undefined) return;
    const { mover } = this.#coordinators[step.coordinator]!;
    const managing = step.step === 'run' ? mover.run(move.id).done : mover[step.step](move.id);
    managing.catch(() => {});
  }

  #write({ step, router, tenant, how }: Extract<Step, { how: string }>): void {
    const its = this.#router(router).router;
    const row = step === 'insert' ? this.#model.insert(tenant) : this.#model.removable(tenant);
    if (row === undefined) return;
    const field = step === 'insert' ? 'inserted' : 'removed';
    row[field] = 'pending';
    const statement = statementFor(step, row);
    const work = async (db: MemoryClient) => {
      if (how === 'two statements') await db.execute(select(tenant));
      if (how === 'slow transaction') await this.#clock.sleep(slowMs);
      await db.execute(statement);
    };
    // A key that has no entry is refused at once
    const call = (async () =>
      how.endsWith('transaction') ? its.on(tenant).transaction(work) : its.on(tenant).write(work))();
    this.#follow(
      `${step} ${how}`,
      call.then(
        () => {
          row[field] = 'acknowledged';
        },
        (error: unknown) => {
          row[field] = outcomeOf(error);
          if (row[field] === 'pending') this.#complain(`${step} ${how}: it rejects with ${error}`);
        },
      ),
    );
  }

  #read(step: Extract<Step, { step: 'read' | 'look' }>): void {
    const level: Level | 'look' = step.step === 'look' ? 'look' : step.level;
    const its = this.#router(step.router).router;
    const reading = this.#model.reading(step.tenant, level !== 'eventual');
    const work = async (db: MemoryClient) => idsIn((await db.execute(select(step.tenant))).rows);
    const call = (async () =>
      level === 'look'
        ? its.on(step.tenant).transaction(work)
        : its.on(step.tenant).read(work, {
            ...(level !== 'default' && { consistency: level }),
            session: new Session(),
          }))();
    this.#checked(`read ${level}`, reading, call);
  }

  #checked(what: string, reading: Reading, call: Promise<readonly number[]>): void {
    this.#follow(
      what,
      call.then(
        ids => this.#model.read(what, reading, ids),
        (error: unknown) => {
          const { retryable } = error as { readonly retryable?: unknown };
          if (retryable !== true && !(error instanceof UnplacedKeyError))
            this.#complain(`${what}: it rejects with ${error}`);
        },
      ),
    );
  }

  #follow(what: string, call: Promise<unknown>): void {
    this.#calls.set(call, what);
    void call.then(() => this.#calls.delete(call));
  }

  async #advance(ms: number): Promise<void> {
    await this.#clock.advance(ms);
    for (const [i, { process }] of this.#coordinators.entries()) {
      if (process.isDead) this.#coordinators[i] = this.#coordinator();
    }
    const map = await this.#maps.read();
    for (const { id, step, from } of map?.moves ?? []) {
      const mustBeClosed = step === 'turn' || step === 'committed' || step === 'finishing';
      if (mustBeClosed && !this.#shards[from]!.fences.includes(id))
        this.#complain(`fence: ${from} can be written while its move is at ${step}`);
    }
    for (const [tenant, homes] of this.#homes.entries()) {
      const owner = ownerIn(map!, tenant);
      if (owner !== undefined) homes.add(owner);
    }
    if (map!.epoch < this.#epoch) this.#complain('map: its epoch goes back');
    this.#epoch = map!.epoch;
  }

  /** Everything runs again: then every call ends, every move does, and nothing is missing, or left, or locked. */
  async #calm(): Promise<void> {
    for (const { process } of [...this.#routers, ...this.#coordinators]) {
      process.fault = undefined;
      process.trap = undefined;
      process.go();
    }
    const calls = Promise.all(this.#calls.keys());
    if (!(await this.#ends(calls)))
      for (const what of this.#calls.values()) this.#complain(`${what}: it does not end`);
    const forgetting = [...this.#forgetting].filter(([, process]) => !process.isDead);
    if (!(await this.#ends(Promise.all(forgetting.map(([call]) => call)))))
      this.#complain('forget: it does not end');
    const { mover } = this.#coordinator();
    await this.#finish(mover);
    if (this.#plan.layout === 'directory') {
      await this.#placeAll(mover);
      await this.#settle(mover);
    }
    for (let tenant = 0; tenant < tenants; tenant++) {
      this.#write({ step: 'insert', router: tenant, tenant, how: 'transaction' });
    }
    if (!(await this.#ends(Promise.all(this.#calls.keys()))))
      this.#complain('at the end: a write does not end');
    for (let tenant = 0; tenant < tenants; tenant++) {
      this.#read({ step: 'read', router: tenant, tenant, level: 'strong' });
    }
    if (!(await this.#ends(Promise.all(this.#calls.keys()))))
      this.#complain('at the end: a read does not end');
    const lost = this.#model.rows.slice(-tenants).find(({ inserted }) => inserted !== 'acknowledged');
    if (lost !== undefined) this.#complain(`at the end: a write is ${lost.inserted}`);
    await this.#checkHomes();
    const { leaks } = await mover.status();
    for (const each of Object.values(leaks).flat()) this.#complain(`leak: ${each}`);
    await mover.close();
  }

  /** Brings every move to its end, whoever has begun it. */
  async #finish(mover: Mover): Promise<void> {
    for (let round = 0; round < 20; round++) {
      const { moves } = (await this.#maps.read())!;
      if (moves.length === 0) return;
      const ending = Promise.all(
        moves.map(({ id, step }) =>
          (step === 'committed' ? mover.finish(id) : mover.run(id).done).catch(() => {}),
        ),
      );
      if (!(await this.#ends(ending))) return this.#complain('at the end: a move does not end');
    }
    const left = (await this.#maps.read())!.moves.map(({ step }) => step);
    if (left.length > 0) this.#complain(`at the end: a move stays at ${left.join(', ')}`);
  }

  /** Places those that have no entry, and the others where they are: a call of `forget` may have died. */
  async #placeAll(mover: Mover): Promise<void> {
    for (let tenant = 0; tenant < tenants; tenant++) {
      const told = this.#place(mover, tenant).catch(error =>
        this.#complain(`at the end: ${tenant} is not placed: ${error}`),
      );
      if (!(await this.#ends(told))) this.#complain(`at the end: ${tenant} is not placed`);
    }
  }

  /** What was let in for entries that did not come is refused again by a mover that watches. */
  async #settle(mover: Mover): Promise<void> {
    const stop = new AbortController();
    const watching = mover.watch({ signal: stop.signal });
    const isLeft = async () => {
      const { layout } = (await this.#maps.read())!;
      return layout?.kind === 'directory' && layout.admissions !== undefined;
    };
    for (let round = 0; round < 20 && (await isLeft()); round++) await this.#advance(5_000);
    if (await isLeft()) this.#complain('at the end: what was let in is not refused again');
    stop.abort();
    if (!(await this.#ends(watching))) this.#complain('at the end: a watch does not end');
  }

  /** Again where others still place tenants of theirs, each of them once. */
  async #place(mover: Mover, tenant: number): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const to = ownerIn((await this.#maps.read())!, tenant) ?? shardNames[0]!;
      try {
        await mover.begin({ kind: 'place', key: tenant, to });
        return;
      } catch (error) {
        const { obstacles = [] } = error as Partial<MoveRefusedError>;
        if (attempt === tenants || !obstacles.some(({ kind }) => kind === 'map_changed')) throw error;
      }
    }
  }

  /** A writer that goes past the routers, to where a tenant was once. */
  async #checkHomes(): Promise<void> {
    const map = (await this.#maps.read())!;
    for (const [tenant, homes] of this.#homes.entries()) {
      homes.delete(ownerIn(map, tenant)!);
      for (const name of homes) {
        const row: Written = { tenant, id: -1, inserted: 'pending', removed: undefined };
        const writing = this.#shards[name]!.write(db => db.execute(statementFor('insert', row)));
        const told = writing.then(
          () => this.#complain(`past the routers: ${name} lets ${tenant} be written, which it has lost`),
          (error: unknown) => {
            if (!(error instanceof WrongShardError)) this.#complain(`past the routers: ${error}`);
          },
        );
        if (!(await this.#ends(told))) this.#complain('past the routers: a write does not end');
      }
    }
  }

  async #close(): Promise<void> {
    const closing = Promise.all([
      ...this.#routers.map(({ router }) => router.close()),
      ...this.#coordinators.map(({ mover }) => mover.close()),
    ]);
    if (!(await this.#ends(closing))) this.#complain('close: it does not end');
    await this.#store.close();
  }

  /** Whether it ends within our patience. */
  async #ends(work: Promise<unknown>): Promise<boolean> {
    let isOver = false;
    const over = () => {
      isOver = true;
    };
    work.then(over, over);
    const until = this.#clock.now() + patienceMs;
    for (;;) {
      await this.#clock.advance(0);
      if (isOver) return true;
      const next = this.#clock.nextAt;
      if (!(next <= until)) return false;
      await this.#clock.advance(Math.max(0, next - this.#clock.now()));
    }
  }
}

const directory = {
  kind: 'directory',
  entries: Array.from({ length: placed }, (_, key) => ({ key, shard: shardNames[key % 2]! })),
} as const;

/** Which shard has a tenant; undefined of one without an entry. */
function ownerIn(map: ShardMap, tenant: number): string | undefined {
  try {
    return ownersOf(map)[new Slots(map.key, map.slots, map).of(tenant)];
  } catch (error) {
    if (error instanceof UnplacedKeyError) return undefined;
    throw error;
  }
}

function statementFor(step: 'insert' | 'remove', { tenant, id }: Written): Statement {
  if (step === 'insert')
    return { kind: 'insert', table, rows: [{ tenant: BigInt(tenant), id }], onConflict: 'fail' };
  const where = [
    { column: 'tenant', op: '=' as const, value: BigInt(tenant) },
    { column: 'id', op: '=' as const, value: id },
  ];
  return { kind: 'delete', table, where };
}

function select(tenant: number): Statement {
  const where = [{ column: 'tenant', op: '=' as const, value: BigInt(tenant) }];
  return { kind: 'select', table, columns: ['id'], where, orderBy: [], limit: undefined };
}

function idsIn(rows: readonly Readonly<Record<string, unknown>>[]): number[] {
  return rows.map(row => row['id'] as number);
}

function outcomeOf(error: unknown): Outcome {
  const { outcome } = error as { readonly outcome?: unknown };
  if (outcome === 'NotExecuted') return 'not executed';
  return outcome === 'Unknown' ? 'unknown' : 'pending';
}
