import { GroupModel } from '../model/group-model.ts';
import type { Plan, Step } from '../plan/plan.ts';
import type { Site } from '../sites/site.ts';
import { Case, type PlayOptions, topic } from './case.ts';
import { Consumer } from './consumer.ts';
import { Hands } from './hands.ts';
import { Operating } from './operating.ts';
import { Publishing } from './publishing.ts';

export type { PlayOptions } from './case.ts';

/** Plays a case and says what breaks a promise; nothing when all is well. */
export async function play(site: Site, plan: Plan, options: PlayOptions = {}): Promise<string[]> {
  const stage = await site.begin(plan.processes);
  const played = new Case(site, stage, plan, options);
  try {
    await new Player(played).perform();
  } finally {
    if (!(await played.settles(stage.end()))) played.complaints.push('close: it never settled');
  }
  return played.complaints;
}

class Player {
  readonly #case: Case;
  readonly #publishing: Publishing;
  readonly #hands: Hands;
  readonly #operating: Operating;
  readonly #consumers: Consumer[] = [];

  constructor(played: Case) {
    this.#case = played;
    this.#publishing = new Publishing(played);
    this.#hands = new Hands(played);
    this.#operating = new Operating(played, this.#publishing.sent);
  }

  async perform(): Promise<void> {
    for (const step of this.#case.plan.steps) {
      await this.#step(step);
      await this.#hands.pass(0);
    }
    await this.#calm();
  }

  async #step(step: Step): Promise<void> {
    switch (step.step) {
      case 'declare':
        return this.#declare(step.process, step.group);
      case 'publish':
        return this.#publishing.publish(step.process, step.messages);
      case 'open':
        return this.#open(step.process, step.group, step.prefetch);
      case 'shut':
        return this.#shut(step.consumer);
      case 'settle':
        return this.#hands.settleAll(step.each);
      case 'wait':
        return this.#hands.pass(step.ms);
      case 'break':
        return this.#break();
      case 'letters':
        return this.#operating.letters(step);
      case 'job':
        return this.#operating.job(step);
      case 'pause':
      case 'resume':
        return this.#operating.pause(step);
    }
  }

  async #declare(process: number, name: string): Promise<void> {
    const declare = () => this.#case.call('declare', this.#case.driver(process).declare(topic, name));
    // One that may be declared would receive what nobody knows of
    for (let tries = 0; (await declare()) === undefined && tries < 20; tries++) await this.#hands.pass(50);
    if (this.#case.groups.has(name)) return;
    const model = new GroupModel({
      name,
      sharing: this.#case.plan.sharing,
      leaseMs: this.#case.site.leaseMs,
      isExact: this.#case.isExact,
      repeats: this.#case.site.repeats === true,
      now: () => this.#case.stage.now(),
      complain: complaint => this.#case.complaints.push(complaint),
    });
    // What is held back may be for all groups that are there when its time has come
    for (const sent of this.#publishing.sent)
      if (sent.delayMs !== undefined) model.publishing(sent, this.#case.sequence++);
    this.#case.groups.set(name, model);
  }

  #open(process: number, name: string, prefetch: number): void {
    const group = this.#case.groups.get(name);
    if (group === undefined) return;
    const { sharing } = this.#case.plan;
    const options = { prefetch, ...(sharing !== 'any' && { [sharing]: true }) };
    const consumer = new Consumer(this.#case.driver(process), topic, name, options, (delivery, consumer) => {
      group.received(delivery, consumer);
      const inHands = [...group.holdings].filter(
        holding =>
          holding.consumer === consumer && group.isSurelyHeld(holding) && holding.settling === undefined,
      ).length;
      if (!this.#case.isDisturbed && consumer.losses === 0 && inHands > prefetch)
        this.#case.complaints.push(`consume: ${inHands} in hands with a prefetch of ${prefetch}`);
    });
    this.#consumers.push(consumer);
  }

  async #shut(index: number): Promise<void> {
    const open = this.#consumers.filter(({ isShut }) => !isShut);
    const consumer = open[index % Math.max(1, open.length)];
    if (consumer !== undefined) await this.#end(consumer);
  }

  async #end(consumer: Consumer): Promise<void> {
    consumer.shut();
    if (!(await this.#case.settles(consumer.ended)))
      this.#case.complaints.push('consume: it did not end with its signal');
    if (consumer.error !== undefined) this.#case.complaints.push(`consume: it failed with ${consumer.error}`);
    const group = this.#case.groups.get(consumer.group)!;
    group.left();
    for (const holding of group.holdings) if (holding.consumer === consumer) holding.isAbandoned = true;
  }

  async #break(): Promise<void> {
    const { stage, groups, site } = this.#case;
    this.#case.isDisturbed = true;
    await stage.break();
    for (const group of groups.values()) group.disturbed(site.forgets);
  }

  /** All is handed out until nothing is left, and the counts say so. */
  async #calm(): Promise<void> {
    for (const consumer of this.#consumers) if (!consumer.isShut) await this.#end(consumer);
    if (this.#case.site.hasLeases === false) await this.#break();
    // A connection that has ended may be noticed by the next call only
    for (const name of this.#case.groups.keys()) {
      for (let calls = 0; calls < 20; calls++)
        await this.#case.outcome('probe', this.#case.driver(0).probe!(topic, name));
    }
    this.#case.isDisturbed = false;
    for (const [name, group] of this.#case.groups) {
      if (this.#case.site.capabilities.jobs)
        await this.#operating.pause({ step: 'resume', process: 0, group: name });
      await this.#drain(name, group);
    }
  }

  async #drain(name: string, group: GroupModel): Promise<void> {
    const { sharing } = this.#case.plan;
    const options = { prefetch: 10, ...(sharing !== 'any' && { [sharing]: true }) };
    const consumer = new Consumer(this.#case.driver(0), topic, name, options, (delivery, consumer) => {
      const holding = group.received(delivery, consumer);
      // What comes again and again would do so for ever
      if (holding !== undefined && this.#case.complaints.length < 20)
        void this.#hands.settle(group, holding, { how: 'ack' });
    });
    const driver = this.#case.driver(0);
    const isEmpty = await this.#until(async () => {
      if (group.owed().length > 0 || [...group.holdings].some(holding => holding.consumer === consumer))
        return false;
      const stats = await driver.stats?.(topic, name);
      return stats === undefined || stats.waiting + (stats.delayed ?? 0) + (stats.active ?? 0) === 0;
    });
    for (const message of group.owed()) this.#case.complaints.push(`${name}: ${message.text} is lost`);
    if (!isEmpty)
      this.#case.complaints.push(`${name}: left are ${JSON.stringify(await driver.stats?.(topic, name))}`);
    if (driver.inspect !== undefined) {
      const letters = await this.#case.call('inspect', driver.inspect(topic, name, { limit: 1_000 }));
      if (letters !== undefined) group.compareDead(letters.value);
    }
    await this.#end(consumer);
  }

  async #until(isSo: () => Promise<boolean>): Promise<boolean> {
    const givenUpAt = performance.now() + this.#case.patienceMs;
    for (let passes = 0; performance.now() < givenUpAt && (!this.#case.isExact || passes < 2_000); passes++) {
      if (await isSo().catch(() => false)) return true;
      await this.#hands.pass(10);
    }
    return false;
  }
}
