import type { AuthorityContext, MembershipChange } from '../../authority.ts';
import { FailoverRefusedError, WrongServersError } from '../../errors.ts';
import type { Noted, TermRecord } from '../record.ts';
import type { Steps } from './steps.ts';

/**
 * Changes whose acknowledgments count. At every moment the record asks for as many recruits as are needed for what the primary
 * has been told, and for what it may have been told: what needs more recruits is noted first and done then, what needs
 * fewer is done first.
 */
export class Membership {
  readonly #context: AuthorityContext;
  readonly #steps: Steps;

  constructor(context: AuthorityContext, steps: Steps) {
    this.#context = context;
    this.#steps = steps;
  }

  /** @throws FailoverRefusedError, before anything is changed */
  async run(before: Noted, { add = [], remove = [], synchronous }: MembershipChange): Promise<Noted> {
    const target = this.#checked(before.record, add, remove, synchronous);
    let noted = before;
    const added = [...new Set([...noted.record.members, ...add])];
    if (add.length > 0) noted = await this.#noteThenDo(noted, { members: added });
    if (target.synchronous < noted.record.synchronous) {
      const loss = target.synchronous === 0 ? { loss: 'no standby has to acknowledge a write' } : {};
      noted = await this.#noteThenDo(noted, { synchronous: target.synchronous, ...loss });
    } else if (target.synchronous > noted.record.synchronous) {
      const { term, synchronous: was } = noted.record;
      const loss = was === 0 ? { loss: `up to term ${term} no standby had to acknowledge a write` } : {};
      noted = await this.#doThenNote(noted, { synchronous: target.synchronous, ...loss });
    }
    if (target.members.length < added.length)
      noted = await this.#doThenNote(noted, { members: target.members });
    return noted;
  }

  #checked(
    { members, primary, synchronous: now }: TermRecord,
    add: readonly string[],
    remove: readonly string[],
    synchronous: number = now,
  ): Pick<TermRecord, 'members' | 'synchronous'> {
    const servers = this.#context.servers();
    for (const id of add) {
      const server = servers.find(each => each.id === id);
      if (server === undefined) throw new FailoverRefusedError(`this set has no server ${id} to add`);
      if (server.error instanceof WrongServersError) throw server.error;
      const isStandby = server.state === 'up' && server.sighting?.role === 'replica';
      if (id !== primary && !isStandby) throw new FailoverRefusedError(`${id} is no standby that answers`);
    }
    for (const id of remove) {
      if (!members.includes(id)) throw new FailoverRefusedError(`${id} is no member`);
      if (id === primary)
        throw new FailoverRefusedError(`${id} is the primary: hand over before you remove it`);
    }
    const rest = [...new Set([...members, ...add])].filter(id => !remove.includes(id));
    if (rest.length - 1 >= synchronous) return { members: rest, synchronous };
    throw new FailoverRefusedError(
      `${rest.length - 1} standbys would be left, and ${synchronous} must acknowledge: no write could succeed`,
    );
  }

  async #noteThenDo(before: Noted, change: Partial<TermRecord>): Promise<Noted> {
    const noted = await this.#note(before, change);
    await this.#steps.serve(noted.record, noted.record.primary);
    return noted;
  }

  async #doThenNote(before: Noted, change: Partial<TermRecord>): Promise<Noted> {
    // First the term alone, so that nobody of an earlier one changes the same
    const claimed = await this.#note(before, {});
    await this.#steps.serve({ ...claimed.record, ...change }, claimed.record.primary);
    return this.#steps.change(claimed, { ...claimed.record, ...change });
  }

  #note({ record, version }: Noted, change: Partial<TermRecord>): Promise<Noted> {
    return this.#steps.change({ record, version }, { ...record, ...change, term: record.term + 1 });
  }
}
