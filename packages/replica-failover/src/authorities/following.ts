import {
  type Clock,
  InvalidOptionError,
  integer,
  listOf,
  type RulesFor,
  readOptions,
  required,
  signal,
  text,
  withDeadline,
} from '@ashlar/core';
import type {
  Authority,
  MembershipChange,
  MembershipReport,
  SwitchoverOptions,
  SwitchoverReport,
  Topology,
} from '../authority.ts';
import { channels } from '../diagnostics.ts';
import { FailoverRefusedError, SupersededError } from '../errors.ts';
import type { LeadingSnapshot } from '../leading/snapshot.ts';
import type { Route } from '../routing/route.ts';
import type { Gate } from '../running/gate.ts';
import type { Pools } from '../running/pools.ts';
import type { Watch } from '../watching/watch.ts';

const switchoverRules = { to: text(), signal: signal() } satisfies RulesFor<SwitchoverOptions>;
const membershipRules = {
  add: listOf(required(text())),
  remove: listOf(required(text())),
  synchronous: integer(undefined, { min: 0 }),
  signal: signal(),
} satisfies RulesFor<MembershipChange>;
/** Milliseconds after which what an operator wants changed is given up, whatever happens. */
const longestMs = 3_600_000;

/** What the authority may do in the set. */
export interface Followed<C> {
  readonly set: string;
  readonly route: Route<C>;
  readonly watch: Watch<C>;
  readonly pools: Pools<C>;
  readonly gate: Gate;
  /** Of calls: it keeps the process alive. */
  readonly clock: Clock;
  /** Of all that goes on without a call. */
  readonly background: Clock;
}

/** The authority of a set, and what the set makes of what that says: who is primary, and what a new term ends. */
export class Following<C> {
  readonly #authority: Authority;
  readonly #of: Followed<C>;
  readonly #stop = new AbortController();

  constructor(authority: Authority, of: Followed<C>) {
    this.#authority = authority;
    this.#of = of;
  }

  get kind(): string {
    return this.#authority.kind;
  }

  start(): void {
    const { set, route, watch, gate, background } = this.#of;
    watch.onLook(() => this.#look());
    watch.isUrgent = () => route.topology !== undefined && route.primary() === undefined;
    this.#authority.start({
      set,
      clock: background,
      administer: (id, term, signal) => watch.find(id)?.server.administer?.(term, signal),
      warn: warning => this.#warn(warning),
      servers: () => watch.servers,
      onSighting: listener => watch.onLook(listener),
      concerns: (id, signal) => watch.find(id)?.server.concerns?.(signal),
      holdWrites: (reason, lacks) => gate.hold(reason, lacks),
      resumeWrites: reason => gate.open(reason),
      publish: topology => this.#learn(topology),
      signal: this.#stop.signal,
    });
  }

  async switchover(options: SwitchoverOptions): Promise<SwitchoverReport> {
    const given = readOptions('switchover', options, switchoverRules);
    const authority = this.#authority;
    if (authority.switchover === undefined) throw this.#cannot('ask whoever promotes there for a switchover');
    return this.#inForeground('the switchover', () => authority.switchover!(given));
  }

  async changeMembers(change: MembershipChange): Promise<MembershipReport> {
    const given = readOptions('changeMembers', change, membershipRules);
    const authority = this.#authority;
    if (authority.changeMembers === undefined)
      throw this.#cannot('whoever promotes there says whose acknowledgments count');
    return this.#inForeground('the change of members', () => authority.changeMembers!(given));
  }

  snapshot(): LeadingSnapshot | undefined {
    return this.#authority.snapshot?.();
  }

  /** It says nothing more. `close` waits for what it does. */
  stop(reason: Error): void {
    this.#stop.abort(reason);
  }

  async close(): Promise<void> {
    await this.#authority.close?.();
  }

  /** Runs before any other listener of a look. */
  #look(): void {
    const { route, watch } = this.#of;
    const primary = route.primary();
    if (primary !== undefined) watch.trail.add(primary.sighting!.position, primary.sightedAt);
  }

  #learn(topology: Topology): void {
    const { set, route, watch, pools } = this.#of;
    const before = route.topology;
    if (this.#stop.signal.aborted || (before !== undefined && topology.term <= before.term)) return;
    route.topology = topology;
    if (channels.topology.hasSubscribers) {
      channels.topology.publish({ set, ...topology, before: before?.primary });
    }
    // A new term of the same primary ends nothing: what was sent to it was sent to the right one
    const isOther = before !== undefined && before.primary !== topology.primary;
    if (isOther) pools.renew(new SupersededError(set, topology.term));
    const primary = watch.find(topology.primary);
    if (primary !== undefined) watch.suspect(primary);
  }

  #warn(warning: string | undefined): void {
    const { set, route } = this.#of;
    if (warning !== undefined && warning !== route.warning && channels.warning.hasSubscribers) {
      channels.warning.publish({ set, warning });
    }
    route.warning = warning;
  }

  #cannot(advice: string): InvalidOptionError {
    return new InvalidOptionError('authority', `the authority ${this.kind} follows; ${advice}`);
  }

  /** Authorities work in the background; a call keeps the process alive. */
  #inForeground<T>(what: string, work: () => Promise<T>): Promise<T> {
    const late = () => new FailoverRefusedError(`${what} was not over within an hour`);
    return withDeadline({ timeoutMs: longestMs, clock: this.#of.clock, late }, work);
  }
}
