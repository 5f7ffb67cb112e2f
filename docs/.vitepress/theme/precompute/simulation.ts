import { ManualClock } from '@ashlar/core/testing';
import { Precompute, type SourceContext } from '@ashlar/cron-precompute';
import { memoryStore } from '@ashlar/store';
import { MortalStore } from './mortal-store.ts';

export const keyCount = 24;
const pageKeys = 6;
export const leaseMs = 3_000;
const everyMs = 8_000;
const keyMs = 150;
const checkpointEvery = 6;
/** A page reads its keys one after the other, as one that asks other services in between. */
const readMs = 60;
const pauseMs = 240;
const keptPages = 4;
const keptEvents = 6;

/** What the readers of one side have seen. */
export interface Side {
  /** The edition that each key is of, as a reader has it now; 0 when it has none. */
  readonly keys: readonly number[];
  /** The last pages: the edition of each key that was read. */
  readonly pages: readonly (readonly number[])[];
  readonly read: number;
  /** Pages that had parts of two editions. */
  readonly torn: number;
}

export interface BuilderView {
  readonly name: string;
  readonly isAlive: boolean;
  /** The keys that it has written of the edition that it builds. */
  readonly built: number | undefined;
}

interface Builder {
  readonly name: string;
  life: MortalStore | undefined;
  built: number | undefined;
}

type Value = { readonly edition: number };

class WallClock extends ManualClock {
  wallMs(): number {
    return this.now();
  }
}

class Tally {
  readonly pages: number[][] = [];
  read = 0;
  torn = 0;

  add(page: number[]): void {
    this.read++;
    if (new Set(page).size > 1) this.torn++;
    this.pages.push(page);
    if (this.pages.length > keptPages) this.pages.shift();
  }
}

/**
 * One source, read for two audiences: each value is written over the one before it, and yielded to a `Precompute` of two
 * processes, which publishes all of them as a version. Readers of both build the same pages at the same times.
 */
export class PublishSimulation {
  readonly events: string[] = [];
  readonly #clock = new WallClock();
  readonly #store = memoryStore({ clock: this.#clock });
  readonly #builders: readonly Builder[];
  readonly #reader: Precompute<number, Value>;
  readonly #overwritten = new Map<number, number>();
  readonly #naive = new Tally();
  readonly #whole = new Tally();
  /** By the time of their run: another attempt at it has the same. */
  readonly #editions = new Map<number, number>();
  #isHeld = false;

  private constructor(names: readonly string[]) {
    this.#builders = names.map(name => ({ name, life: undefined, built: undefined }));
    this.#reader = this.#precompute(new MortalStore(this.#store), undefined);
  }

  static async start(names: readonly string[]): Promise<PublishSimulation> {
    const simulation = new PublishSimulation(names);
    await simulation.#reader.start();
    for (const name of names) await simulation.revive(name);
    void simulation.#readPages();
    return simulation;
  }

  get nowMs(): number {
    return this.#clock.now();
  }

  get builders(): BuilderView[] {
    return this.#builders.map(({ name, life, built }) => ({ name, isAlive: life !== undefined, built }));
  }

  get overwritten(): Side {
    return this.#side(this.#naive, key => this.#overwritten.get(key));
  }

  get published(): Side {
    const { get } = this.#reader.pin();
    return this.#side(this.#whole, key => get(key).value?.edition);
  }

  /** The version that readers have. */
  get version(): number {
    return this.#reader.snapshot().version;
  }

  /** Whether a rollback holds publishing. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  async advance(ms: number): Promise<void> {
    await this.#clock.advance(ms);
  }

  /** The process dies between two instructions, with its part of an edition. */
  kill(name: string): void {
    const builder = this.#builder(name);
    if (builder.life === undefined) return;
    const { built } = builder;
    builder.life.kill();
    builder.life = undefined;
    builder.built = undefined;
    this.#tell(
      built === undefined
        ? `${name} dies idle`
        : `${name} dies with ${built} of ${keyCount} keys written: overwriting leaves a mix, no version has changed`,
    );
  }

  async revive(name: string): Promise<void> {
    const builder = this.#builder(name);
    if (builder.life !== undefined) return;
    builder.life = new MortalStore(this.#store);
    if (this.nowMs > 0) this.#tell(`${name} is back`);
    await this.#precompute(builder.life, builder).start();
  }

  /** Serves the version before, and holds publishing. */
  async rollback(): Promise<void> {
    const versions = await this.#reader.versions();
    if (this.#isHeld) return;
    if (versions.findIndex(({ isCurrent }) => isCurrent) < 1) {
      this.#tell('there is no earlier version yet');
      return;
    }
    this.#isHeld = true;
    await this.#reader.rollback();
    this.#tell(`version ${this.version} is served again; what was overwritten is gone`);
  }

  async resume(): Promise<void> {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    await this.#reader.resume();
    this.#tell('publishing goes on with the next tick');
  }

  #precompute(life: MortalStore, builder: Builder | undefined): Precompute<number, Value> {
    return new Precompute<number, Value>({
      name: 'prices',
      schedule: { everyMs },
      store: life.store,
      clock: this.#clock,
      leaseMs,
      pollMs: 1_000,
      launches: builder !== undefined,
      source: context => this.#source(context, life, builder!),
    });
  }

  async *#source(
    context: SourceContext,
    life: MortalStore,
    builder: Builder,
  ): AsyncGenerator<readonly [number, Value]> {
    const edition = this.#editionOf(Number(context.scheduledAt));
    const from = (context.cursor as number | undefined) ?? 0;
    if (context.attempt > 1) this.#tell(`${builder.name} takes the run over, from key ${from}`);
    for (let key = from; key < keyCount; key++) {
      await this.#clock.sleep(keyMs);
      await life.alive();
      // Nobody takes over what is overwritten in place
      if (context.attempt === 1) this.#overwritten.set(key, edition);
      yield [key, { edition }];
      builder.built = key + 1;
      if (builder.built % checkpointEvery === 0) await context.checkpoint(builder.built);
    }
    builder.built = undefined;
  }

  async #readPages(): Promise<never> {
    let versionBefore = 0;
    for (let first = 0; ; first = (first + 5) % keyCount) {
      await this.#clock.sleep(pauseMs);
      const version = this.#reader.pin();
      if (version.version > versionBefore && !this.#isHeld) {
        versionBefore = version.version;
        this.#tell(`version ${versionBefore} is published: all ${keyCount} keys at once`);
      }
      const [torn, whole]: [number[], number[]] = [[], []];
      for (let n = 0; n < pageKeys; n++) {
        const key = (first + n) % keyCount;
        torn.push(this.#overwritten.get(key) ?? 0);
        whole.push(version.get(key).value?.edition ?? 0);
        await this.#clock.sleep(readMs);
      }
      if (version.version === 0) continue;
      this.#naive.add(torn);
      this.#whole.add(whole);
    }
  }

  #side({ pages, read, torn }: Tally, editionOf: (key: number) => number | undefined): Side {
    const keys = Array.from({ length: keyCount }, (_, key) => editionOf(key) ?? 0);
    return { keys, pages: pages.map(page => [...page]), read, torn };
  }

  #editionOf(scheduledAt: number): number {
    const known = this.#editions.get(scheduledAt) ?? this.#editions.size + 1;
    this.#editions.set(scheduledAt, known);
    return known;
  }

  #builder(name: string): Builder {
    return this.#builders.find(builder => builder.name === name)!;
  }

  #tell(event: string): void {
    this.events.push(event);
    if (this.events.length > keptEvents) this.events.shift();
  }
}
