import { Backoff, type Clock, onAbort } from '@ashlar/core';
import { channels } from '../diagnostics.ts';
import { ShardMapError } from '../errors/routing.ts';
import { isOfTables } from '../keys/slot-space.ts';
import type { SlotLoad } from '../load/load.ts';
import type { Maps } from './maps.ts';
import { isCuttingOver } from './moving.ts';
import { Routes } from './routes.ts';
import type { ShardMap } from './shard-map.ts';

export interface MapCopyOptions {
  readonly name: string;
  readonly maps: Maps;
  /** Written when there is none. */
  readonly first: ShardMap;
  readonly shards: readonly string[];
  readonly clock: Clock;
  /** What this process asks for, for its entry. */
  readonly load?: () => SlotLoad;
  /** For how long a copy is good, in milliseconds, from when its entry was sent to the store. */
  readonly leaseMs: number;
}

/**
 * The map as one process has it, with a lease: an entry in the store says which revision the process goes by, and ends by
 * itself. A move waits, before slots change hands, for all entries to say that they know of it, or to end. So while
 * `isValid`, the map in the store says nothing else about slots that are not cutting over.
 *
 * The entry is always written before the map is read. The other way round, slots could change hands between the two.
 */
export class MapCopy {
  readonly #options: MapCopyOptions;
  readonly #id = crypto.randomUUID();
  readonly #end = new AbortController();
  #done: Promise<unknown> | undefined;
  readonly #waiting = new Set<() => void>();
  #routes: Routes | undefined;
  #validUntil = -Infinity;
  /** The revision that the entry in the store has. */
  #told = -1;
  #fault: ShardMapError | undefined;
  #beating: Promise<void> | undefined;
  #failure: unknown;

  constructor(options: MapCopyOptions) {
    this.#options = options;
  }

  /** Until then there is no entry in the store, and no map here. */
  begin(): void {
    this.#done = Promise.all([this.#renew(), this.#follow()]);
  }

  get routes(): Routes | undefined {
    return this.#routes;
  }

  /** What is wrong with the map in the store, while something is. */
  get fault(): ShardMapError | undefined {
    return this.#fault;
  }

  /** What the store has answered last, while it answers with errors. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Whether no slot has changed hands without this copy, but for those that it calls uncertain. */
  get isValid(): boolean {
    return this.#options.clock.now() < this.#validUntil;
  }

  /** The map as the store has it now. @throws the store's error, ShardMapError */
  async fresh(): Promise<Routes> {
    try {
      const { first, maps } = this.#options;
      this.#adopt(await maps.readOr(first));
      return this.#routes!;
    } catch (error) {
      if (error instanceof ShardMapError) this.#refuse(error);
      throw error;
    }
  }

  /** Resolves when the copy has changed, or something is wrong with it; rejects with the signal's reason. */
  changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = () => {
        unlink();
        this.#waiting.delete(done);
        resolve();
      };
      this.#waiting.add(done);
      const unlink = onAbort(signal, reason => {
        this.#waiting.delete(done);
        reject(reason);
      });
    });
  }

  async close(reason: Error): Promise<void> {
    if (this.#end.signal.aborted) return void (await this.#done);
    this.#validUntil = -Infinity;
    this.#end.abort(reason);
    await this.#done;
    await this.#beating?.catch(() => {});
    // Or a move waits until the entry ends by itself
    await this.#options.maps.leave(this.#id).catch(() => {});
  }

  /** Says in the store which map this copy is, then reads the map: from then on it is good for the time of the entry. */
  #beat(): Promise<void> {
    this.#beating ??= this.#beatNow().finally(() => {
      this.#beating = undefined;
    });
    return this.#beating;
  }

  async #beatNow(): Promise<void> {
    const { maps, leaseMs, clock, shards } = this.#options;
    // A router that cannot go by the map must not hold up those who can
    if (this.#fault !== undefined) await this.fresh();
    do {
      const revision = this.#routes?.map.revision ?? 0;
      const sentAt = clock.now();
      const load = this.#options.load?.();
      await maps.enter({ id: this.#id, revision, shards, ...(load && { load }) }, leaseMs);
      this.#told = revision;
      await this.fresh();
      if (!this.#end.signal.aborted) this.#validUntil = sentAt + leaseMs - marginMs(leaseMs);
    } while (this.#isAwaited && !this.#end.signal.aborted);
  }

  /** Whether a move, or a new entry of a directory, waits for this router to say that it knows of what was before it. */
  get #isAwaited(): boolean {
    const map = this.#routes?.map;
    if (map === undefined || map.revision <= this.#told) return false;
    const { layout, moves } = map;
    if (layout?.kind === 'directory' && (layout.forgotAt ?? 0) > this.#told) return true;
    return moves.some(move => isCuttingOver(move) || move.step === 'finishing');
  }

  async #renew(): Promise<void> {
    const { clock, leaseMs } = this.#options;
    const { signal } = this.#end;
    const pauses = new Backoff({ firstMs: leaseMs / 50, maxMs: leaseMs / 4 });
    while (!signal.aborted) {
      let pauseMs = leaseMs / 3;
      try {
        await this.#beat();
        this.#failure = undefined;
        pauses.reset();
      } catch (error) {
        this.#failure = error;
        pauseMs = pauses.nextMs();
      }
      await clock.sleep(pauseMs, signal).catch(() => {});
    }
  }

  async #follow(): Promise<void> {
    const { clock, maps } = this.#options;
    const { signal } = this.#end;
    const pauses = new Backoff({ firstMs: 100, maxMs: 5_000 });
    while (!signal.aborted) {
      try {
        for await (const _ of maps.changes(signal)) {
          pauses.reset();
          await this.#hear();
        }
      } catch {
        // Renewing goes on, and reads the map too
      }
      await clock.sleep(pauses.nextMs(), signal).catch(() => {});
    }
  }

  /** The map may have changed. What cannot be read now is read with the next renewal. */
  async #hear(): Promise<void> {
    try {
      await this.fresh();
      while (this.#isAwaited) await this.#beat();
    } catch {
      // `fault` says it, where it is the map
    }
  }

  #adopt(map: ShardMap): void {
    const { first, shards, name } = this.#options;
    if (JSON.stringify(map.key) !== JSON.stringify(first.key)) {
      throw new ShardMapError(name, `is for keys of ${map.key}, not of ${first.key}`);
    }
    const [its, wanted] = [map, first].map(each =>
      isOfTables(each) ? 'table' : (each.layout?.kind ?? 'hash'),
    );
    if (its !== wanted) throw new ShardMapError(name, `has keys in slots by ${its}, not by ${wanted}`);
    const unknown = map.ranges.find(({ shard }) => !shards.includes(shard));
    if (unknown !== undefined)
      throw new ShardMapError(name, `names the shard ${unknown.shard}, which is not given`);
    this.#fault = undefined;
    // A read that was slow may be behind
    if (this.#routes !== undefined && map.revision <= this.#routes.map.revision) return;
    this.#routes = new Routes(map, this.#options.clock.now(), this.#routes);
    if (channels.map.hasSubscribers) {
      channels.map.publish({ router: name, epoch: map.epoch, revision: map.revision });
    }
    this.#tell();
  }

  #refuse(error: ShardMapError): void {
    const isNew = this.#fault?.message !== error.message;
    this.#fault = error;
    if (!isNew) return;
    const { name: router } = this.#options;
    if (channels.mapRefused.hasSubscribers) channels.mapRefused.publish({ router, error });
    this.#tell();
  }

  #tell(): void {
    for (const done of [...this.#waiting]) done();
  }
}

/** How much earlier than in the store the copy's time ends here: for clocks of unequal speed. */
function marginMs(leaseMs: number): number {
  return leaseMs / 10;
}
