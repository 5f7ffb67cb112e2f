import type { Clock } from '@ashlar/core';
import { channels } from '../diagnostics.ts';
import { UnsupportedConsistencyError } from '../errors.ts';
import { textOf } from '../routing/consistency.ts';
import type { Need, Route, Routed } from '../routing/route.ts';
import type { Connection } from '../server.ts';
import type { Session } from '../session.ts';
import type { Watch } from '../watching/watch.ts';
import type { Watched } from '../watching/watched.ts';
import type { Call } from './call.ts';
import { NotRun, type Runner, type Work } from './runner.ts';

/** Milliseconds between two looks at replicas that a read waits for. */
const catchUpStepMs = 5;

export interface ReadSettings {
  readonly set: string;
  readonly catchUpMs: number;
  readonly clock: Clock;
}

/** Reads: as they change nothing, one that fails with its server runs again on another. */
export class Reads<C> {
  readonly #settings: ReadSettings;
  readonly #route: Route<C>;
  readonly #watch: Watch<C>;
  readonly #runner: Runner<C>;

  constructor(settings: ReadSettings, route: Route<C>, watch: Watch<C>, runner: Runner<C>) {
    this.#settings = settings;
    this.#route = route;
    this.#watch = watch;
    this.#runner = runner;
  }

  /** @param need undefined: the primary reads */
  run<T>(call: Call, work: Work<C, T>, need: Need | undefined, session: Session | undefined): Promise<T> {
    const failed = new Set<string>();
    call.mayGoElsewhere = this.#watch.servers.length > 1;
    const patienceEndsAt = this.#settings.clock.now() + this.#settings.catchUpMs;
    return this.#runner.untilRun(call, async () => {
      const { watched, done } = await this.#server(call, need, failed, patienceEndsAt);
      let ok = false;
      try {
        const result = await this.#readOn(call, watched, work, need, session);
        ok = true;
        return result;
      } catch (error) {
        if (error instanceof NotRun) failed.add(watched.id);
        throw error;
      } finally {
        done(ok);
      }
    });
  }

  /** Waits for a server that has what the read must see. */
  async #server(
    call: Call,
    need: Need | undefined,
    failed: Set<string>,
    patienceEndsAt: number,
  ): Promise<Routed<C>> {
    const { clock, set } = this.#settings;
    const wanted: Need = need ?? { consistency: 'strong', position: undefined };
    for (;;) {
      const replica = this.#route.reader(wanted, failed);
      if (replica !== undefined) return replica;
      if (this.#mayCatchUp(wanted) && clock.now() < patienceEndsAt) {
        this.#watch.refresh();
        await clock.sleep(catchUpStepMs, call.signal);
        continue;
      }
      const primary = this.#route.readingPrimary(wanted);
      if (primary !== undefined && !failed.has(primary.id)) {
        if (wanted.consistency !== 'strong' && channels.fallback.hasSubscribers) {
          channels.fallback.publish({ set, consistency: textOf(wanted.consistency) });
        }
        return { watched: primary, done() {} };
      }
      // Each had its turn: once they have been looked at again, they have another
      failed.clear();
      call.mayGoElsewhere = false;
      call.lacks = () => (need === undefined ? this.#route.noPrimary() : this.#route.noServer(need));
      await this.#watch.nextLook(call.signal);
    }
  }

  #mayCatchUp({ position }: Need): boolean {
    if (position === undefined || position === 'unknown') return false;
    return this.#watch.servers.some(({ state, sighting }) => state === 'up' && sighting?.role === 'replica');
  }

  #readOn<T>(
    call: Call,
    watched: Watched<C>,
    work: Work<C, T>,
    need: Need | undefined,
    session: Session | undefined,
  ): Promise<T> {
    const { set } = this.#settings;
    return this.#runner.lend(call, watched, async connection => {
      // A new connection may be to a server that was started again since it was chosen
      if (typeof need?.position === 'object' && watched.isInDoubt) throw new NotRun(watched, watched.error);
      const isStrong = need?.consistency === 'strong';
      if (isStrong && connection.barrier === undefined) {
        throw new UnsupportedConsistencyError(`${set} cannot read with consistency strong`);
      }
      try {
        const result = await work(connection.client);
        if (isStrong) await prove(connection, watched);
        if (need?.consistency === 'monotonic') await advance(set, session, connection);
        return result;
      } catch (error) {
        const { isUnable, lost } = connection.progress;
        if (isUnable || lost !== undefined) throw new NotRun(watched, lost ?? error);
        throw error;
      }
    });
  }
}

async function advance<C>(
  set: string,
  session: Session | undefined,
  connection: Connection<C>,
): Promise<void> {
  session?.advance(set, await connection.position());
}

async function prove<C>(connection: Connection<C>, watched: Watched<C>): Promise<void> {
  try {
    await connection.barrier?.();
  } catch (error) {
    if (connection.isRefusal(error)) throw new NotRun(watched, error);
    throw error;
  }
}
