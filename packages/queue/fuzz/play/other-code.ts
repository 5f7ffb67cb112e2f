import type { OutgoingMessage } from '../../src/index.ts';
import type { GroupModel } from '../model/group-model.ts';
import type { RawJob, Step } from '../plan/plan.ts';
import { type OtherCode, rawType } from '../sites/site.ts';
import type { Case } from './case.ts';

/** The steps of a case that other code takes: jobs of its own, and what dashboards do to any. */
export class Others {
  readonly #case: Case;
  readonly #code: OtherCode;
  #made = 0;

  constructor(played: Case, code: OtherCode) {
    this.#case = played;
    this.#code = code;
  }

  async add({ group: name, jobs }: Extract<Step, { step: 'raw' }>): Promise<void> {
    const group = this.#case.groups.get(name);
    if (group === undefined) return;
    for (const job of jobs) await this.#add(name, group, job);
  }

  async pause({ step, group: name }: Extract<Step, { step: 'rawPause' | 'rawResume' }>): Promise<void> {
    const group = this.#case.groups.get(name);
    if (group === undefined) return;
    if (step === 'rawPause') {
      await this.#code.pause(name);
      group.pausedFrom = this.#case.sequence;
    } else {
      group.pausedFrom = Number.POSITIVE_INFINITY;
      await this.#code.resume(name);
    }
  }

  async job({ group: name, op, message: index }: Extract<Step, { step: 'rawJob' }>): Promise<void> {
    const group = this.#case.groups.get(name);
    if (group === undefined) return;
    const all = [...group.messages.values()].filter(message => op !== 'evict' || message.state === 'dead');
    const message = all[index % Math.max(1, all.length)];
    if (message === undefined) return;
    const { state } = message;
    // It may come before the answer does
    const sequence = this.#case.sequence++;
    if (op === 'retry' && (state === 'dead' || state === 'acknowledged')) {
      if (state === 'acknowledged') message.failures++; // BullMQ counts it
      group.resurrecting(message);
      message.resurrected(sequence);
    }
    if (op === 'promote') message.earliestAt = 0;
    const { holding } = message;
    if (holding !== undefined && op === 'remove') holding.mayBeLost = true;
    const isDone = await this.#code.job(name, op, message.sent.id);
    if (op === 'remove' || op === 'evict') {
      if (!isDone) return;
      message.doubted();
      // Published again, it is there beside its id, which stays among the dead
      if (op === 'evict') message.mayBeTwo = true;
      group.unlinked(message);
      return;
    }
    if (op !== 'retry') return;
    if (isDone) group.unlinked(message); // Its parent waits for it again, or not, as BullMQ has it
    const wasFinished = state === 'dead' || state === 'acknowledged';
    if (isDone === wasFinished) return;
    if (holding !== undefined) holding.mayBeLost = true;
    message.doubted();
    // What is forgotten, or was never sure, cannot be told
    if (!isDone && state === 'dead' && !message.mayBeTwo) {
      this.#case.complaints.push(`retry: the dead ${message.text} is not there for other code`);
    }
  }

  async #add(name: string, group: GroupModel, job: RawJob): Promise<void> {
    const first = this.#made;
    this.#made += 1 + (job.children ?? 0);
    const body = (index: number) => ({ from: 'other code', n: first + index });
    group.awaiting();
    const ids = await this.#code.add(name, job, job.id === undefined ? undefined : `${job.id}${first}`, body);
    for (const [index, id] of ids.entries()) {
      const sent: OutgoingMessage = {
        id,
        body: Buffer.from(JSON.stringify(body(index))),
        headers: { 'content-type': 'application/json', 'ce-id': id, 'ce-type': rawType },
        ...(index === 0 && job.delayMs !== undefined && { delayMs: job.delayMs }),
      };
      group.publishing(sent, this.#case.sequence++);
      group.published(id, 'confirmed', this.#case.sequence);
    }
    const [parent, ...children] = ids.map(id => group.messages.get(id)!);
    for (const message of [parent!, ...children]) message.isRaw = true;
    parent!.isForgotten = job.forgotten === true;
    parent!.children = children;
    // Its delay begins when the last of them is finished, or earlier
    if (children.length > 0) parent!.earliestAt = 0;
    else if (job.delayMs !== undefined) parent!.earliestAt -= slackMs;
    group.awaited();
  }
}

/** The clock of who has added it began earlier. */
const slackMs = 1_000;
