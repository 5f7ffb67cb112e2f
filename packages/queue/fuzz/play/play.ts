import type { DeadLetter } from '../../src/index.ts';
import { GroupModel } from '../model/group-model.ts';
import type { MessageModel } from '../model/message-model.ts';
import type { Plan, Step } from '../plan/plan.ts';
import type { Site } from '../sites/site.ts';
import { Case, type PlayOptions, topic } from './case.ts';
import { Consumer } from './consumer.ts';
import { Hands } from './hands.ts';
import { Jobs } from './jobs.ts';
import { Meddling } from './meddling.ts';
import { Operating } from './operating.ts';
import { Others } from './other-code.ts';
import { Priorities } from './priorities.ts';
import { Publishing } from './publishing.ts';
import { despiteStalls } from './stalls.ts';

export type { PlayOptions } from './case.ts';

/** Plays a case and says what breaks a promise; nothing when all is well. */
export async function play(site: Site, plan: Plan, options: PlayOptions = {}): Promise<string[]> {
  const playing = () => playOnce(site, plan, options);
  // Where time is exact, nothing depends on the machine
  return site.breaks ? despiteStalls(site.leaseMs / 16, playing) : playing();
}

async function playOnce(site: Site, plan: Plan, options: PlayOptions): Promise<string[]> {
  const stage = await site.begin(plan.processes);
  const played = new Case(site, stage, plan, options);
  try {
    await new Player(played).perform();
  } finally {
    if (!(await played.settles(stage.end()))) played.complaints.push('close: it never settled');
  }
  return played.complaints;
}

/** How long the server has for what it is asked, before its answers are lost; what it does later is lost with them. */
const hushMs = 40;

class Player {
  readonly #case: Case;
  readonly #publishing: Publishing;
  readonly #hands: Hands;
  readonly #operating: Operating;
  readonly #jobs: Jobs;
  readonly #priorities: Priorities;
  readonly #others: Others | undefined;
  readonly #meddling: Meddling | undefined;
  readonly #consumers: Consumer[] = [];

  constructor(played: Case) {
    this.#case = played;
    this.#publishing = new Publishing(played);
    this.#hands = new Hands(played);
    this.#operating = new Operating(played);
    this.#jobs = new Jobs(played, this.#publishing.sent);
    this.#priorities = new Priorities(played);
    const { others, operator } = played.stage;
    this.#others = others && new Others(played, others);
    this.#meddling = operator && new Meddling(played, operator);
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
        return this.#hands.settleAll(step.each, step.again);
      case 'progress':
        return this.#hands.progress(step.held, step.value);
      case 'wait':
        return this.#hands.pass(step.ms);
      case 'break':
        return this.#break();
      case 'lose':
        return this.#lose(step.of);
      case 'letters':
        return this.#operating.letters(step);
      case 'pages':
        return this.#operating.pages(step);
      case 'job':
        return this.#jobs.job(step);
      case 'stats':
        return this.#operating.stats(step);
      case 'pause':
      case 'resume':
        return this.#operating.pause(step);
      case 'raw':
        return this.#others?.add(step);
      case 'rawPause':
      case 'rawResume':
        return this.#others?.pause(step);
      case 'rawJob':
        return this.#others?.job(step);
      case 'operate':
        return this.#meddling?.operate(step);
      case 'policy':
        return this.#meddling?.policy(step);
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
      countsCrashes: this.#case.site.capabilities.crashCount === true,
      now: () => this.#case.stage.now(),
      complain: complaint => this.#case.complaints.push(complaint),
    });
    // What is held back may be for all groups that are there when its time has come
    for (const sent of this.#publishing.sent)
      if (sent.delayMs !== undefined) model.publishing(sent, this.#case.sequence++);
    if (this.#case.takesOut) model.meddledWith();
    this.#case.groups.set(name, model);
  }

  #open(process: number, name: string, prefetch: number): void {
    const group = this.#case.groups.get(name);
    if (group === undefined) return;
    const { sharing } = this.#case.plan;
    const options = { prefetch, ...(sharing !== 'any' && { [sharing]: true }) };
    const begunAt = this.#case.sequence;
    const consumer = new Consumer(this.#case.driver(process), topic, name, options, (delivery, consumer) => {
      const holding = group.received(delivery, consumer);
      if (holding !== undefined) this.#priorities.check(process, group, holding, begunAt);
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
    if (consumer.gone > 0 && !this.#case.isMeddledWith)
      this.#case.complaints.push('consume: it said that its group is gone');
    this.#priorities.left();
    const group = this.#case.groups.get(consumer.group)!;
    group.left();
    for (const holding of group.holdings) if (holding.consumer === consumer) holding.isAbandoned = true;
  }

  async #break(): Promise<void> {
    const { stage, groups, site } = this.#case;
    this.#case.isDisturbed = true;
    await stage.break();
    this.#priorities.left();
    for (const group of groups.values()) group.disturbed(site.forgets);
  }

  /** The answers to what happens in a step are lost. */
  async #lose(step: Step): Promise<void> {
    const { stage, groups, site } = this.#case;
    if (stage.hush === undefined) return this.#step(step);
    this.#case.isDisturbed = true;
    const disturb = () => {
      this.#priorities.left();
      for (const group of groups.values()) group.disturbed(site.forgets);
    };
    disturb();
    const end = stage.hush();
    const playing = this.#step(step);
    await stage.pass(hushMs);
    await end();
    disturb();
    await playing;
  }

  /** All is handed out until nothing is left, and the counts say so. */
  async #calm(): Promise<void> {
    if (this.#case.stage.operator?.policy !== undefined) await this.#case.stage.operator.policy('none');
    for (const [name, group] of this.#case.groups) {
      await this.#resume(name);
      await this.#finish(name, group);
    }
    await this.#priorities.settled();
    for (const consumer of this.#consumers) if (!consumer.isShut) await this.#end(consumer);
    if (this.#case.site.hasLeases === false) await this.#break();
    // A connection that has ended may be noticed by the next call only
    for (const name of this.#case.groups.keys()) {
      for (let calls = 0; calls < 20; calls++)
        await this.#case.outcome('probe', this.#case.driver(0).probe!(topic, name));
    }
    await this.#publishEverywhere();
    this.#case.isDisturbed = false;
    for (const [name, group] of this.#case.groups) await this.#drain(name, group);
  }

  async #resume(name: string): Promise<void> {
    if (!this.#case.site.capabilities.jobs) return;
    const group = this.#case.groups.get(name)!;
    group.isPaused = false;
    group.pausedFrom = Number.POSITIVE_INFINITY;
    const { patienceMs } = this.#case;
    const isResumed = await this.#until(async () => {
      const resumed = this.#case.driver(0).resume!(topic, name);
      return (await this.#case.outcome('resume', resumed)) === undefined;
    });
    if (!isResumed) this.#case.complaints.push(`resume: it failed for ${patienceMs} ms`);
  }

  /** Those who consume receive all that is owed, though nobody else does anything. */
  async #finish(name: string, group: GroupModel): Promise<void> {
    if (!this.#consumers.some(consumer => consumer.group === name && !consumer.isShut)) return;
    const isDone = await this.#until(async () => {
      await this.#hands.ackAll(group);
      return (await this.#owed(name, group)).length === 0;
    });
    if (isDone) return;
    for (const message of await this.#owed(name, group))
      this.#case.complaints.push(`${name}: ${message.text} does not come to those who consume`);
  }

  async #owed(name: string, group: GroupModel): Promise<readonly MessageModel[]> {
    const owed = group.owed();
    if (owed.length === 0 || !group.mayHaveDied) return owed;
    let dead: readonly DeadLetter[] = [];
    const looking = this.#case.driver(0).inspect!(topic, name, { limit: 1_000 });
    await this.#case.outcome(
      'inspect',
      looking.then(letters => {
        dead = letters;
      }),
    );
    return group.owed(new Set(dead.map(({ id }) => id)));
  }

  /** Whoever could publish can do so again. */
  async #publishEverywhere(): Promise<void> {
    if (this.#case.groups.size === 0) return;
    for (const process of this.#case.stage.drivers.keys()) {
      if (!(await this.#until(() => this.#publishing.last(process))))
        this.#case.complaints.push('publish: nothing is taken any more');
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
      if (
        (await this.#owed(name, group)).length > 0 ||
        [...group.holdings].some(holding => holding.consumer === consumer)
      )
        return false;
      const stats = await driver.stats?.(topic, name);
      return stats === undefined || stats.waiting + (stats.delayed ?? 0) + (stats.active ?? 0) <= group.far;
    });
    for (const message of await this.#owed(name, group))
      this.#case.complaints.push(`${name}: ${message.text} is lost`);
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
