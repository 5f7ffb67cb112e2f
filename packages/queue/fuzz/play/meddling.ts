import type { GroupModel } from '../model/group-model.ts';
import type { MessageModel } from '../model/message-model.ts';
import type { Operation, Step } from '../plan/plan.ts';
import type { Operator } from '../sites/site.ts';
import { type Case, topic } from './case.ts';

/** The steps of a case that an operator takes past this package, on the server itself. */
export class Meddling {
  readonly #case: Case;
  readonly #operator: Operator;
  /** Whether messages may be held back that no delay was asked for. */
  #wasFull = false;

  constructor(played: Case, operator: Operator) {
    this.#case = played;
    this.#operator = operator;
  }

  async operate({ group: name, op }: Extract<Step, { step: 'operate' }>): Promise<void> {
    const group = this.#case.groups.get(name);
    if (group === undefined) return;
    this.#case.isDisturbed = true;
    if (op === 'delete') this.#case.isMeddledWith = true;
    await this.#operator.operate(name, op);
    for (const each of this.#emptied(op, group)) {
      each.emptied(message => this.#isLeft(op, each, message), op === 'delete');
    }
    if (op === 'delete') {
      group.pausedFrom = Number.POSITIVE_INFINITY;
      group.isPaused = false;
    }
    if (op === 'close' || op === 'delete') {
      for (const each of this.#case.groups.values()) each.disturbed(this.#case.site.forgets);
    }
    if (op === 'purge' || op === 'close') return;
    for (const each of this.#case.groups.keys()) await this.#declareAgain(each);
  }

  async policy({ policy }: Extract<Step, { step: 'policy' }>): Promise<void> {
    this.#case.isDisturbed = true;
    if (policy === 'full') {
      this.#wasFull = true;
      for (const group of this.#case.groups.values()) group.filled();
    }
    if (policy === 'few' || policy === 'brief') {
      this.#case.takesOut = true;
      for (const group of this.#case.groups.values()) group.meddledWith();
    }
    await this.#operator.policy!(policy);
  }

  /** What is held back for a topic is so for all of its groups; its exchange holds nothing. */
  #emptied(op: Operation, group: GroupModel): readonly GroupModel[] {
    if (op === 'close' || op === 'deleteTopic') return [];
    return op === 'deleteDelays' ? [...this.#case.groups.values()] : [group];
  }

  /** Whether that has surely not changed what is known of it. */
  #isLeft(op: Operation, group: GroupModel, message: MessageModel): boolean {
    const { state, holding, isDelayed } = message;
    const isHeld = holding !== undefined && group.isSurelyHeld(holding);
    const isDone = state === 'acknowledged' || state === 'gone';
    switch (op) {
      case 'purge':
        // The jobs that wait for others are the others' to name
        return isDone || state === 'dead' || (isHeld && message.children.length === 0);
      case 'delete':
        // Where ids are known, all are forgotten
        return (isDone || state === 'dead') && this.#case.site.capabilities.uniqueIds !== true;
      case 'deleteDead':
        return state !== 'dead' && message.owed !== 'deliveryOrDeath' && !group.isMeddledWith;
      default:
        return isDone || state === 'dead' || isHeld || !(this.#wasFull || isDelayed);
    }
  }

  async #declareAgain(name: string): Promise<void> {
    for (let tries = 0; tries < 40; tries++) {
      const declared = this.#case.driver(0).declare(topic, name);
      if ((await this.#case.outcome('declare', declared)) === undefined) return;
      await this.#case.stage.pass(50);
    }
    this.#case.complaints.push('declare: what was deleted was not to be declared again');
  }
}
