import type { Job, OutgoingMessage } from '../../src/index.ts';
import type { GroupModel } from '../model/group-model.ts';
import type { MessageModel } from '../model/message-model.ts';
import type { Step } from '../plan/plan.ts';
import { type Case, topic } from './case.ts';

type JobStep = Extract<Step, { step: 'job' }>;

/** The steps of a case that ask for one message, or take it away. */
export class Jobs {
  readonly #case: Case;
  readonly #sent: readonly OutgoingMessage[];

  /** @param sent what was published, also before there was a group */
  constructor(played: Case, sent: readonly OutgoingMessage[]) {
    this.#case = played;
    this.#sent = sent;
  }

  async job(step: JobStep): Promise<void> {
    const group = this.#case.groups.get(step.group);
    if (group === undefined) {
      const asked = this.#case.driver(step.process)[step.op]!(topic, step.group, 'unheard of');
      return this.#case.missing(step.op, asked);
    }
    const ids = new Set([...this.#sent.map(({ id }) => id), ...group.messages.keys()]);
    const id = [...ids][step.message % Math.max(1, ids.size)];
    if (id === undefined) return;
    if (step.op === 'find') await this.#find(step, group, id);
    else await this.#cancel(step, group, id);
  }

  async #find({ process, group: name }: JobStep, group: GroupModel, id: string): Promise<void> {
    const message = group.messages.get(id);
    const mustBe = message !== undefined && this.#mustBe(message);
    const before = message?.holding;
    const found = await this.#case.call('find', this.#case.driver(process).find!(topic, name, id));
    if (found === undefined || message === undefined || message.mayBeTwo) return;
    // It may have come after it was looked at
    if (message.holding !== before) return;
    if (mustBe && found.value === undefined) this.#case.complaints.push('find: an open message is unknown');
    this.#compare(group, message, found.value);
  }

  #compare(group: GroupModel, message: MessageModel, found: Job | undefined): void {
    const { state, holding, result } = message;
    const wrong = (what: unknown, expected: unknown) =>
      this.#case.complaints.push(`find: ${message.text} is ${JSON.stringify(what)}, and ${expected}`);
    if (state === 'dead' && found?.state !== 'dead') wrong(found?.state, 'dead');
    if (state === 'acknowledged' && result === undefined && found !== undefined && !message.isRaw) {
      wrong(found.state, 'acknowledged without a result');
    }
    if (state === 'acknowledged' && result !== undefined && !message.isForgotten) {
      const kept = found?.result === undefined ? undefined : Buffer.from(found.result).toString();
      if (kept !== `${result}`) wrong(found, `acknowledged with the result ${result}`);
    }
    if (found === undefined || (state !== 'open' && state !== 'dead')) return;
    if (state === 'open' && (found.state === 'dead' || found.state === 'done')) wrong(found.state, 'open');
    const isHeld = holding !== undefined && group.isSurelyHeld(holding) && holding.settling === undefined;
    if (isHeld && state === 'open' && found.state !== 'active') wrong(found.state, 'in hands');
    if (isHeld && holding.progress !== undefined) {
      const said = found.progress === undefined ? undefined : Buffer.from(found.progress).toString();
      if (said !== `${holding.progress}`) wrong(found, `its progress is ${holding.progress}`);
    }
    if (found.failures !== message.failures) wrong(found, `has ${message.failures} failures`);
    // One that is on its way is counted
    const most = message.deliveries + (state === 'open' && !isHeld ? 1 : 0);
    if (found.deliveries < message.deliveries || (found.deliveries > most && !message.atLeast)) {
      wrong(found, `has ${message.deliveries} deliveries`);
    }
  }

  async #cancel({ process, group: name }: JobStep, group: GroupModel, id: string): Promise<void> {
    const message = group.messages.get(id);
    const mustBe = message !== undefined && this.#mustBe(message);
    const wasHeld = message?.holding;
    if (message !== undefined) message.isCanceling = true;
    if (wasHeld !== undefined) wasHeld.mayBeLost = true;
    const done = await this.#case.call('cancel', this.#case.driver(process).cancel!(topic, name, id));
    if (message === undefined) return;
    message.isCanceling = false;
    if (done === undefined || done.value) group.unlinked(message);
    if (done === undefined) return message.doubted();
    if (done.value) {
      message.owed = 'nothing';
      message.isUnanswered = false;
    }
    if (message.state === 'unsure') {
      message.wasTakenUnseen ||= done.value;
      return;
    }
    if (mustBe && !done.value) this.#case.complaints.push('cancel: an open message was not there');
    if (!mustBe && message.state !== 'open' && done.value) {
      this.#case.complaints.push(`cancel: a message that is ${message.state} was there`);
    }
    if (done.value && (wasHeld === undefined || wasHeld === message.holding)) group.canceled(id);
    else if (done.value) message.doubted();
  }

  #mustBe({ state, expiresAt }: MessageModel): boolean {
    return state === 'open' && expiresAt > this.#case.stage.now();
  }
}
