import { memoryStore } from '@ashlar/store';
import { firstMap } from '../../src/map/first-map.ts';
import { Maps } from '../../src/map/maps.ts';
import { ownersOf } from '../../src/map/shard-map.ts';
import type { MoveBackend, MoveSpec } from '../../src/moves/move-backend.ts';
import { Mover } from '../../src/moves/mover.ts';
import { isFenceRefusal } from '../../src/running/refusals.ts';
import type { Deed, How, ReplacingPlan } from './plan.ts';
import { type ReplacingSite, shardNames, slots } from './sites/site.ts';

const keys = 24;
/** This only ends what hangs. */
const patienceMs = 120_000;
/** How often what is left is tried, and from which attempt on it is given up. */
const rounds = 10;
const gives = 2;

interface Backup {
  readonly rows: Readonly<Record<string, string>>;
  readonly of: unknown;
}

/** What a row was, state by state, and the first of them that it may still be. */
interface History {
  readonly slot: number;
  readonly states: (string | undefined)[];
  floor: number;
}

export function playReplacing(site: ReplacingSite, plan: ReplacingPlan): Promise<readonly string[]> {
  return new ReplacingPlay(site, plan).run();
}

/**
 * A move, and what becomes of it when servers are replaced. What a server had that was the owner's, and its backup has not, is lost. Nothing else is:
 * the owner has each row as it was when it was last acknowledged.
 */
class ReplacingPlay {
  readonly #site: ReplacingSite;
  readonly #plan: ReplacingPlan;
  readonly #store = memoryStore();
  readonly #maps = new Maps(this.#store, 'shards');
  readonly #rows = new Map<string, History>();
  readonly #backups = new Map<string, Backup>();
  readonly #calls = new Map<string, number>();
  readonly #complaints: string[] = [];
  #values = 0;
  /** The target is to be the owner, and nothing looks at it any more. */
  #isTurning = false;

  constructor(site: ReplacingSite, plan: ReplacingPlan) {
    this.#site = site;
    this.#plan = plan;
  }

  async run(): Promise<readonly string[]> {
    const site = this.#site;
    await site.reset();
    await this.#maps.readOr(firstMap(site.key, slots, [...shardNames]));
    for (let n = 0; n < keys; n++) {
      const { key, slot } = site.keyOf(n);
      this.#rows.set(key, { slot, states: [undefined], floor: 0 });
      if (n % 4 !== 3) await this.#write(key, 'write');
    }
    await this.#backUp();
    const backend = site.backend();
    const mover = new Mover({
      backend: this.#happening(backend),
      store: this.#store,
      tables: site.tables,
      steadyMs: 0,
      pauseMs: 4_000,
      fenceMs: 5_000,
      lagMs: 5_000,
      catchUpMs: 700,
      leaseMs: 20_000,
      attempts: 2,
    });
    try {
      const [{ id }] = (await mover.begin({ kind: 'merge', shards: ['one'], into: 'two' })) as unknown as [
        { id: string },
      ];
      await this.#tried(mover.run(id).done);
      for (const act of this.#plan.acts)
        await this.#tried(act === 'run' ? mover.run(id).done : mover[act](id));
      await this.#end(mover);
      await this.#check(mover);
    } finally {
      await mover.close();
      await backend.close?.();
      await this.#store.close();
    }
    return this.#complaints;
  }

  async #end(mover: Mover): Promise<void> {
    let why: unknown;
    for (let round = 0; round < rounds; round++) {
      const [move] = (await this.#maps.read())!.moves;
      if (move === undefined) return;
      if (move.step === 'committed' || move.step === 'finishing')
        why = await this.#tried(mover.finish(move.id));
      else if (round < gives || move.step === 'turn') why = await this.#tried(mover.run(move.id).done);
      else why = await this.#tried(mover.abort(move.id));
    }
    const [move] = (await this.#maps.read())!.moves;
    if (move !== undefined)
      this.#complaints.push(`the move stays at ${move.step}${move.back ? ' back' : ''}: ${why}`);
  }

  async #check(mover: Mover): Promise<void> {
    const map = (await this.#maps.read())!;
    const owners = ownersOf(map);
    const rows = { one: await this.#site.rows('one'), two: await this.#site.rows('two') } as const;
    for (const [key, { slot, states, floor }] of this.#rows) {
      const owner = owners[slot] as 'one' | 'two';
      const value = rows[owner][key];
      if (!states.slice(floor).includes(value)) {
        const at = states.lastIndexOf(value);
        const was = at < 0 ? 'what nobody has written' : `as it was ${states.length - 1 - at} writes ago`;
        this.#complaints.push(`lost: ${key} at ${owner} is ${value === undefined ? 'missing, ' : ''}${was}`);
      }
      const other = owner === 'one' ? 'two' : 'one';
      if (map.moves.length === 0 && rows[other][key] !== undefined)
        this.#complaints.push(`left: ${key} is at ${other} too`);
    }
    if (map.moves.length > 0) return;
    const { leaks } = await mover.status();
    for (const each of Object.values(leaks).flat())
      this.#complaints.push(`leak: ${each.replace(/[0-9a-f]{16}/, 'x')}`);
    await this.#checkWritable(owners);
  }

  /** In the end the owner takes writes, and who has had the rows does not. */
  async #checkWritable(owners: readonly string[]): Promise<void> {
    for (const [key, { slot }] of [...this.#rows].slice(0, 8)) {
      const owner = owners[slot]!;
      try {
        await this.#site.write(owner, key, 'in the end');
      } catch (error) {
        this.#complaints.push(`locked: ${owner} refuses ${key}, which it has: ${error}`);
      }
      // That had it in the beginning, and was not given it back
      if (owner !== 'two' || slot >= slots / 2) continue;
      try {
        await this.#site.write('one', key, 'past the routers');
        this.#complaints.push('open: one takes writes of rows that it has lost');
      } catch (error) {
        if (!isFenceRefusal(error)) throw error;
      }
    }
  }

  /** Returns why it has failed. */
  async #tried(work: Promise<unknown>): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>(resolve => {
      timer = setTimeout(() => {
        this.#complaints.push('a call does not end');
        resolve();
      }, patienceMs);
    });
    try {
      return await Promise.race([work.then(() => undefined), late]);
    } catch (error) {
      if (error instanceof TypeError || error instanceof RangeError) this.#complaints.push(`${error.stack}`);
      return error;
    } finally {
      clearTimeout(timer);
    }
  }

  #happening(backend: MoveBackend): MoveBackend {
    return new Proxy(backend, {
      get: (target, name) => {
        const step: unknown = Reflect.get(target, name, target);
        if (typeof step !== 'function') return step;
        if (!this.#plan.happenings.some(({ at }) => at === name)) return step.bind(target);
        return async (spec: MoveSpec, ...args: unknown[]) => {
          const n = (this.#calls.get(String(name)) ?? 0) + 1;
          this.#calls.set(String(name), n);
          const now = this.#plan.happenings.filter(each => each.at === name && each.n === n);
          for (const { when, what } of now) if (when === 'before') await this.#happens(what, spec);
          const result: unknown = await Reflect.apply(step, target, [spec, ...args]);
          this.#isTurning = name === 'turn';
          for (const { when, what } of now) if (when === 'after') await this.#happens(what, spec);
          this.#isTurning = false;
          return result;
        };
      },
    });
  }

  async #happens(what: Deed, { from, to }: MoveSpec): Promise<void> {
    switch (what.do) {
      case 'fail':
        throw new Error('the answer is lost');
      case 'back up':
        return this.#backUp();
      case 'replace':
        return this.#replace(what.side === 'source' ? from : to, what.how);
      default:
        return this.#write(this.#site.keyOf(what.key).key, what.do);
    }
  }

  async #backUp(): Promise<void> {
    for (const shard of shardNames)
      this.#backups.set(shard, { rows: await this.#site.rows(shard), of: await this.#site.backUp(shard) });
  }

  async #replace(shard: string, how: How): Promise<void> {
    const owners = ownersOf((await this.#maps.read())!);
    const backup = this.#backups.get(shard)!;
    const rows = how === 'empty' ? {} : backup.rows;
    for (const [key, history] of this.#rows) {
      const isOwner = owners[history.slot] === shard || (this.#isTurning && history.slot < slots / 2);
      if (!isOwner) continue;
      const at = history.states.indexOf(rows[key]);
      history.floor = Math.min(history.floor, Math.max(0, at));
    }
    await this.#site.replace(shard, how, backup.of).catch(error => {
      // Of the play, not of what is played
      this.#complaints.push(`${shard} cannot be replaced: ${error}`);
      throw error;
    });
  }

  /** Where the map says. What is refused was not done. */
  async #write(key: string, what: 'write' | 'delete'): Promise<void> {
    const history = this.#rows.get(key)!;
    const owner = ownersOf((await this.#maps.read())!)[history.slot]!;
    const value = what === 'write' ? `value ${this.#values++}` : undefined;
    try {
      await this.#site.write(owner, key, value);
    } catch (error) {
      if (isFenceRefusal(error)) return;
      throw error;
    }
    history.states.push(value);
    history.floor = history.states.length - 1;
  }
}
