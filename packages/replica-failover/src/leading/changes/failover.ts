import type { AuthorityContext } from '../../authority.ts';
import { FailoverRefusedError } from '../../errors.ts';
import { type Noted, recruitsNeeded, type TermRecord } from '../record.ts';
import { recruit } from './recruits.ts';
import {
  mostAdvanced,
  othersOf,
  preference,
  type Recruit,
  type Steps,
  servingRecord,
  standbysOf,
} from './steps.ts';

export interface FailoverSettings {
  /** Whether to go on with fewer recruits than needed, and so lose what only the others have. */
  readonly allowLoss: boolean;
  /** In order of preference. */
  readonly regions: readonly string[];
}

/**
 * One change of the primary that nobody has planned, and what is done to keep the order of a term.
 *
 * Recruiting is the fence: a standby that was detached acknowledges nothing, and of S standbys of which k must acknowledge,
 * S − k + 1 recruits leave the old primary without k, alive or not, whoever talks to it. And each acknowledged write is
 * on one of them, so it is on the most advanced one. Terms are numbers of the store; a node obeys the latest it has seen.
 */
export class Failover {
  readonly #context: AuthorityContext;
  readonly #steps: Steps;
  readonly #settings: FailoverSettings;

  constructor(context: AuthorityContext, steps: Steps, settings: FailoverSettings) {
    this.#context = context;
    this.#steps = steps;
    this.#settings = settings;
  }

  /** Begins a new term, and makes a standby its primary. @throws FailoverRefusedError, TermPassedError */
  async run(before: Noted): Promise<Noted> {
    const { candidate: _none, loss: _before, ...rest } = before.record;
    const term = before.record.term + 1;
    const noted = await this.#steps.change(before, { ...rest, term, phase: 'changing' });
    const recruits = await recruit(this.#context, this.#steps, noted.record);
    const needed = recruitsNeeded(noted.record);
    const isShort = recruits.length < needed || standbysOf(recruits).length === 0;
    const loss = isShort
      ? `${recruits.length} of the ${needed} standbys that are needed were recruited`
      : undefined;
    let chosen: Recruit;
    try {
      if (isShort && (!this.#settings.allowLoss || standbysOf(recruits).length === 0))
        throw new FailoverRefusedError(
          `${loss}; nobody was promoted, since acknowledged writes could be lost`,
        );
      chosen = mostAdvanced(recruits, preference(this.#context, this.#settings.regions));
    } catch (error) {
      await this.#steps.undo(noted, recruits);
      throw error;
    }
    const decided = { ...noted.record, candidate: chosen.id, ...(loss && { loss }) };
    return this.#steps.promote(await this.#steps.change(noted, decided), chosen, recruits);
  }

  /**
   * Goes on where an orchestrator has died: with its candidate when that is a primary already, with the primary of before
   * when none was chosen and that lives, else anew.
   */
  async finish(before: Noted): Promise<Noted> {
    const { candidate, primary } = before.record;
    const serving = candidate ?? primary;
    if (await this.#isPrimary(serving, before.record.term + 1)) return this.#serve(before, serving);
    return this.run(before);
  }

  /** The first record of a set: the primary that there is, with the standbys it must wait for. */
  async begin(record: TermRecord): Promise<Noted> {
    await this.#steps.serve(record, record.primary);
    return this.#steps.change(undefined, record);
  }

  /**
   * Brings servers that were away into the order of the term: the old primary stands aside, standbys follow the new, and a
   * primary that was fenced, and stayed primary, writes again.
   */
  async tidy({ record }: Noted, away: readonly string[]): Promise<void> {
    for (const id of away) {
      const administration = await this.#steps.administer(id, record.term);
      const isPrimary = await administration.isPrimary();
      if (id === record.primary) await this.#steps.serve(record, id);
      else if (isPrimary) await administration.fence();
      else await administration.follow(record.primary);
    }
  }

  /** Ends a change with a primary that is one already. */
  async #serve(before: Noted, primary: string): Promise<Noted> {
    const { record } = before;
    const term = record.term + 1;
    // First its own term, so that an orchestrator that comes back is refused by the store
    const noted = await this.#steps.change(before, { ...record, term, phase: 'changing' });
    await this.#steps.serve(noted.record, primary);
    const serving = await this.#steps.change(noted, servingRecord(noted.record, primary));
    await Promise.allSettled(
      othersOf(record, primary).map(async id => {
        const server = this.#context.servers().find(each => each.id === id);
        if (server?.state !== 'up' || server.sighting?.role !== 'replica') return;
        await (await this.#steps.administer(id, term)).follow(primary);
      }),
    );
    return serving;
  }

  /** Asked anew, as what was seen last may be older than a promotion; false when it does not answer. */
  async #isPrimary(id: string, term: number): Promise<boolean> {
    if (this.#context.servers().find(each => each.id === id)?.state !== 'up') return false;
    return (await this.#steps.administer(id, term)).isPrimary();
  }
}
