import type { Clock } from '@ashlar/core';
import { LoadBalancer, NoEndpointError, type Picked } from '@ashlar/lb';
import type { Topology } from '../authority.ts';
import { NoPrimaryError, NoServerError, PositionLostError } from '../errors.ts';
import type { Consistency } from '../executor.ts';
import type { Position } from '../session.ts';
import type { Watch } from '../watching/watch.ts';
import type { Watched } from '../watching/watched.ts';
import { textOf } from './consistency.ts';

export interface RouteSettings {
  readonly set: string;
  readonly latencyWindowMs: number;
  readonly regions: readonly string[];
  readonly clock: Clock;
}

/** What a read must see, with the positions that it means. */
export interface Need {
  readonly consistency: Consistency;
  /** What the session has seen. */
  readonly position: Position | 'unknown' | undefined;
}

/** A server for one piece of work; `done` when that has ended. */
export interface Routed<C> {
  readonly watched: Watched<C>;
  done(ok: boolean): void;
}

/** Which server takes the work, by what is known now. */
export class Route<C> {
  readonly #settings: RouteSettings;
  readonly #watch: Watch<C>;
  /** Spreads reads over those that may serve them; who is healthy is for the heartbeat to say. */
  readonly #balancer: LoadBalancer<{ readonly id: string }>;
  topology: Topology | undefined;
  /** What the authority has to say. */
  warning: string | undefined;

  constructor(settings: RouteSettings, watch: Watch<C>) {
    this.#settings = settings;
    this.#watch = watch;
    this.#balancer = new LoadBalancer({
      name: settings.set,
      endpoints: watch.servers.map(({ id }) => ({ id })),
      outlier: false,
      clock: settings.clock,
    });
  }

  /** The primary, if it is known and answers as one. */
  primary(): Watched<C> | undefined {
    const { topology } = this;
    const primary = topology && this.#watch.find(topology.primary);
    return primary?.state === 'up' && primary.sighting?.role === 'primary' ? primary : undefined;
  }

  /** Why there is no primary, in words. */
  noPrimary(): NoPrimaryError {
    const { set } = this.#settings;
    const why = this.warning === undefined ? '' : `; ${this.warning}`;
    const text = `${set} has no primary that answers: ${this.#states()}${why}`;
    return new NoPrimaryError(text, { cause: this.#watch.servers.find(each => each.error)?.error });
  }

  /** Why nobody can serve the read, in words. */
  noServer({ consistency }: Need): NoServerError {
    const { set } = this.#settings;
    const text = `no server of ${set} can read with consistency ${textOf(consistency)}: ${this.#states()}`;
    return new NoServerError(text, { cause: this.noPrimary() });
  }

  #states(): string {
    return this.#watch.servers.map(watched => `${watched.id} ${stateOf(watched)}`).join(', ');
  }

  /** A server for the read, other than these; undefined while none has what it must see. */
  reader(need: Need, except: ReadonlySet<string>): Routed<C> | undefined {
    const able = this.#watch.servers.filter(each => !except.has(each.id) && this.#has(each, need));
    if (able.length === 0) return undefined;
    const near = this.#withinWindow(this.#inRegion(able), need);
    const exclude = this.#watch.servers.filter(each => !near.includes(each)).map(({ id }) => id);
    return this.#pick(exclude);
  }

  /**
   * The primary for a read; undefined while there is none of the session's term. @throws PositionLostError when its history does not have
   * what the session has seen.
   */
  readingPrimary({ position }: Need): Watched<C> | undefined {
    const primary = this.primary();
    if (primary === undefined || position === undefined || position === 'unknown') return primary;
    if (primary.isInDoubt) return undefined;
    const { term } = primary.sighting!.position;
    // There is a later primary somewhere, of which others have learnt
    if (position.term > term) return undefined;
    if (this.#watch.ends.coverage(position, primary.sighting!) !== 'lost') return primary;
    throw new PositionLostError(this.#settings.set, position, term);
  }

  /** Whether the session may go on to a position of the primary: not past one that was lost. */
  goesOn(position: Position, primary: Watched<C>): boolean {
    return this.#watch.ends.coverage(position, primary.sighting!) !== 'lost';
  }

  close(): Promise<void> {
    return this.#balancer.close();
  }

  #has(watched: Watched<C>, { consistency, position }: Need): boolean {
    const { state, sighting } = watched;
    if (state !== 'up' || sighting === undefined) return false;
    if (consistency === 'strong') return false;
    if (consistency === 'nearest' && watched === this.primary()) return true;
    // One that was started again may have lost all
    if (sighting.role !== 'replica' || watched.isInDoubt) return false;
    if (consistency === 'eventual' || consistency === 'nearest') return true;
    if (typeof consistency === 'object') {
      const { trail, ends } = this.#watch;
      const reaches = (step: Position) => ends.coverage(step, sighting) === 'covered';
      return trail.stalenessMs(reaches, this.#settings.clock.now()) <= consistency.maxStalenessMs;
    }
    if (position === 'unknown') return false;
    return position === undefined || this.#watch.ends.coverage(position, sighting) === 'covered';
  }

  #inRegion(able: readonly Watched<C>[]): readonly Watched<C>[] {
    for (const region of this.#settings.regions) {
      const there = able.filter(each => each.region === region);
      if (there.length > 0) return there;
    }
    return able;
  }

  #withinWindow(able: readonly Watched<C>[], { consistency }: Need): readonly Watched<C>[] {
    const quickest = Math.min(...able.map(each => each.roundTripMs ?? 0));
    const windowMs = consistency === 'nearest' ? 0 : this.#settings.latencyWindowMs;
    return able.filter(each => (each.roundTripMs ?? 0) <= quickest + windowMs);
  }

  #pick(exclude: readonly string[]): Routed<C> | undefined {
    let picked: Picked<{ readonly id: string }>;
    try {
      picked = this.#balancer.pick({ exclude });
    } catch (error) {
      if (error instanceof NoEndpointError) return undefined;
      throw error;
    }
    const watched = this.#watch.find(picked.endpoint.id)!;
    return { watched, done: ok => picked.done({ ok }) };
  }
}

function stateOf<C>({ state, sighting, error }: Watched<C>): string {
  if (state === 'new') return 'was not reached yet';
  if (state === 'up') return `is a ${sighting?.isFenced ? 'fenced ' : ''}${sighting?.role}`;
  const { message } = Object(error) as { message?: unknown };
  return `is down${typeof message === 'string' ? ` (${message})` : ''}`;
}
