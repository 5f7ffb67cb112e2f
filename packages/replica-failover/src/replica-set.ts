import { backgroundClock, type Clock, systemClock } from '@ashlar/core';
import { Following } from './authorities/following.ts';
import { roles } from './authorities/roles.ts';
import type { MembershipChange, MembershipReport, SwitchoverOptions, SwitchoverReport } from './authority.ts';
import { ReplicaSetClosedError } from './errors.ts';
import type { Executor, ReadScope, Scope, TransactionScope } from './executor.ts';
import { type ReplicaSetOptions, readSettings } from './options.ts';
import { Route } from './routing/route.ts';
import { Calls } from './running/calls.ts';
import { Deadlines } from './running/deadlines.ts';
import { Gate } from './running/gate.ts';
import { Pools } from './running/pools.ts';
import { Reads } from './running/reads.ts';
import { Runner, type Work } from './running/runner.ts';
import { Writes } from './running/writes.ts';
import type { Address, Server } from './server.ts';
import { type ReplicaSetSnapshot, serverSnapshots } from './snapshot.ts';
import { Watch } from './watching/watch.ts';

const noScope = {};
/** Known to `connect` alone: a set that nobody connects would look at no server. */
const connecting = Symbol('connecting');

/** One server of a set, as `addresses` has it. */
export interface ServerAddress extends Partial<Address> {
  readonly id: string;
  readonly region: string | undefined;
  readonly isPrimary: boolean;
  /** The term of the set; undefined while there is none. */
  readonly term: number | undefined;
}

/**
 * A primary and its replicas, as one. Writes go to the primary, reads to a server that has what they must see; when
 * the primary dies or another is promoted, calls wait for the new one, within their time.
 *
 * Every server is watched over a connection of its own. A server that does not answer gets no work, within a second by
 * default. Who is primary is for the authority to say. Once a new primary is known, every connection of the time before
 * is ended, also those in use, so that nothing is sent to the earlier one.
 *
 * A call that fails says what became of its work: NotExecuted, or OutcomeUnknownError. What was certainly not executed
 * is run again by the set itself.
 */
export class ReplicaSet<C> implements Executor<C>, AsyncDisposable {
  readonly name: string;
  readonly #clock: Clock;
  readonly #servers: readonly Server<C>[];
  readonly #authority: Following<C>;
  readonly #watch: Watch<C>;
  readonly #route: Route<C>;
  readonly #pools: Pools<C>;
  readonly #gate: Gate;
  readonly #deadlines: Deadlines;
  readonly #calls: Calls<C>;
  #closing: Promise<void> | undefined;

  private constructor(options: ReplicaSetOptions<C>, by?: typeof connecting) {
    if (by !== connecting) throw new TypeError('write `await ReplicaSet.connect({ … })` in place of `new`');
    const settings = readSettings(options);
    const { name, timeoutMs, maxConnections, maxWaiting, heartbeat, reads, clock } = settings;
    this.name = name;
    this.#clock = clock;
    this.#servers = settings.servers;
    // Looks go on in the background, calls in front
    const background = clock === systemClock ? backgroundClock : clock;
    const watch = new Watch(name, this.#servers, { ...heartbeat, clock: background });
    const pools = new Pools(maxConnections, watch);
    const route = new Route({ set: name, ...reads, clock }, watch);
    const gate = new Gate(name, maxWaiting);
    const deadlines = new Deadlines(clock, timeoutMs);
    const runner = new Runner(name, pools, watch, clock);
    const writing = new Writes(name, route, watch, runner, gate);
    const reading = new Reads({ set: name, catchUpMs: reads.catchUpMs, clock }, route, watch, runner);
    this.#calls = new Calls({ set: name, timeoutMs }, deadlines, writing, reading);
    const followed = { set: name, route, watch, pools, gate, clock, background };
    this.#authority = new Following(settings.authority ?? roles(), followed);
    this.#watch = watch;
    this.#pools = pools;
    this.#route = route;
    this.#gate = gate;
    this.#deadlines = deadlines;
  }

  /**
   * Looks at the servers, and resolves when one is known to be the primary.
   *
   * @throws InvalidOptionError; WrongServersError when the servers are not of one cluster, or one is listed twice; NoPrimaryError
   * when there is no primary within `timeoutMs`, with the state of each server
   */
  static async connect<C>(options: ReplicaSetOptions<C>): Promise<ReplicaSet<C>> {
    const set = new ReplicaSet(options, connecting);
    try {
      await set.#start();
      return set;
    } catch (error) {
      await set.close();
      throw error;
    }
  }

  async write<T>(work: Work<C, T>, scope: Scope = noScope): Promise<T> {
    this.#assertOpen();
    return this.#calls.write(work, scope);
  }

  async read<T>(work: Work<C, T>, scope: ReadScope = noScope): Promise<T> {
    this.#assertOpen();
    return this.#calls.read(work, scope);
  }

  async transaction<T>(work: Work<C, T>, scope: TransactionScope = noScope): Promise<T> {
    this.#assertOpen();
    return this.#calls.transaction(work, scope);
  }

  /**
   * Makes another server the primary, on purpose.
   *
   * @throws InvalidOptionError when the authority cannot: then whoever promotes must
   * @throws LeaseLostError of `@ashlar/store` when this process stood still for so long that another may lead: try again
   */
  async switchover(options: SwitchoverOptions = {}): Promise<SwitchoverReport> {
    this.#assertOpen();
    return this.#authority.switchover(options);
  }

  /**
   * Changes whose acknowledgments count, where the set leads: adds and removes standbys, and says how many must acknowledge.
   *
   * @throws InvalidOptionError when the authority cannot; FailoverRefusedError when no write could succeed afterwards
   */
  async changeMembers(change: MembershipChange): Promise<MembershipReport> {
    this.#assertOpen();
    return this.#authority.changeMembers(change);
  }

  /**
   * How the servers are reached, and who is primary in which term, for tools that need connections of their own, such as
   * a move of a shard. It may hold passwords; `snapshot()` has none. The channel `topology` tells when it has changed.
   */
  addresses(): readonly ServerAddress[] {
    const { topology } = this.#route;
    return this.#servers.map(({ id, region, address }) => ({
      id,
      region,
      connection: address?.connection,
      replication: address?.replication,
      isPrimary: id === topology?.primary,
      term: topology?.term,
    }));
  }

  snapshot(): ReplicaSetSnapshot {
    return {
      name: this.name,
      authority: this.#authority.kind,
      state: this.#closing === undefined ? 'open' : 'closed',
      term: this.#route.topology?.term,
      primary: this.#route.topology?.primary,
      servers: serverSnapshots(this.#watch, this.#clock.now()),
      leading: this.#authority.snapshot(),
    };
  }

  /** Rejects new calls and those that wait for a server, waits for the work that runs, and ends all connections. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #start(): Promise<void> {
    this.#authority.start();
    this.#watch.start();
    await this.#calls.waiting(async call => {
      call.lacks = () => this.#route.noPrimary();
      for (;;) {
        const { kinship, servers } = this.#watch;
        if (kinship.wrong !== undefined) throw kinship.wrong;
        // Whoever answers last may not belong to the others
        const isAsked = servers.every(({ state }) => state !== 'new');
        if (isAsked && this.#route.primary() !== undefined) return;
        await this.#watch.nextLook(call.signal);
      }
    });
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new ReplicaSetClosedError(this.name);
  }

  async #close(): Promise<void> {
    const closed = new ReplicaSetClosedError(this.name);
    this.#authority.stop(closed);
    this.#watch.stop(closed);
    this.#gate.open();
    await this.#authority.close();
    await this.#pools.close();
    await this.#route.close();
    this.#deadlines.close();
    await Promise.all(this.#servers.map(server => server[Symbol.asyncDispose]()));
  }
}
