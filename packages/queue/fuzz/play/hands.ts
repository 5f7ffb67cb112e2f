import { type Delivery, DeliveryLostError } from '../../src/index.ts';
import type { GroupModel } from '../model/group-model.ts';
import type { Holding } from '../model/message-model.ts';
import type { Settling } from '../plan/plan.ts';
import type { Case } from './case.ts';

/** The steps of a case that settle what is in hands, and the leases that are extended meanwhile. */
export class Hands {
  readonly #case: Case;
  #extending = Promise.resolve();

  constructor(played: Case) {
    this.#case = played;
  }

  async settleAll(each: readonly (Settling & { readonly held: number })[]): Promise<void> {
    await this.#extending;
    const taken = new Set<Holding>();
    const under: Promise<void>[] = [];
    for (const settling of each) {
      const free = [...this.#case.groups.values()].flatMap(group =>
        [...group.holdings].filter(holding => !taken.has(holding)).map(holding => ({ group, holding })),
      );
      const chosen = free[settling.held % Math.max(1, free.length)];
      if (chosen === undefined) continue;
      taken.add(chosen.holding);
      under.push(this.settle(chosen.group, chosen.holding, settling));
    }
    await Promise.all(under);
  }

  async settle(group: GroupModel, holding: Holding, settling: Settling): Promise<void> {
    const { how } = settling;
    if (how === 'abandon') {
      holding.isAbandoned = true;
      return;
    }
    const { delivery } = holding;
    const startedAt = this.#case.stage.now();
    const wasSure = group.isSurelyHeld(holding);
    holding.settling = settling;
    const error = await this.#case.outcome(how, settle(delivery, settling));
    if (error instanceof DeliveryLostError) {
      const isStillSure = group.isSurelyHeld(holding) && wasSure && !holding.mayBeLost;
      if (isStillSure)
        this.#case.complaints.push(
          `${how}: the delivery of ${holding.message.text} was lost without a reason`,
        );
    } else if (error !== undefined) {
      if (!this.#case.isDisturbed) this.#case.complaints.push(`${how}: it failed with ${error}`);
      const isCurrent = holding.message.holding === holding;
      group.settled(holding, settling, startedAt, error);
      if (isCurrent) holding.message.doubted();
      return;
    }
    group.settled(holding, settling, startedAt, error);
    if (error !== undefined || how !== 'ackTwice') return;
    const again = await this.#case.outcome('ack', delivery.ack());
    if (again !== undefined) this.#case.complaints.push(`ack: once settled it failed with ${again}`);
    const failed = await this.#case.outcome('nack', delivery.nack({ requeueAfterMs: 0 }));
    if (failed !== undefined) this.#case.complaints.push(`nack: once settled it failed with ${failed}`);
  }

  /** Lets time pass, while what is in hands is extended in time. */
  async pass(ms: number): Promise<void> {
    const chunkMs = this.#case.site.leaseMs / 8;
    for (let left = ms; ; left -= chunkMs) {
      const now = this.#case.stage.now();
      for (const group of this.#case.groups.values()) {
        const due = [...group.holdings].filter(
          ({ isAbandoned, settling, goodAt }) =>
            !isAbandoned && settling === undefined && now - goodAt > chunkMs,
        );
        const extended = Promise.all(due.map(holding => this.#extend(group, holding)));
        this.#extending = this.#extending.then(async () => void (await extended));
      }
      await this.#case.stage.pass(Math.max(0, Math.min(left, chunkMs)));
      if (left <= chunkMs) return;
    }
  }

  async #extend(group: GroupModel, holding: Holding): Promise<void> {
    const startedAt = this.#case.stage.now();
    const error = await this.#case.outcome('extend', holding.delivery.extend(this.#case.site.leaseMs));
    if (error === undefined) {
      holding.goodAt = startedAt;
      return;
    }
    if (!(error instanceof DeliveryLostError) && !this.#case.isDisturbed) {
      this.#case.complaints.push(`extend: it failed with ${error}`);
    }
    if (error instanceof DeliveryLostError && group.isSurelyHeld(holding)) {
      this.#case.complaints.push(`extend: the delivery of ${holding.message.text} was lost without a reason`);
    }
    holding.isAbandoned = true;
    holding.mayBeLost = true;
  }
}

function settle(delivery: Delivery, settling: Settling): Promise<void> {
  switch (settling.how) {
    case 'fail':
      return delivery.nack({ requeueAfterMs: settling.pauseMs });
    case 'giveBack':
      return delivery.nack({ requeueAfterMs: settling.pauseMs, charge: false });
    case 'dead':
      return delivery.nack({ dead: 'for the test' });
    default:
      return delivery.ack();
  }
}
