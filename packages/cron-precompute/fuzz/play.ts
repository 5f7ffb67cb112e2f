import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { AshlarError, seededRandom } from '@ashlar/core';
import { ManualClock } from '@ashlar/core/testing';
import { memoryStore, type Store } from '@ashlar/store';
import type { LoadFailedMessage } from '../src/index.ts';
import { type RunId, sameRun } from '../src/runs/record.ts';
import { Ticks } from './model/ticks.ts';
import { Witness } from './model/witness.ts';
import type { Plan, Step } from './plan/plan.ts';
import { GivenUp, Member, type MemberOptions } from './world/member.ts';
import { callOddly, madeOddly } from './world/nonsense.ts';
import { Process } from './world/process.ts';
import { Rows } from './world/rows.ts';
import { World } from './world/world.ts';

const name = 'best';
const hourMs = 3_600_000;

/** A case that is played, in time that moves only when the case says so. */
export class Play {
  readonly #plan: Plan;
  readonly #startMs: number;
  readonly #clock = new ManualClock();
  readonly #store: Store & { close(): Promise<void> };
  readonly #rows: Rows;
  readonly #ticks: Ticks;
  readonly #world: World;
  readonly #witness: Witness;
  readonly #members: (Member | undefined)[] = [];
  /** Also those that were closed or killed. */
  readonly #all: Member[] = [];

  constructor(plan: Plan) {
    const { schedule, options } = plan;
    this.#plan = plan;
    this.#startMs = Date.parse(schedule.startsAt);
    this.#store = memoryStore({ clock: this.#clock });
    this.#rows = new Rows(this.#startMs);
    this.#ticks = new Ticks(schedule);
    this.#world = new World({ clock: this.#clock, startMs: this.#startMs, rows: this.#rows, options });
    this.#witness = new Witness({ store: this.#store, name, rows: this.#rows, ticks: this.#ticks, options });
  }

  /** What breaks a promise. */
  async run(): Promise<readonly string[]> {
    const { random } = Math;
    Math.random = seededRandom(1); // Of pauses, so that a case is the same each time
    const listen = (message: unknown) => this.#witness.failed((message as LoadFailedMessage).error);
    subscribe('ashlar:cron-precompute:load-failed', listen);
    try {
      await this.#perform();
    } finally {
      Math.random = random;
      unsubscribe('ashlar:cron-precompute:load-failed', listen);
    }
    return this.#witness.complaints;
  }

  async #perform(): Promise<void> {
    for (let i = 0; i < this.#plan.processes; i++) this.#start(i);
    await this.#advance(0);
    for (const step of this.#plan.steps) {
      await this.#step(step);
      await this.#advance(0);
    }
    await this.#calm();
    await this.#close();
  }

  #start(slot: number): void {
    const known = this.#members[slot];
    const member = known?.isThere ? known : this.#member(`process ${this.#all.length}`);
    this.#members[slot] = member;
    const { processes, unstarted = 0 } = this.#plan;
    if (slot < processes - unstarted) void member.call('start', member.best.start());
  }

  #member(called: string): Member {
    const member = new Member({
      process: new Process(called, this.#clock, this.#startMs),
      store: this.#store,
      witness: this.#witness,
      options: this.#options(),
      callbacksOf: each => this.#world.callbacks(each),
    });
    this.#all.push(member);
    return member;
  }

  #options(): MemberOptions['options'] {
    const { schedule, options } = this.#plan;
    const { pattern, timeZone, skippedHour, repeatedHour, blackouts, asFunction } = schedule;
    const { source: _, incremental, misfire, ...others } = options;
    return {
      ...others,
      name,
      schedule: typeof pattern === 'string' ? pattern : { everyMs: pattern },
      timeZone,
      ...(skippedHour === undefined ? {} : { skippedHour }),
      ...(repeatedHour === undefined ? {} : { repeatedHour }),
      blackouts: blackouts.map(([from, to]) =>
        asFunction
          ? (at: Date) => this.#ticks.isBlackedOut(Number(at))
          : { from: this.#ticks.written(from), to: this.#ticks.written(to) },
      ),
      misfire,
      incremental: incremental && { lookBackMs: 60_000, fullEveryMs: hourMs },
      history: 10_000,
    };
  }

  async #step(step: Step): Promise<void> {
    if (step.step === 'wait') return this.#wait(step.ms);
    if (step.step === 'behave') return this.#world.behave(step.behavior);
    if (step.step === 'change') return this.#rows.change(step.row, this.#world.wallMs, step.isGone);
    if (step.step === 'odd option') return this.#oddOption(step.option, step.value);
    const slot = step.process % this.#plan.processes;
    if (step.step === 'start') return this.#start(slot);
    const member = this.#members[slot]!;
    const { process, best } = member;
    switch (step.step) {
      case 'close':
        return void member.close();
      case 'kill':
        return process.kill();
      case 'stop':
        return process.stop();
      case 'go':
        return process.go();
      case 'trap':
        process.trap = step;
        return;
      case 'fault':
        return process.fail(step.place, step.fault, step.times);
      case 'slow':
        process.slowMs = step.ms;
        return;
      case 'clock':
        process.aheadMs = step.ms;
        return;
      case 'refresh':
        return this.#refresh(member, step.giveUpMs);
      case 'backfill':
        if (!this.#plan.options.incremental) return;
        return void member.call(
          'backfill',
          best.backfill({ from: new Date(this.#world.wallMs - step.backMs) }),
        );
      case 'rollback': {
        const oldest = this.#witness.pointer.versions[0]?.version;
        return void member.call('rollback', best.rollback(step.isPrevious ? undefined : oldest));
      }
      case 'pause':
        return void member.call('pause', best.pause());
      case 'resume':
        return void member.call('resume', best.resume());
      case 'odd call':
        return void member.call('odd call', callOddly(best, step.call, step.value)).then(complaint => {
          if (complaint !== undefined) this.#witness.complain(complaint);
        });
      case 'look':
        return void member.callBack('calls back');
    }
  }

  /** It is refused; or it works for a while, or says by an error of a type why not, and ends. */
  async #oddOption(option: string, value: string): Promise<void> {
    const process = new Process('odd', this.#clock, this.#startMs);
    const blind = { seen() {}, async wrote() {}, deleted() {} };
    const made = madeOddly(process, process.store(this.#store, blind), option, value);
    if (made === undefined) return;
    const what = `${option} of ${value}`;
    if (typeof made === 'string') return this.#witness.complain(made);
    const complain = (error: unknown) => {
      if (!(error instanceof AshlarError)) this.#witness.complain(`${what}: it rejects with ${error}`);
    };
    const calls = Promise.all([made.start().catch(complain), made.refresh().catch(complain)]);
    await this.#advance(90_000);
    await this.#ends(`${what}, close`, made.close());
    await this.#ends(what, calls);
    for (const left of process.left) this.#witness.complain(`${what}: it leaves ${left}`);
  }

  #refresh(member: Member, giveUpMs: number | undefined): void {
    const controller = new AbortController();
    const refreshing = member.best.refresh({ signal: controller.signal });
    void member.call('refresh', refreshing);
    void refreshing.then(
      ({ status }) => {
        if (status === 'running') this.#witness.complain('refresh: it resolves, and the run goes on');
      },
      () => {},
    );
    if (giveUpMs !== undefined) void this.#clock.sleep(giveUpMs).then(() => controller.abort(new GivenUp()));
  }

  /** With a look in between; not for so long that the processes look thousands of times. */
  async #wait(ms: number): Promise<void> {
    const all = Math.min(ms, this.#plan.options.pollMs * 400);
    for (const part of [0.3, 0.5, 0.2]) await this.#advance(all * part);
  }

  async #advance(ms: number): Promise<void> {
    await this.#clock.advance(ms);
    for (const member of this.#all) if (!member.process.isDead) member.look();
  }

  /** Everything runs again: then every call ends, each tick has been decided, and what is published is read everywhere. */
  async #calm(): Promise<void> {
    this.#world.calm();
    for (const { process } of this.#all) {
      process.calm();
      process.aheadMs = 0;
    }
    const last = this.#member('the last process');
    await this.#ends('start', last.best.start());
    await this.#ends('resume', last.best.resume());
    const { window, pollMs } = this.#plan.options;
    const limitMs = window === undefined ? hourMs : 27 * hourMs;
    // Not in step with ticks, or one would be due at each look
    const stepMs = Math.max(1_000, 0.45 * pollMs);
    const until = this.#clock.now() + limitMs;
    while (!this.#isDone() && this.#clock.now() < until) await this.#advance(stepMs);
    if (!this.#isDone())
      this.#witness.complain(`at the end: what is due is not done: ${JSON.stringify(this.#witness.state)}`);
    await this.#arrived();
    await this.#ends('resume', last.best.resume());
    const { runs, versions, launched } = this.#witness;
    const record = await this.#ends('refresh', last.best.refresh());
    if (record !== undefined && record.status !== 'succeeded')
      this.#witness.complain(`at the end: a refresh is ${record.status}: ${record.error?.message}`);
    const published = versions.all.find(({ info }) => info.scheduledAt === record?.scheduledAt)?.info.version;
    if (record !== undefined && !(last.best.pin().version >= (published ?? Infinity)))
      this.#witness.complain('at the end: a refresh has resolved, and its version is not served');
    await this.#advance(2 * pollMs);
    // Not in the middle of a run
    for (let times = 0; times < 100 && !this.#isDone(); times++) await this.#advance(100);
    for (let times = 0; times < 10; times++) await this.#advance(0);
    for (const member of this.#all) {
      if (!member.isThere || member.best.snapshot().job.state !== 'started') continue;
      if (member.best.pin().version !== this.#witness.pointer.current)
        this.#witness.complain('at the end: a process does not read what is published');
    }
    for (const { process, calls } of this.#all) {
      if (process.isDead) continue;
      for (const what of calls.values()) this.#witness.complain(`${what}: it does not end`);
    }
    const { queue = [], running = [] } = this.#witness.state ?? {};
    const isOpen = (run: RunId) => [...queue, ...running].some(other => sameRun(run, other));
    runs.compare(
      versions.all,
      launched.filter(run => !isOpen(run)),
    );
    const history = (await this.#ends('history', last.best.history())) ?? [];
    for (const { status } of history)
      if (status === 'running' && this.#isDone())
        this.#witness.complain('at the end: history has a run that goes on');
  }

  /** What was on its way in a process that stood still, and may hold publishing after the resume. */
  async #arrived(): Promise<void> {
    const isUnderWay = ({ process, calls }: Member) =>
      !process.isDead && [...calls.values()].some(what => /rollback|pause|odd/.test(what));
    for (const until = this.#clock.now() + 5 * 60_000; this.#clock.now() < until; await this.#advance(1_000))
      if (!this.#all.some(isUnderWay)) return;
  }

  #isDone(): boolean {
    const { state } = this.#witness;
    if (state === undefined || state.running.length + state.queue.length > 0) return false;
    const tick = this.#ticks.after(state.watermark);
    return this.#ticks.dueAt(tick, name, this.#plan.options.jitterMs) > this.#world.wallMs;
  }

  async #close(): Promise<void> {
    const living = this.#all.filter(({ process }) => !process.isDead);
    const closing = Promise.all(living.map(member => member.close()));
    await this.#ends('close', closing);
    await this.#advance(60_000);
    for (const { process } of living)
      for (const left of process.left) this.#witness.complain(`close: it leaves ${left}`);
    await this.#store.close();
  }

  /** What it resolves with. Complains when it does not end by itself within a few minutes, or fails. */
  async #ends<T>(what: string, work: Promise<T>): Promise<T | undefined> {
    let result: T | undefined;
    let isOver = false;
    work.then(
      value => {
        result = value;
        isOver = true;
      },
      (error: unknown) => {
        isOver = true;
        this.#witness.complain(`${what}: at the end it rejects with ${error}`);
      },
    );
    await this.#advance(0);
    for (const until = this.#clock.now() + 5 * 60_000; !isOver && this.#clock.now() < until; )
      await this.#advance(1_000);
    if (!isOver) this.#witness.complain(`${what}: it does not end`);
    return result;
  }
}
