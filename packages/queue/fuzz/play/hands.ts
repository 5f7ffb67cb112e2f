import { type Delivery, DeliveryLostError, GroupGoneError } from '../../src/index.ts';
import type { GroupModel } from '../model/group-model.ts';
import type { Holding, Owed } from '../model/message-model.ts';
import type { Settling } from '../plan/plan.ts';
import type { Case } from './case.ts';

/** The steps of a case that settle what is in hands, and the leases that are extended meanwhile. */
export class Hands {
  readonly #case: Case;
  #extending = Promise.resolve();

  constructor(played: Case) {
    this.#case = played;
  }

  /** @param again whether what was not answered is settled once more, as a queue does */
  async settleAll(each: readonly (Settling & { readonly held: number })[], again = false): Promise<void> {
    await this.#extending;
    const taken = new Set<Holding>();
    const under: Promise<void>[] = [];
    for (const settling of each) {
      const free = this.#held(taken);
      const chosen = free[settling.held % Math.max(1, free.length)];
      if (chosen === undefined) continue;
      taken.add(chosen.holding);
      under.push(this.settle(chosen.group, chosen.holding, settling, again));
    }
    await Promise.all(under);
  }

  /** Acknowledges all that is in hands, but for what comes back by itself. */
  async ackAll(group: GroupModel): Promise<void> {
    const { hasLeases = true } = this.#case.site;
    const held = [...group.holdings].filter(
      ({ settling, isAbandoned }) => settling === undefined && !(isAbandoned && hasLeases),
    );
    await Promise.all(held.map(holding => this.settle(group, holding, { how: 'ack' }, true)));
  }

  async progress(index: number, value: number): Promise<void> {
    const held = this.#held();
    const chosen = held[index % Math.max(1, held.length)];
    if (chosen === undefined) return;
    const { group, holding } = chosen;
    const wasSure = group.isSurelyHeld(holding);
    holding.progress = undefined;
    const error = await this.#case.outcome('progress', holding.delivery.progress!(Buffer.from(`${value}`)));
    if (error === undefined) holding.progress = value;
    else if (
      error instanceof DeliveryLostError ? wasSure && group.isSurelyHeld(holding) : !this.#case.isDisturbed
    ) {
      this.#case.complaints.push(`progress: it failed with ${error}`);
    }
  }

  async settle(group: GroupModel, holding: Holding, settling: Settling, tryAgain = false): Promise<void> {
    const { how } = settling;
    if (how === 'abandon') {
      holding.isAbandoned = true;
      return;
    }
    const { delivery } = holding;
    const startedAt = this.#case.stage.now();
    const wasSure = group.isSurelyHeld(holding);
    const mayBeRefused = isAck(settling) && holding.message.hasOpenChildren;
    holding.settling = settling;
    let error = await this.#case.outcome(how, settle(delivery, settling));
    if (tryAgain && error !== undefined && !(error instanceof DeliveryLostError)) {
      const later = await this.#case.outcome(how, settle(delivery, settling));
      // The first try may have been done, and then it may have come again
      if (!(later instanceof DeliveryLostError)) error = later;
    }
    if (error instanceof DeliveryLostError) {
      const isStillSure = group.isSurelyHeld(holding) && wasSure && !holding.mayBeLost;
      if (isStillSure)
        this.#case.complaints.push(
          `${how}: the delivery of ${holding.message.text} was lost without a reason`,
        );
    } else if (error !== undefined) {
      const isExplained = this.#case.isDisturbed || mayBeRefused;
      if (!isExplained || error instanceof GroupGoneError)
        this.#case.complaints.push(`${how}: it failed with ${error}`);
      const isCurrent = holding.message.holding === holding;
      group.settled(holding, settling, startedAt, error);
      if (isCurrent) holding.message.doubted(owedAfter(settling));
      return;
    }
    group.settled(holding, settling, startedAt, error);
    if (error !== undefined || how !== 'ackTwice') return;
    const again = await this.#case.outcome('ack', delivery.ack());
    if (again !== undefined) this.#case.complaints.push(`ack: once settled it failed with ${again}`);
    const failed = await this.#case.outcome('nack', delivery.nack({ requeueAfterMs: 0 }));
    if (failed !== undefined) this.#case.complaints.push(`nack: once settled it failed with ${failed}`);
  }

  #held(but: ReadonlySet<Holding> = new Set()): { group: GroupModel; holding: Holding }[] {
    return [...this.#case.groups.values()].flatMap(group =>
      [...group.holdings].filter(holding => !but.has(holding)).map(holding => ({ group, holding })),
    );
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

function isAck({ how }: Settling): boolean {
  return how === 'ack' || how === 'ackTwice' || how === 'answer';
}

/** What a message must do of which nobody knows whether it was settled. */
function owedAfter(settling: Settling): Owed {
  const { how } = settling;
  // Nobody waits for years
  if (how === 'fail' || how === 'giveBack') return settling.pauseMs > 1e8 ? 'nothing' : 'delivery';
  return how === 'dead' ? 'deliveryOrDeath' : 'nothing';
}

function settle(delivery: Delivery, settling: Settling): Promise<void> {
  switch (settling.how) {
    case 'fail':
      return delivery.nack({ requeueAfterMs: settling.pauseMs });
    case 'giveBack':
      return delivery.nack({ requeueAfterMs: settling.pauseMs, charge: false });
    case 'dead':
      return delivery.nack({ dead: 'for the test' });
    case 'answer':
      return delivery.ack({ result: Buffer.from(`${settling.result}`) });
    default:
      return delivery.ack();
  }
}
