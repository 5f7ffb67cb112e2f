import { channels } from './diagnostics.ts';
import { MissingVersionError } from './errors.ts';
import type { PrecomputeSettings } from './options.ts';
import { Build, type BuildState } from './publish/build.ts';
import { entriesOf } from './publish/chunks.ts';
import { currentOf, type Manifest, type VersionInfo } from './publish/pointer.ts';
import type { Publisher } from './publish/publisher.ts';
import { type Candidate, validate } from './publish/validate.ts';
import type { Vault } from './publish/vault.ts';
import type { Reader } from './read/reader.ts';
import { loadValues, type Serializer, type Values } from './read/snapshot.ts';
import type { RunContext } from './runs/context.ts';
import type { Sink } from './sinks.ts';
import { entryOf, iterableOf, keyText } from './sources/entries.ts';
import type { Source, SourceContext } from './sources/source.ts';

export interface BuilderOptions<K, V> {
  readonly settings: PrecomputeSettings;
  readonly vault: Vault;
  readonly publisher: Publisher;
  readonly reader: Reader<V>;
  readonly source: Source<K, V>;
  readonly sinks: readonly Sink<K, V>[];
  readonly keyOf: (key: K) => string;
  readonly keyFrom: (text: string) => K;
  readonly serializer: Serializer<V>;
}

/** What a checkpoint of a source keeps: the build as it was, what it is built upon, and the source's own cursor. */
interface Saved {
  readonly build: BuildState;
  /** 0: upon nothing. */
  readonly base: number;
  readonly cursor: unknown;
}

/** Entries that a sink takes before the fence is checked again. */
const sinkBatch = 100;

/** The work of a run: build a version beside those there are, validate it, publish it, and clean up. */
export class Builder<K, V> {
  readonly #options: BuilderOptions<K, V>;

  constructor(options: BuilderOptions<K, V>) {
    this.#options = options;
  }

  async run(run: RunContext): Promise<VersionInfo> {
    const base = await this.#base();
    try {
      return await this.#publish(run, base);
    } catch (error) {
      // What a run would build upon is damaged, so it reads everything
      if (base === undefined || !(error instanceof MissingVersionError) || error.version !== base.version)
        throw error;
      return this.#publish(run, undefined);
    }
  }

  /** The version that only changes are read upon; `undefined` when everything is. */
  async #base(): Promise<VersionInfo | undefined> {
    const { vault, settings } = this.#options;
    const { incremental, clock } = settings;
    if (incremental === undefined) return undefined;
    const current = currentOf(await vault.pointer());
    return current === undefined || clock.wallMs() - current.fullAt >= incremental.fullEveryMs
      ? undefined
      : current;
  }

  async #publish(run: RunContext, base: VersionInfo | undefined): Promise<VersionInfo> {
    const { vault, publisher, reader, settings } = this.#options;
    const { name } = settings;
    const saved = run.cursor as Saved | undefined;
    const usable = saved?.base === (base?.version ?? 0) ? saved : undefined;
    const build = await publisher.begin(run, usable?.build);
    if (!(build instanceof Build)) return this.#followUp(run, build);
    const baseManifest = base === undefined ? undefined : await vault.manifest(base.version);
    const cursor = build.version === usable?.build.version ? usable.cursor : undefined;
    await this.#fill(build, run, base, cursor);
    run.assertCurrent();
    const manifest = await build.finish(baseManifest);
    await validate(name, this.#candidate(manifest, currentOf(await vault.pointer())), settings.validate);
    const before = this.#options.sinks.length === 0 ? undefined : reader.snapshot?.values;
    const info = await publisher.publish(run, manifest);
    if (channels.published.hasSubscribers) {
      channels.published.publish({ name, version: info.version, entries: info.entries, bytes: info.bytes });
    }
    return this.#followUp(run, info, before);
  }

  async #fill(build: Build, run: RunContext, base: VersionInfo | undefined, cursor: unknown): Promise<void> {
    const { source, keyOf, serializer, settings } = this.#options;
    const lookBackMs = settings.incremental?.lookBackMs ?? 0;
    const since =
      base === undefined
        ? undefined
        : Math.min(base.dataAt - lookBackMs, Number(run.wantedSince ?? Infinity));
    const context: SourceContext = {
      ...run,
      get isTurnDue() {
        return run.isTurnDue;
      },
      cursor,
      since: since === undefined ? undefined : new Date(since),
      checkpoint: async next => {
        run.assertCurrent();
        const saved: Saved = { build: await build.flush(), base: base?.version ?? 0, cursor: next };
        await run.checkpoint(saved);
      },
    };
    for await (const entry of iterableOf(source(context))) {
      const [key, value] = entryOf(entry);
      run.assertCurrent();
      if (run.isTurnDue) await run.turn();
      const isBare = value === undefined || value === null;
      await build.add(
        keyText(keyOf, key),
        isBare ? (value as null | undefined) : serializer.serialize(value),
      );
    }
  }

  #candidate(manifest: Manifest, previous: VersionInfo | undefined): Candidate<V> {
    const { vault, serializer } = this.#options;
    const { version, entries, nulls, bytes, chunks } = manifest;
    async function* read(): AsyncGenerator<readonly [string, V | undefined], void, undefined> {
      for (const chunk of chunks) {
        for (const [key, value] of entriesOf(await vault.chunk(version, chunk))) {
          yield [key, value instanceof Uint8Array ? serializer.deserialize(value) : (value as V | undefined)];
        }
      }
    }
    return { version, entries, nulls, bytes, previous, entriesOf: read };
  }

  /** What comes after the flip. It is published, so nothing that fails here makes the run a failure. */
  async #followUp(run: RunContext, info: VersionInfo, before?: Values<V>): Promise<VersionInfo> {
    const { reader, publisher, settings } = this.#options;
    await reader.refresh();
    try {
      await this.#toSinks(run, info, before);
    } catch (error) {
      const { name } = settings;
      if (channels.sinkFailed.hasSubscribers)
        channels.sinkFailed.publish({ name, version: info.version, error });
    }
    try {
      await publisher.collect(run);
    } catch (error) {
      if (channels.failed.hasSubscribers) channels.failed.publish({ job: settings.name, error });
    }
    return info;
  }

  async #toSinks(run: RunContext, info: VersionInfo, before?: Values<V>): Promise<void> {
    const { sinks, vault, publisher, serializer, keyFrom } = this.#options;
    if (sinks.length === 0) return;
    const values = await loadValues(vault, info, serializer, run.signal);
    const gone = [...(before?.keys() ?? [])].filter(key => !values.has(key));
    for (const sink of sinks) {
      let written = 0;
      for (const [key, value] of values) {
        if (written++ % sinkBatch === 0) await publisher.assertServed(run, info.version);
        await sink.set(keyFrom(key), value);
      }
      for (const key of gone) {
        if (written++ % sinkBatch === 0) await publisher.assertServed(run, info.version);
        await sink.delete?.(keyFrom(key));
      }
    }
  }
}
