import type { OutgoingMessage } from '../../src/index.ts';
import type { Step } from '../plan/plan.ts';
import { type Case, topic } from './case.ts';

/** The steps of a case that an operator would take: dead letters, single jobs, pauses. */
export class Operating {
  readonly #case: Case;
  readonly #sent: readonly OutgoingMessage[];

  constructor(played: Case, sent: readonly OutgoingMessage[]) {
    this.#case = played;
    this.#sent = sent;
  }

  async letters({ process, group: name, op, one }: Extract<Step, { step: 'letters' }>): Promise<void> {
    const group = this.#case.groups.get(name);
    if (group === undefined) return;
    const driver = this.#case.driver(process);
    if (op === 'inspect') {
      const letters = await this.#case.call(op, driver.inspect!(topic, name, { limit: 1_000 }));
      if (letters !== undefined) group.compareDead(letters.value);
      return;
    }
    const dead = group.dead();
    const chosen = one === undefined ? dead : dead.slice(one % Math.max(1, dead.length)).slice(0, 1);
    const ids = one === undefined ? undefined : chosen.map(({ sent }) => sent.id);
    const wasUnsure = group.isUnsure;
    // They may come before the answer does
    for (const message of chosen) {
      if (op === 'redrive') message.revived(this.#case.sequence++);
      else message.state = 'gone';
    }
    const count = await this.#case.call(op, driver[op]!(topic, name, ids === undefined ? {} : { ids }));
    if (count === undefined) {
      for (const message of chosen) message.doubted();
    } else if (
      count.value !== chosen.length &&
      !(wasUnsure && (ids === undefined || this.#case.site.forgets))
    ) {
      this.#case.complaints.push(`${op}: ${count.value} in place of ${chosen.length}`);
    }
  }

  async job({ process, group: name, op, message: index }: Extract<Step, { step: 'job' }>): Promise<void> {
    const group = this.#case.groups.get(name);
    const sent = this.#sent[index % Math.max(1, this.#sent.length)];
    if (group === undefined || sent === undefined) return;
    const message = group.messages.get(sent.id);
    const mustBe =
      message !== undefined && message.state === 'open' && message.expiresAt > this.#case.stage.now();
    const driver = this.#case.driver(process);
    if (op === 'find') {
      const found = await this.#case.call(op, driver.find!(topic, name, sent.id));
      if (found === undefined || message === undefined || message.state === 'unsure') return;
      if (message.state === 'dead' && found.value?.state !== 'dead') {
        this.#case.complaints.push(`find: a dead message is ${found.value?.state}`);
      }
      if (mustBe && found.value === undefined) this.#case.complaints.push('find: an open message is unknown');
      return;
    }
    const wasHeld = message?.holding;
    if (message !== undefined) message.isCanceling = true;
    if (wasHeld !== undefined) wasHeld.mayBeLost = true;
    const done = await this.#case.call(op, driver.cancel!(topic, name, sent.id));
    if (message !== undefined) message.isCanceling = false;
    if (done === undefined) return message?.doubted();
    if (message === undefined) return;
    if (message.state === 'unsure') {
      message.wasTakenUnseen ||= done.value;
      return;
    }
    if (mustBe && !done.value) this.#case.complaints.push('cancel: an open message was not there');
    if (!mustBe && message.state !== 'open' && done.value) {
      this.#case.complaints.push(`cancel: a message that is ${message.state} was there`);
    }
    if (done.value && (wasHeld === undefined || wasHeld === message.holding)) group.canceled(sent.id);
    else if (done.value) message.doubted();
  }

  async pause({ step, process, group: name }: Extract<Step, { step: 'pause' | 'resume' }>): Promise<void> {
    const group = this.#case.groups.get(name);
    if (group === undefined) return;
    if (step === 'resume') group.isPaused = false;
    const done = await this.#case.call(step, this.#case.driver(process)[step]!(topic, name));
    if (step === 'pause' && done !== undefined) group.isPaused = true;
  }
}
