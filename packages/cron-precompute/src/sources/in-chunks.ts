import {
  Backoff,
  type Clock,
  clock,
  durationMs,
  functionOf,
  integer,
  number,
  type Random,
  type RulesFor,
  random,
  readOptions,
  required,
  withDeadline,
} from '@ashlar/core';
import { ChunkFailedError } from '../errors.ts';
import { Rate } from './rate.ts';
import type { Source, SourceContext } from './source.ts';

export interface InChunksOptions<C, K, V> {
  /**
   * The parts of the work, in an order that is the same in every attempt. It begins after `context.cursor`, the last part that is
   * done, as `cursorOf` has it.
   */
  readonly chunks: (context: SourceContext) => AsyncIterable<C> | Iterable<C>;
  /** The entries of a part. May be called again for it. */
  readonly load: (
    chunk: C,
    context: { readonly signal: AbortSignal; readonly since: Date | undefined; readonly attempt: number },
  ) => Promise<Iterable<readonly [K, V | undefined]>> | Iterable<readonly [K, V | undefined]>;
  /** What a checkpoint keeps of the last part that is done, as JSON. Default: no checkpoints. */
  readonly cursorOf?: (chunk: C) => unknown;
  /** How many parts make a checkpoint. Default: 10. */
  readonly checkpointEvery?: number;
  /** How many parts there are, for the progress. Default: unknown. */
  readonly total?: number;
  /** Parts that are loaded at once. Default: 4. */
  readonly concurrency?: number;
  /** How often a part is tried before the run fails. Default: 3. */
  readonly attempts?: number;
  /** The longest that one attempt may take, in milliseconds. Default: no limit. */
  readonly timeoutMs?: number;
  /** The longest pause after the first failure of a part, in milliseconds; it doubles with each further one. Default: 200. */
  readonly firstPauseMs?: number;
  /** The longest pause of all, in milliseconds. Default: 10 000. */
  readonly maxPauseMs?: number;
  /** The most attempts that begin in a second, of all parts together. Default: no limit. */
  readonly perSecond?: number;
  /** Measures pauses and the rate. Default: the machine's. */
  readonly clock?: Clock;
  /** Spreads the pauses. Default: `Math.random`. */
  readonly random?: Random;
}

type Entries = Iterable<readonly [unknown, unknown]>;

const rules = {
  chunks: required(functionOf<(context: SourceContext) => AsyncIterable<unknown> | Iterable<unknown>>()),
  load: required(functionOf<InChunksOptions<unknown, unknown, unknown>['load']>()),
  cursorOf: functionOf<(chunk: unknown) => unknown>(),
  checkpointEvery: integer(10, { min: 1 }),
  total: integer(undefined, { min: 0 }),
  concurrency: integer(4, { min: 1, max: 1_000 }),
  attempts: integer(3, { min: 1 }),
  timeoutMs: durationMs(Number.POSITIVE_INFINITY, { above: 0, endless: true }),
  firstPauseMs: durationMs(200),
  maxPauseMs: durationMs(10_000),
  perSecond: number(Number.MAX_VALUE, { above: 0 }),
  clock: clock(),
  random: random(),
} satisfies RulesFor<InChunksOptions<unknown, unknown, unknown>>;

/**
 * A source whose work is in parts: they are loaded a few at once and yielded in their order, each is tried again when it fails, and
 * a checkpoint keeps the last that is done. When a part has failed for good, the run fails with ChunkFailedError.
 *
 * @throws InvalidOptionError
 */
export function inChunks<C, K, V>(options: InChunksOptions<C, K, V>): Source<K, V> {
  const checked = readOptions('inChunks', options, rules);
  return context => inOrder(checked as never, context) as AsyncIterable<readonly [K, V | undefined]>;
}

type Settings = ReturnType<typeof readOptions<typeof rules>>;

async function* inOrder(
  settings: Settings,
  context: SourceContext,
): AsyncGenerator<readonly [unknown, unknown], void, undefined> {
  const { chunks, cursorOf, checkpointEvery, total, concurrency, perSecond, clock } = settings;
  const stop = new AbortController();
  const abort = () => stop.abort(context.signal.reason);
  if (context.signal.aborted) abort();
  context.signal.addEventListener('abort', abort, { once: true });
  const rate = new Rate(perSecond, clock);
  const loading: { readonly chunk: unknown; readonly entries: Promise<Entries> }[] = [];
  let done = 0;
  async function* finished(): AsyncGenerator<readonly [unknown, unknown], void, undefined> {
    const { chunk, entries } = loading.shift()!;
    yield* await entries;
    context.progress(++done, total);
    if (cursorOf !== undefined && done % checkpointEvery === 0) await context.checkpoint(cursorOf(chunk));
  }
  try {
    for await (const chunk of chunks(context)) {
      const atOnce = Math.ceil(concurrency * (await context.turn()));
      const entries = loaded(settings, chunk, context, stop.signal, rate);
      entries.catch(() => {}); // It is awaited in its turn, or not at all
      loading.push({ chunk, entries });
      while (loading.length >= atOnce) yield* finished();
    }
    while (loading.length > 0) yield* finished();
  } finally {
    context.signal.removeEventListener('abort', abort);
    stop.abort();
  }
}

async function loaded(
  { load, attempts, timeoutMs, firstPauseMs, maxPauseMs, clock, random }: Settings,
  chunk: unknown,
  { since }: SourceContext,
  signal: AbortSignal,
  rate: Rate,
): Promise<Entries> {
  const backoff = new Backoff({ firstMs: firstPauseMs, maxMs: maxPauseMs }, random);
  for (let attempt = 1; ; attempt++) {
    await rate.turn(signal);
    try {
      const late = () => new Error(`it took longer than ${timeoutMs} ms`);
      // An iterable that throws while it is read has failed as well
      return await withDeadline({ timeoutMs, signal, clock, late }, async ending =>
        Array.from(await load(chunk, { signal: ending, since, attempt })),
      );
    } catch (cause) {
      signal.throwIfAborted();
      if (attempt === attempts) throw new ChunkFailedError(chunk, attempts, { cause });
      await clock.sleep(backoff.nextMs(), signal);
    }
  }
}
