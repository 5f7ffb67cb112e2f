import {
  abortable,
  functionOf,
  integer,
  objectWith,
  type RulesFor,
  readOptions,
  required,
  text,
} from '@ashlar/core';
import { ChunkFailedError } from '../errors.ts';
import { entriesOf } from '../publish/chunks.ts';
import { persist } from '../runs/persist.ts';
import { runKey } from '../runs/record.ts';
import type { Source, SourceContext } from '../sources/source.ts';
import type { AnyQueue, InPartitionsOptions, PartitionQueue, PartMessage } from './options.ts';
import { type PartResult, Parts } from './parts.ts';
import { type Place, Worker } from './worker.ts';

const queueAdvice = 'write `new Queue(…)`, imported from @ashlar/queue';

const rules = {
  queue: required(
    objectWith<PartitionQueue>(['declare', 'publish', 'subscribe', 'dead'], queueAdvice),
    queueAdvice,
  ),
  topic: required(text(), 'a topic of this data set alone'),
  partitions: required(functionOf<(context: SourceContext) => AsyncIterable<unknown> | Iterable<unknown>>()),
  load: required(functionOf<InPartitionsOptions<unknown, unknown, unknown>['load']>()),
  concurrency: integer(1, { min: 0, max: 1_000 }),
  attempts: integer(3, { min: 1 }),
  checkpointEvery: integer(10, { min: 1 }),
} satisfies RulesFor<InPartitionsOptions<unknown, unknown, unknown>>;

type Settings = ReturnType<typeof readOptions<typeof rules>>;

/** A source whose work is done by many processes. */
export interface PartitionedSource<K, V> extends Source<K, V> {
  /** Begins to load partitions in this process. A `Precompute` calls it. @internal */
  readonly attach: (place: Place) => Worker;
}

/**
 * A source whose run is divided: its partitions are loaded by every process of the fleet, and published as one version by the one
 * that has the run. A partition whose process dies is handed out again; when one has failed for good, the run fails with
 * ChunkFailedError.
 *
 * @throws InvalidOptionError
 */
export function inPartitions<P, K, V>(options: InPartitionsOptions<P, K, V>): PartitionedSource<K, V> {
  const settings = readOptions('inPartitions', options as object, rules);
  let place: Place | undefined;
  let worker: Worker | undefined;
  async function* source(context: SourceContext) {
    if (place === undefined) throw new Error('`inPartitions` makes the `source` of a Precompute');
    await worker?.start(); // So that a run which `refresh` has launched without `start` comes to its end
    yield* new Handout(settings, place, context).entries() as AsyncGenerator<readonly [K, V | undefined]>;
  }
  const attach = (to: Place) => {
    if (place !== undefined) throw new Error('a source of `inPartitions` belongs to one Precompute');
    place = to;
    worker = new Worker(settings, to);
    return worker;
  };
  return Object.assign(source, { attach });
}

/** One attempt of a run: hands its partitions out, and yields what was made of them, in their order. */
class Handout {
  readonly #settings: Settings;
  readonly #place: Place;
  readonly #context: SourceContext;
  readonly #parts: Parts;
  readonly #run: string;
  readonly #queue: AnyQueue;
  /** Why messages are dead, and when that was asked last. */
  #deaths: ReadonlyMap<string, string> = new Map();
  #askedAt: number;
  #changed: (() => void) | undefined;
  #isChanged = false;

  constructor(settings: Settings, place: Place, context: SourceContext) {
    this.#settings = settings;
    this.#place = place;
    this.#context = context;
    this.#askedAt = place.clock.now();
    this.#parts = new Parts(place.store, place.name);
    this.#queue = settings.queue as object as AnyQueue;
    const { scheduledAt, trigger, since } = context;
    // What was loaded for another time is not what this attempt wants
    this.#run = `${runKey({ scheduledAt: Number(scheduledAt), trigger })}-${since === undefined ? 'all' : Number(since)}`;
  }

  async *entries(): AsyncGenerator<readonly [unknown, unknown], void, undefined> {
    const { cursor, token, signal } = this.#context;
    const { checkpointEvery } = this.#settings;
    const partitions: unknown[] = [];
    for await (const partition of this.#settings.partitions(this.#context)) partitions.push(partition);
    const first = (cursor as number | undefined) ?? 0;
    const over = new AbortController();
    const leave = () => over.abort();
    signal.addEventListener('abort', leave, { once: true });
    try {
      await this.#persist(() => this.#parts.open(token));
      await this.#persist(() => this.#parts.forgetOthers(this.#run));
      // So that messages wait for the first worker
      await this.#persist(() => this.#queue.declare(this.#settings.topic));
      // Those of attempts before this one: nobody asks for them any more, and all are read while partitions are awaited
      await this.#persist(() => this.#queue.dead(this.#settings.topic).purge());
      // A watch only makes it faster: there is a poll behind
      this.#parts.follow(this.#run, over.signal, () => this.#wake()).catch(() => {});
      await this.#publish(partitions, first);
      let kept = first;
      for (let index = first; index < partitions.length; index++) {
        yield* this.#entriesOf(index, partitions[index]);
        const done = index + 1;
        this.#context.progress(done, partitions.length);
        if (done % checkpointEvery !== 0 && done !== partitions.length) continue;
        await this.#context.checkpoint(done);
        for (; kept < done; kept++) await this.#persist(() => this.#parts.forget(this.#run, kept));
      }
    } finally {
      signal.removeEventListener('abort', leave);
      over.abort();
      // What is left open is closed by the next attempt
      await this.#parts.close(token).catch(() => {});
    }
  }

  async #publish(partitions: readonly unknown[], first: number): Promise<void> {
    const { token, since } = this.#context;
    for (let index = first; index < partitions.length; index++) {
      this.#context.assertCurrent();
      if ((await this.#known(index)) !== undefined) continue;
      const partition = partitions[index];
      const message: PartMessage = {
        run: this.#run,
        token: String(token),
        index,
        partition,
        ...(since === undefined ? {} : { since: Number(since) }),
      };
      // Another attempt has another id: a broker may drop what it knows already
      const options = { id: this.#id(index) };
      await this.#persist(() => this.#queue.publish(this.#settings.topic, message, options));
    }
  }

  async *#entriesOf(
    index: number,
    partition: unknown,
  ): AsyncGenerator<readonly [unknown, unknown], void, undefined> {
    const { keyFrom, serializer } = this.#place;
    const result = await this.#result(index, partition);
    if ('failed' in result) {
      throw new ChunkFailedError(partition, result.attempts, { cause: new Error(result.failed) });
    }
    for (const chunk of result.chunks) {
      for (const [key, value] of entriesOf(
        await this.#persist(() => this.#parts.chunk(this.#run, index, chunk)),
      )) {
        const isBare = value === undefined || value === null;
        yield [keyFrom(key), isBare ? value : serializer.deserialize(value)];
      }
    }
  }

  async #result(index: number, partition: unknown) {
    const { clock, pollMs } = this.#place;
    const { signal } = this.#context;
    for (;;) {
      this.#context.assertCurrent();
      this.#isChanged = false;
      const result = await this.#known(index);
      if (result !== undefined) return result;
      await this.#assertAlive(index, partition);
      if (this.#isChanged) continue;
      const nap = new AbortController();
      const changed = new Promise<void>(resolve => {
        this.#changed = resolve;
      });
      try {
        await abortable(Promise.race([changed, clock.sleep(pollMs, nap.signal)]), signal);
      } finally {
        nap.abort();
      }
    }
  }

  /**
   * A message whose processes have died is dead, and nobody says so. The dead are read once a poll, however many partitions there are.
   *
   * @throws ChunkFailedError
   */
  async #assertAlive(index: number, partition: unknown): Promise<void> {
    const { clock, pollMs } = this.#place;
    if (clock.now() - this.#askedAt >= pollMs) {
      this.#deaths = await this.#persist(() => this.#dead());
      this.#askedAt = clock.now();
    }
    const reason = this.#deaths.get(this.#id(index));
    if (reason === undefined) return;
    throw new ChunkFailedError(partition, this.#settings.attempts, { cause: new Error(reason) });
  }

  async #dead(): Promise<Map<string, string>> {
    const reasons = new Map<string, string>();
    for await (const { id, reason } of this.#queue.dead(this.#settings.topic)) reasons.set(id, reason);
    return reasons;
  }

  #known(index: number): Promise<PartResult | undefined> {
    return this.#persist(() => this.#parts.result(this.#run, index));
  }

  /** A queue or a store that is away for a moment costs that moment. */
  #persist<T>(attempt: () => Promise<T>): Promise<T> {
    return persist(this.#place.clock, this.#context.signal, attempt);
  }

  #id(index: number): string {
    return `${this.#run}-${this.#context.token}-${index}`;
  }

  #wake(): void {
    this.#isChanged = true;
    this.#changed?.();
  }
}
