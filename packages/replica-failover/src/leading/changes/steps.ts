import type { Lease } from '@ashlar/store';
import type { AuthorityContext } from '../../authority.ts';
import { FailoverRefusedError } from '../../errors.ts';
import type { Administration } from '../../server.ts';
import { isAfter, type Position } from '../../session.ts';
import type { Noted, TermRecord, Terms } from '../record.ts';
import type { Stopwatch } from './stopwatch.ts';

export interface Recruit {
  readonly id: string;
  readonly administration: Administration;
  readonly position: Position;
  /** A primary of an earlier term: it acknowledges nothing, and has nothing that the standbys lack. */
  readonly isOld: boolean;
}

interface PromoteOptions {
  readonly isNamed?: boolean;
  readonly watch?: Stopwatch;
  readonly join?: (() => Promise<void>) | undefined;
}

export interface StepsSettings {
  /** Milliseconds until recruiting is given up. */
  readonly recruitMs: number;
  /** Whether nobody knows what a server has: it may be half rewound. */
  isQuarantined(id: string): boolean;
}

/** What every change of the primary is made of, by whoever holds the lease of the orchestrator. */
export class Steps implements AsyncDisposable {
  readonly #context: AuthorityContext;
  readonly #terms: Terms;
  readonly #lease: Lease;
  /** Milliseconds until recruiting is given up. */
  readonly recruitMs: number;
  readonly #isQuarantined: (id: string) => boolean;
  readonly #ending = new AbortController();
  readonly #administrations = new Map<string, Promise<Administration>>();

  constructor(context: AuthorityContext, terms: Terms, lease: Lease, settings: StepsSettings) {
    this.#context = context;
    this.#terms = terms;
    this.#lease = lease;
    this.recruitMs = settings.recruitMs;
    this.#isQuarantined = settings.isQuarantined;
  }

  /** Changes the record, if nobody else has. @throws TermPassedError, LeaseLostError */
  change(before: Noted | undefined, record: TermRecord): Promise<Noted> {
    this.#lease.assertHeld();
    return this.#terms.change(before, record);
  }

  /** The right to change a server, in a term; one a server. @throws TermPassedError, FailoverRefusedError */
  async administer(
    id: string,
    term: number,
    signal: AbortSignal = this.#context.signal,
  ): Promise<Administration> {
    let beginning = this.#administrations.get(id);
    if (beginning === undefined) {
      beginning = this.#begin(id, term, signal);
      this.#administrations.set(id, beginning);
      beginning.catch(() => this.#administrations.delete(id));
    }
    const administration = await beginning;
    signal.throwIfAborted();
    this.#lease.assertHeld();
    return administration;
  }

  async #begin(id: string, term: number, signal: AbortSignal): Promise<Administration> {
    const within = AbortSignal.any([signal, this.#ending.signal]);
    const begun = this.#context.administer(id, term, within);
    if (begun === undefined) throw new FailoverRefusedError(`${id} cannot be led`);
    const administration = await begun;
    // It has come too late for what it was wanted for
    if (within.aborted) await administration[Symbol.asyncDispose]();
    within.throwIfAborted();
    return administration;
  }

  /** Detaches a standby, or fences a primary of before. */
  async recruitOne(id: string, term: number, signal: AbortSignal): Promise<Recruit> {
    const administration = await this.administer(id, term, signal);
    const isOld = await administration.isPrimary();
    if (!isOld && this.#isQuarantined(id)) throw new FailoverRefusedError(`${id} is in quarantine`);
    if (isOld) await administration.fence();
    const position = isOld ? await administration.position() : await administration.detach(signal);
    return { id, administration, position, isOld };
  }

  /**
   * Makes a recruit the primary, and ends the change. The others follow it while that is published.
   *
   * @param isNamed whether it has the names of its standbys already
   * @param join lets the old primary follow it, where that needs no more: before anybody takes it for one that must be rewound
   */
  async promote(
    noted: Noted,
    chosen: Recruit,
    recruits: readonly Recruit[],
    { isNamed, watch, join }: PromoteOptions = {},
  ): Promise<Noted> {
    const { record } = noted;
    this.#lease.assertHeld();
    if (!isNamed) await chosen.administration.require(othersOf(record, chosen.id), record.synchronous);
    this.#lease.assertHeld();
    await chosen.administration.promote(this.#context.signal);
    await join?.().catch(() => {}); // it stays fenced
    watch?.lap('promote');
    const others = standbysOf(recruits).filter(({ id }) => id !== chosen.id);
    const [serving] = await Promise.all([
      this.change(noted, servingRecord(record, chosen.id)),
      // One that has died meanwhile follows when it is back
      Promise.allSettled(others.map(({ administration }) => administration.follow(chosen.id))),
    ]);
    watch?.lap('publish');
    return serving;
  }

  /** Ends a change with the primary of before: recruits follow it again, and a fence that it got is over. */
  async undo(noted: Noted, recruits: readonly Recruit[]): Promise<Noted> {
    const { record } = noted;
    const { primary, planned } = record;
    // What fails is put in order when the server is back
    await Promise.allSettled([
      ...standbysOf(recruits).map(({ administration }) => administration.follow(primary)),
      planned && this.serve(record, primary),
    ]);
    return this.change(noted, servingRecord(record, primary));
  }

  /** Lets a server that is the primary take writes, which its standbys must acknowledge. */
  async serve(record: TermRecord, primary: string): Promise<void> {
    const administration = await this.administer(primary, record.term);
    await administration.require(othersOf(record, primary), record.synchronous);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(new FailoverRefusedError('the change of the primary is over'));
    const all = [...this.#administrations.values()];
    await Promise.allSettled(all.map(async begun => (await begun)[Symbol.asyncDispose]()));
  }
}

/** @throws FailoverRefusedError when the most advanced of the recruits is no standby */
export function mostAdvanced(recruits: readonly Recruit[], rank: (id: string) => number): Recruit {
  const better = (one: Recruit, other: Recruit) => {
    if (isAfter(one.position, other.position)) return one;
    return isAfter(other.position, one.position) || rank(other.id) < rank(one.id) ? other : one;
  };
  const chosen = standbysOf(recruits).reduce(better);
  const old = recruits.find(({ isOld, position }) => isOld && isAfter(position, chosen.position));
  if (old === undefined) return chosen;
  throw new FailoverRefusedError(`${old.id} is a primary, and has gone further than every standby`);
}

/** The place of a server's region in the order of preference; a smaller one is better. */
export function preference(context: AuthorityContext, regions: readonly string[]): (id: string) => number {
  return id => {
    const region = context.servers().find(each => each.id === id)?.region;
    const place = region === undefined ? -1 : regions.indexOf(region);
    return place < 0 ? regions.length : place;
  };
}

export function standbysOf(recruits: readonly Recruit[]): readonly Recruit[] {
  return recruits.filter(({ isOld }) => !isOld);
}

export function servingRecord(
  { candidate: _none, planned: _made, isHolding: _over, ...record }: TermRecord,
  primary: string,
): TermRecord {
  return { ...record, primary, phase: 'serving' };
}

export function othersOf({ members }: Pick<TermRecord, 'members'>, id: string): string[] {
  return members.filter(each => each !== id);
}
