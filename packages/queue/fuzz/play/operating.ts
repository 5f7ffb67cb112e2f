import type { Step } from '../plan/plan.ts';
import { type Case, topic } from './case.ts';

/** The steps of a case that an operator would take by this package: dead letters, pauses, and how much there is. */
export class Operating {
  readonly #case: Case;

  constructor(played: Case) {
    this.#case = played;
  }

  async letters({
    process,
    group: name,
    op,
    named,
    limit,
  }: Extract<Step, { step: 'letters' }>): Promise<void> {
    const group = this.#case.groups.get(name);
    if (group === undefined) return this.#ask(op, process, name);
    const driver = this.#case.driver(process);
    if (op === 'inspect') {
      const letters = await this.#case.call(op, driver.inspect!(topic, name, { limit: 1_000 }));
      if (letters !== undefined) group.compareDead(letters.value);
      return;
    }
    const dead = group.dead();
    const ids = named?.map(index => dead[index % Math.max(1, dead.length)]?.sent.id ?? 'unheard of');
    const chosen = dead.filter(({ sent }) => ids === undefined || ids.includes(sent.id));
    const expected = Math.min(chosen.length, limit ?? Infinity);
    // Nobody knows of which it is done
    const isPart = expected < chosen.length;
    const wasUnsure = group.isUnsure;
    // They may come before the answer does
    for (const message of chosen) {
      if (isPart) message.doubted(op === 'redrive' ? 'deliveryOrDeath' : 'nothing');
      else if (op === 'redrive') message.revived(this.#case.sequence++);
      else message.state = 'gone';
    }
    const selection = { ...(ids !== undefined && { ids }), ...(limit !== undefined && { limit }) };
    const count = await this.#case.call(op, driver[op]!(topic, name, selection));
    if (op === 'purge' && ids === undefined) group.purgedUnseen();
    if (count === undefined) {
      for (const message of chosen) message.doubted(op === 'redrive' ? 'deliveryOrDeath' : 'nothing');
    } else if (count.value !== expected && !(wasUnsure && (ids === undefined || this.#case.site.forgets))) {
      this.#case.complaints.push(`${op}: ${count.value} in place of ${expected}`);
    }
    if (op === 'purge') for (const message of chosen) group.unlinked(message);
  }

  /** Nothing else happens meanwhile, so that each is on one of the pages. */
  async pages({ process, group: name, limit }: Extract<Step, { step: 'pages' }>): Promise<void> {
    const group = this.#case.groups.get(name);
    if (group === undefined) return this.#ask('inspect', process, name);
    const ids: string[] = [];
    for (let page = 0; page < 200; page++) {
      const after = ids.at(-1);
      const asked = { limit, ...(after !== undefined && { after }) };
      const found = await this.#case.call('inspect', this.#case.driver(process).inspect!(topic, name, asked));
      if (found === undefined) return;
      ids.push(...found.value.map(({ id }) => id));
      if (found.value.length < limit) break;
    }
    const sure = group.dead().filter(({ mayBeTwo }) => !mayBeTwo);
    const missing = sure.filter(({ sent }) => !ids.includes(sent.id)).length;
    if (missing > 0 || (!group.isUnsure && ids.length !== sure.length)) {
      this.#case.complaints.push(
        `inspect: by ${limit}, the pages have ${ids.length} of ${sure.length}, without ${missing} of them`,
      );
    }
  }

  /** Nothing but claims happens meanwhile, and they change no sum. */
  async stats({ process, group: name }: Extract<Step, { step: 'stats' }>): Promise<void> {
    const group = this.#case.groups.get(name);
    if (group === undefined) return this.#ask('stats', process, name);
    if (group.isUnsure) return;
    const [, most] = group.counts();
    const stats = await this.#case.call('stats', this.#case.driver(process).stats!(topic, name));
    if (stats === undefined || group.isUnsure) return;
    const [least] = group.counts();
    const { waiting, delayed = 0, active = 0, dead } = stats.value;
    const count = waiting + delayed + active;
    if (count < least || count > most) {
      const said = JSON.stringify(stats.value);
      this.#case.complaints.push(`stats: ${said} in place of ${least} to ${most} that are not settled`);
    }
    if (dead !== group.dead().length) {
      this.#case.complaints.push(`stats: ${dead} dead in place of ${group.dead().length}`);
    }
  }

  async pause({ step, process, group: name }: Extract<Step, { step: 'pause' | 'resume' }>): Promise<void> {
    const group = this.#case.groups.get(name);
    if (group === undefined) return this.#ask(step, process, name);
    if (step === 'resume') {
      group.isPaused = false;
      group.pausedFrom = Number.POSITIVE_INFINITY;
    }
    const done = await this.#case.call(step, this.#case.driver(process)[step]!(topic, name));
    if (step === 'resume' || done === undefined) return;
    group.isPaused = true;
    group.pausedFrom = this.#case.sequence;
  }

  /** Of a group that nobody declared. */
  #ask(what: 'inspect' | 'redrive' | 'purge' | 'stats' | 'pause' | 'resume', process: number, name: string) {
    const driver = this.#case.driver(process);
    const asked =
      what === 'inspect' ? driver.inspect!(topic, name, { limit: 1 }) : driver[what]!(topic, name, {});
    return this.#case.missing(what, asked);
  }
}
