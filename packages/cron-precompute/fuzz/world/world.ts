import type { ManualClock } from '@ashlar/core/testing';
import { inChunks, type SourceContext } from '../../src/index.ts';
import type { Behavior, OptionsSpec } from '../plan/plan.ts';
import type { Process } from './process.ts';
import { type Rows, rowCount } from './rows.ts';

/** What a source may call back. */
export interface Called {
  readonly process: Process;
  callBack(behavior: Behavior): Promise<void>;
}

type Entry = readonly [key: string, value: number | undefined];

export interface WorldOptions {
  readonly clock: ManualClock;
  readonly startMs: number;
  readonly rows: Rows;
  readonly options: OptionsSpec;
}

/** How long a slow part takes. */
const slowMs = 3_000;

/** What is outside of the package: the rows, and callbacks that behave as the case says. */
export class World {
  readonly #options: WorldOptions;
  readonly #hanging: (() => void)[] = [];
  #isCalm = false;
  #next: Behavior | undefined;

  constructor(options: WorldOptions) {
    this.#options = options;
  }

  get wallMs(): number {
    return this.#options.startMs + this.#options.clock.now();
  }

  /** In the run that begins next. */
  behave(behavior: Behavior): void {
    this.#next = behavior;
  }

  /** What hangs goes on, and nothing misbehaves any more. */
  calm(): void {
    this.#isCalm = true;
    this.#next = undefined;
    for (const go of this.#hanging.splice(0)) go();
  }

  /** The callbacks of one process. */
  callbacks(member: Called): Callbacks {
    let now: Behavior | undefined;
    const is = (behavior: Behavior) => now === behavior;
    const hang = async () => {
      if (!this.#isCalm) await new Promise<void>(resolve => this.#hanging.push(resolve));
      await member.process.pass();
    };
    const chunked = this.#chunked(member, () => now, hang);
    return {
      source: context => {
        now = this.#next;
        this.#next = undefined;
        // So that no two versions are the same
        for (const row of [0, rowCount - 1]) this.#options.rows.change(row, this.wallMs, false);
        if (is('is no iterable')) return 7 as never;
        return this.#options.options.source === 'chunks'
          ? chunked(context)
          : this.#generated(context, member, now, hang);
      },
      check: async () => {
        if (is('check throws')) throw new Error('the check is broken');
        if (is('check hangs')) await hang();
        if (is('check returns nothing')) return undefined as never;
        return !is('check refuses');
      },
      set: async () => {
        if (is('sink throws')) throw new Error('the sink is broken');
        if (is('sink hangs')) await hang();
      },
    };
  }

  async *#generated(
    context: SourceContext,
    member: Called,
    behavior: Behavior | undefined,
    hang: () => Promise<void>,
  ): AsyncGenerator<Entry> {
    const { process } = member;
    const { signal, since } = context;
    const after = (context.cursor as number | undefined) ?? -1;
    // A row may have changed before its time by another clock, and what is read everything of may have nothing
    const rows = this.#options.rows.since(since?.getTime() ?? -Infinity).filter(({ row }) => row > after);
    if (behavior?.startsWith('calls')) await member.callBack(behavior);
    if (behavior === 'yields nothing' && since === undefined && after < 0) return;
    for (const [index, { row, value }] of rows.entries()) {
      await process.pass();
      if (behavior === 'is slow') await process.sleep(slowMs);
      if (index === 0) yield [`row ${row}`, -1]; // Of a key that comes twice, the later value holds
      yield [`row ${row}`, value];
      if (behavior === 'keeps checkpoints') await context.checkpoint(row);
      context.progress(row + 1, rowCount);
      await misbehave(behavior, signal, hang, context);
      if (behavior === 'yields what is odd') yield [`row ${row}`, new Date() as never];
      if (behavior === 'yields an odd key') yield [{} as never, 1];
    }
  }

  #chunked(member: Called, behavior: () => Behavior | undefined, hang: () => Promise<void>) {
    const { rows } = this.#options;
    const { process } = member;
    const sinceOf = (since: Date | undefined) => since?.getTime() ?? -Infinity;
    return inChunks<number, string, number>({
      chunks: ({ cursor, since }) => {
        if (behavior() === 'yields nothing' && since === undefined && cursor === undefined) return [];
        return rows
          .since(sinceOf(since))
          .map(({ row }) => row)
          .filter(row => row > ((cursor as number | undefined) ?? -1));
      },
      load: async (row, { signal, since, attempt }) => {
        const now = behavior();
        await process.pass();
        if (now?.startsWith('calls') && row === 0) await member.callBack(now);
        if (now === 'is slow') await process.sleep(slowMs);
        // The second attempt of a part may go well
        if (now !== 'throws' || attempt === 1) await misbehave(now, signal, hang);
        const found = rows.since(sinceOf(since)).find(each => each.row === row);
        return [[`row ${row}`, now === 'yields what is odd' ? (new Date() as never) : found?.value]];
      },
      cursorOf: row => row,
      checkpointEvery: 2,
      total: rowCount,
      concurrency: 2,
      attempts: 2,
      firstPauseMs: 100,
      clock: process,
      random: () => 0.5,
    });
  }
}

export interface Callbacks {
  source(context: SourceContext): AsyncIterable<Entry>;
  check(): Promise<boolean>;
  set(): Promise<void>;
}

async function misbehave(
  behavior: Behavior | undefined,
  signal: AbortSignal,
  hang: () => Promise<void>,
  context?: SourceContext,
): Promise<void> {
  switch (behavior) {
    case 'throws':
      throw new Error('no rows');
    case 'throws what cannot be read':
      throw Object.defineProperty(new Error('no rows'), 'message', {
        get: () => {
          throw new Error('not even this');
        },
      });
    case 'hangs':
      return hang();
    case 'hangs until its signal':
      await Promise.race([
        hang(),
        new Promise(resolve => signal.addEventListener('abort', resolve, { once: true })),
      ]);
      return signal.throwIfAborted();
    case 'reports odd progress':
      return context?.progress(Number.NaN, -1);
    default:
  }
}
