import { withDeadline } from '@ashlar/core';
import type { AuthorityContext, Observed } from '../../authority.ts';
import { FailoverRefusedError, NoPrimaryError } from '../../errors.ts';
import type { Administration } from '../../server.ts';
import { isAfter, type Position } from '../../session.ts';
import { type Noted, recruitsNeeded, type TermRecord } from '../record.ts';
import { isStandby } from '../standbys.ts';
import type { Drains } from './drains.ts';
import { Recruits } from './recruits.ts';
import type { Rejoins } from './rejoins.ts';
import { othersOf, preference, type Recruit, type Steps, standbysOf } from './steps.ts';
import { Stopwatch } from './stopwatch.ts';

/** Milliseconds that other processes have, before writes wait, to say that they take part. */
const announceMs = 300;
/** Milliseconds that a process which takes part has to say whether writes go on there. It may have died. */
const wordMs = 1_000;
/** Milliseconds that a standby may need to be seen to follow. */
const receivingMs = 2_000;
/** Milliseconds that a primary has at least to refuse writes, however late it is. */
const leastMs = 30;
/** Milliseconds between two looks at what should happen soon. */
const stepMs = 2;

export interface SwitchoverSettings {
  /** Milliseconds that writes which were begun before may take; then they are ended. */
  readonly drainMs: number;
  /** In order of preference. */
  readonly regions: readonly string[];
  /** Whether to hand over although too few standbys would be left to acknowledge a write. */
  readonly allowLoss: boolean;
}

interface Switched {
  readonly noted: Noted;
  /** Since when writes waited, by the set's clock. */
  readonly heldAt: number;
  readonly stepsMs: Readonly<Record<string, number>>;
  /** Whether the old primary follows the new one. */
  readonly hasJoined: boolean;
}

/** The two servers that a change is about. */
interface Pair {
  readonly old: Administration;
  readonly next: Administration;
  readonly candidate: string;
}

/**
 * A change of the primary that is planned. New writes wait in every process, those that were begun end, the old primary
 * refuses more, the candidate gets all, and then it is promoted as in a failover, with the same fence. Until it is, all
 * can be taken back. What takes time and changes nothing that matters yet is done before writes wait, and what need not be
 * waited for is done beside the rest.
 */
export class Switchover {
  readonly #context: AuthorityContext;
  readonly #steps: Steps;
  readonly #drains: Drains;
  readonly #rejoins: Rejoins;
  readonly #settings: SwitchoverSettings;
  readonly #watch: Stopwatch;

  constructor(
    context: AuthorityContext,
    steps: Steps,
    drains: Drains,
    rejoins: Rejoins,
    settings: SwitchoverSettings,
  ) {
    this.#context = context;
    this.#steps = steps;
    this.#drains = drains;
    this.#rejoins = rejoins;
    this.#settings = settings;
    this.#watch = new Stopwatch(context.clock);
  }

  /** @throws FailoverRefusedError; the signal's reason, as long as nobody was promoted */
  async run(before: Noted, to: string | undefined, signal: AbortSignal): Promise<Switched> {
    const { clock } = this.#context;
    const candidate = await this.#candidate(before.record, to, signal);
    const { loss: _before, ...rest } = before.record;
    const term = rest.term + 1;
    let noted = await this.#steps.change(before, { ...rest, term, phase: 'changing', planned: true });
    const recruits = new Recruits(this.#context, this.#steps, noted.record);
    let heldAt: number;
    let chosen: Recruit;
    let join: (() => Promise<void>) | undefined;
    try {
      const pair = await this.#prepare(noted.record, candidate, signal);
      this.#assertEnough(noted.record, pair);
      this.#watch.lap('prepare');
      heldAt = clock.now();
      noted = await this.#steps.change(noted, { ...noted.record, isHolding: true });
      this.#watch.lap('hold');
      const { record } = noted;
      const others = othersOf(record, candidate).filter(id => id !== record.primary);
      // Where the candidate alone can acknowledge what goes on, the others are not needed for that any more
      if (record.synchronous <= 1) recruits.begin(others);
      const { end, isDrained } = await this.#drain(record, pair.old, signal);
      if (isDrained && pair.old.join !== undefined) join = pair.old.join.bind(pair.old, candidate);
      recruits.begin(others);
      await recruits.enough(recruitsNeeded(record) - 1);
      // A standby that has more than the new primary could not follow it
      await this.#catchUp(record, pair, [end, ...recruits.all.map(({ position }) => position)], signal);
      recruits.begin([candidate]);
      [noted] = await Promise.all([
        this.#steps.change(noted, { ...record, candidate }),
        recruits.enough(recruitsNeeded(record)),
      ]);
      this.#watch.lap('recruit');
      chosen = chosenOf(record, recruits.all, candidate);
      signal.throwIfAborted();
    } catch (error) {
      await this.#steps.undo(noted, await recruits.ended());
      throw error;
    }
    noted = await this.#steps.promote(noted, chosen, await recruits.ended(), {
      isNamed: true,
      watch: this.#watch,
      join,
    });
    return { noted, heldAt, stepsMs: this.#watch.steps, hasJoined: join !== undefined };
  }

  /** @throws FailoverRefusedError */
  async #candidate(
    { primary, members }: TermRecord,
    to: string | undefined,
    signal: AbortSignal,
  ): Promise<string> {
    const { clock } = this.#context;
    const able = () =>
      this.#context
        .servers()
        .filter(({ id, state }) => id !== primary && members.includes(id) && state === 'up')
        .filter(({ sighting }) => sighting?.role === 'replica')
        .filter(({ id }) => to === undefined || id === to);
    if (to === primary) throw new FailoverRefusedError(`${to} is the primary already`);
    if (to !== undefined && !members.includes(to)) throw new FailoverRefusedError(`there is no server ${to}`);
    // Just after another change, the look that sees it follow may be yet to come
    for (const until = clock.now() + receivingMs; ; ) {
      const receiving = able().filter(({ sighting }) => sighting!.isReceiving === true);
      const rank = preference(this.#context, this.#settings.regions);
      const best = Math.min(...receiving.map(({ id }) => rank(id)));
      const near = receiving.filter(({ id }) => rank(id) === best);
      if (near.length > 0) return near.reduce(furthest).id;
      if (able().length === 0 || clock.now() >= until) break;
      await clock.sleep(stepMs, signal);
    }
    throw new FailoverRefusedError(`${to ?? 'no server'} is a standby that follows ${primary}`);
  }

  /** @throws FailoverRefusedError when no write could succeed afterwards */
  #assertEnough({ primary, members, synchronous }: TermRecord, { old, candidate }: Pair): void {
    const { allowLoss } = this.#settings;
    const servers = this.#context.servers();
    const left = members.filter(id => {
      if (id === candidate) return false;
      if (id === primary) return old.join !== undefined || this.#rejoins.comesBack(id);
      return isStandby(servers, id) || this.#rejoins.comesBack(id);
    });
    if (allowLoss || left.length >= synchronous) return;
    const text = `${left.length} standbys would be left, and ${synchronous} must acknowledge: no write could succeed`;
    throw new FailoverRefusedError(
      `${text}; give ${primary} hooks in \`members\`, so that it follows ${candidate}, or add a standby`,
    );
  }

  /** What takes time and can be done before writes wait. */
  async #prepare(record: TermRecord, candidate: string, signal: AbortSignal): Promise<Pair> {
    const { term, primary, synchronous } = record;
    const [old, next] = await Promise.all([
      this.#steps.administer(primary, term, signal),
      this.#steps.administer(candidate, term, signal).then(async next => {
        await next.require(othersOf(record, candidate), synchronous);
        return next;
      }),
      this.#administerOthers(record, signal),
      this.#context.clock.sleep(announceMs, signal),
    ]);
    return { old, next, candidate };
  }

  /** Who cannot be administered soon is not recruited, which is found out then. */
  async #administerOthers({ members, term }: TermRecord, signal: AbortSignal): Promise<void> {
    const up = this.#context.servers().filter(({ id, state }) => members.includes(id) && state === 'up');
    const all = Promise.allSettled(up.map(({ id }) => this.#steps.administer(id, term, signal)));
    await Promise.race([all, this.#context.clock.sleep(receivingMs / 10, signal)]);
  }

  /** Resolves with where the old primary has ended: nothing is acknowledged there any more. */
  async #drain(
    { term }: TermRecord,
    old: Administration,
    signal: AbortSignal,
  ): Promise<{ end: Position; isDrained: boolean }> {
    const { clock } = this.#context;
    const { drainMs } = this.#settings;
    const late = () => new FailoverRefusedError('the writes that were begun take too long');
    const within = <T>(timeoutMs: number, work: (stop: AbortSignal) => Promise<T>) =>
      withDeadline({ timeoutMs, clock, signal, late }, work).catch(error => {
        signal.throwIfAborted();
        if (!(error instanceof FailoverRefusedError)) throw error;
        return undefined;
      });
    const until = clock.now() + drainMs;
    const handsOver = () => new NoPrimaryError(`${this.#context.set} hands over to another primary`);
    await within(drainMs, stop =>
      Promise.all([this.#context.holdWrites('switchover', handsOver), this.#othersDrained(term, stop)]),
    );
    this.#watch.lap('drain');
    // What goes on now is of processes that do not ask the store, or takes too long: the fence ends it
    const drained = await within(Math.max(leastMs, until - clock.now()), stop => old.drain(stop));
    await old.fence();
    const end = drained ?? (await old.position());
    this.#watch.lap('fence');
    return { end, isDrained: drained !== undefined };
  }

  async #othersDrained(term: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#context;
    const until = clock.now() + wordMs;
    while (this.#drains.others(term, 'here') > 0 && clock.now() < until) await clock.sleep(stepMs, signal);
    while (this.#drains.others(term, 'draining') > 0) await clock.sleep(stepMs, signal);
  }

  async #catchUp(
    { primary }: TermRecord,
    { next, candidate }: Pair,
    places: readonly Position[],
    signal: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#context;
    const { drainMs } = this.#settings;
    const late = () =>
      new FailoverRefusedError(`${candidate} has not got all that ${primary} has within ${drainMs} ms`);
    await withDeadline({ timeoutMs: drainMs, clock, signal, late }, async stop => {
      for (;;) {
        const has = await next.position();
        if (!places.some(place => isAfter(place, has))) return;
        await clock.sleep(stepMs, stop);
      }
    });
    this.#watch.lap('catch up');
  }
}

function furthest(one: Observed, other: Observed): Observed {
  return isAfter(other.sighting!.position, one.sighting!.position) ? other : one;
}

/** @throws FailoverRefusedError */
function chosenOf(record: TermRecord, recruits: readonly Recruit[], candidate: string): Recruit {
  const needed = recruitsNeeded(record);
  if (recruits.length < needed) {
    const text = `${recruits.length} of the ${needed} standbys that are needed were recruited`;
    throw new FailoverRefusedError(`${text}; ${record.primary} stays the primary`);
  }
  const chosen = standbysOf(recruits).find(({ id }) => id === candidate);
  if (chosen !== undefined) return chosen;
  throw new FailoverRefusedError(`${candidate} could not be recruited; ${record.primary} stays the primary`);
}
