import { isStale } from '@ashlar/store';
import { isOfWrongClock, type WallClock } from '../clock.ts';
import { MissingVersionError, RunFencedError, SupersededError } from '../errors.ts';
import type { FencedRun, RunContext } from '../runs/context.ts';
import { persist } from '../runs/persist.ts';
import { Build, type BuildState } from './build.ts';
import { currentOf, type Manifest, type Pointer, type VersionInfo } from './pointer.ts';
import type { Vault } from './vault.ts';

export interface PublisherOptions {
  readonly vault: Vault;
  readonly clock: WallClock;
  /** How many versions are kept, with the current one. */
  readonly keep: number;
  /** How long a version stays in the store after it is kept no longer, in milliseconds. */
  readonly graceMs: number;
}

/** Who may publish what. Every change of the pointer is fenced: an attempt that another has followed changes nothing. */
export class Publisher {
  readonly #options: PublisherOptions;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /**
   * Fences every earlier attempt, and gives the run a version of its own to write. The version that it has published when an
   * earlier attempt of it has.
   *
   * @throws SupersededError, RunFencedError
   */
  async begin(run: RunContext, resumed: BuildState | undefined): Promise<Build | VersionInfo> {
    const { vault, clock } = this.#options;
    const { token, holder } = run;
    const mine = { token: String(token), holder };
    const scheduledAt = Number(run.scheduledAt);
    let known: VersionInfo | undefined;
    let state: BuildState | undefined;
    const dataAt = clock.wallMs();
    await persist(clock, run.signal, () =>
      vault.update(pointer => {
        this.#assertFence(run, pointer);
        known = pointer.versions.find(version => version.scheduledAt === scheduledAt);
        if (known !== undefined) return pointer;
        this.#assertOpen(pointer, scheduledAt);
        const old = pointer.builds.find(({ version }) => version === resumed?.version);
        const isMine = pointer.builds.find(({ tokens }) => tokens.at(-1) === mine.token);
        const version = isMine?.version ?? old?.version ?? pointer.last + 1;
        const tokens = [...(old?.tokens ?? []), mine.token];
        const others = pointer.builds.filter(build => build.version !== version);
        state = old === undefined || resumed === undefined ? { version, dataAt, chunks: [] } : resumed;
        if (isMine !== undefined) return pointer; // The answer to the write before was lost
        const last = Math.max(pointer.last, version);
        return { ...pointer, last, fence: mine, builds: [...others, { version, tokens }] };
      }),
    );
    if (known !== undefined) return known;
    const build = new Build(vault, token, state!, attempt => persist(clock, run.signal, attempt));
    await build.recall();
    return build;
  }

  /** Makes the version the one that is served, in one step. @throws SupersededError, RunFencedError */
  async publish(run: RunContext, manifest: Manifest): Promise<VersionInfo> {
    const { vault, clock, keep } = this.#options;
    const { version, entries, nulls, bytes, dataAt, fullAt } = manifest;
    const scheduledAt = Number(run.scheduledAt);
    const publishedAt = clock.wallMs();
    const info = { version, scheduledAt, publishedAt, dataAt, fullAt, entries, nulls, bytes };
    await persist(clock, run.signal, () => {
      run.assertCurrent();
      return vault.update(pointer => {
        if (pointer.versions.some(known => known.version === version)) return pointer; // The answer was lost
        this.#assertFence(run, pointer);
        this.#assertOpen(pointer, scheduledAt);
        const all = [...pointer.versions, info];
        const kept = all.slice(-keep);
        const left = all.slice(0, -keep).map(old => ({ version: old.version, at: publishedAt }));
        return {
          ...pointer,
          current: version,
          floor: scheduledAt,
          versions: kept,
          retired: [...pointer.retired, ...left],
          builds: pointer.builds.filter(build => build.version !== version),
        };
      });
    });
    return info;
  }

  /** After it, the attempt publishes nothing more; whether it has. Does nothing once another attempt has begun. */
  async fence({ token, holder, scheduledAt }: FencedRun): Promise<boolean> {
    const pointer = await this.#options.vault.update(pointer => {
      const isMine = pointer.fence.token === String(token) && pointer.fence.holder === holder;
      // An equal token of another holder is stale
      return isMine ? { ...pointer, fence: { ...pointer.fence, holder: `${holder} was stopped` } } : pointer;
    });
    return pointer.versions.some(version => version.scheduledAt === Number(scheduledAt));
  }

  /**
   * Serves an older version again, the one before the current one by default, and holds publishing until `resume`. Reads every part
   * of it first.
   *
   * @throws MissingVersionError
   */
  async rollback(version?: number): Promise<VersionInfo> {
    const { vault, clock } = this.#options;
    const wanted = targetOf(vault.name, await vault.pointer(), version);
    const { chunks } = await vault.manifest(wanted.version);
    for (const chunk of chunks) await vault.chunk(wanted.version, chunk);
    const floor = Math.floor(clock.wallMs());
    await vault.update(pointer => {
      const target = targetOf(vault.name, pointer, wanted.version);
      return { ...pointer, current: target.version, isHeld: true, floor: Math.max(pointer.floor, floor) };
    });
    return wanted;
  }

  /** Lets runs publish again: those of ticks from now on, also where a clock that was far ahead has published later ones. */
  async resume(): Promise<void> {
    const { vault, clock } = this.#options;
    const now = Math.floor(clock.wallMs());
    await vault.update(pointer => {
      if (isOfWrongClock(pointer.floor, now)) return { ...pointer, isHeld: false, floor: now };
      return pointer.isHeld ? { ...pointer, isHeld: false, floor: Math.max(pointer.floor, now) } : pointer;
    });
  }

  /**
   * For what follows the publish: that it is of the newest attempt still, and its version the one that is served.
   *
   * @throws SupersededError, RunFencedError
   */
  async assertServed(run: RunContext, version: number): Promise<void> {
    run.assertCurrent();
    const pointer = await this.#options.vault.pointer();
    this.#assertFence(run, pointer);
    if (pointer.current === version) return;
    throw new SupersededError(this.#options.vault.name, `version ${version} is served no longer`);
  }

  /** Deletes what the grace of the readers has ended for, and what crashed runs have left. Only the newest attempt may. */
  async collect(run: RunContext): Promise<void> {
    const { vault, clock, graceMs } = this.#options;
    const pointer = await vault.pointer();
    const before = clock.wallMs() - graceMs;
    const token = String(run.token);
    const over = [
      ...pointer.retired.filter(({ at }) => at <= before),
      ...pointer.builds.filter(({ tokens }) => tokens.at(-1) !== token),
    ].map(({ version }) => version);
    for (const version of over) {
      run.assertCurrent();
      this.#assertFence(run, await vault.pointer());
      await vault.deleteVersion(version);
      const others = <T extends { readonly version: number }>(all: readonly T[]) =>
        all.filter(each => each.version !== version);
      await vault.update(now => ({ ...now, retired: others(now.retired), builds: others(now.builds) }));
    }
  }

  #assertFence({ job, token, holder }: RunContext, { fence }: Pointer): void {
    const seen = { token: BigInt(fence.token), holder: fence.holder };
    if (isStale({ token, holder }, seen)) throw new RunFencedError(job, token);
  }

  #assertOpen({ isHeld, floor }: Pointer, scheduledAt: number): void {
    const { name } = this.#options.vault;
    if (isHeld) throw new SupersededError(name, 'a rollback holds publishing until `resume()`');
    if (scheduledAt > floor) return;
    throw new SupersededError(name, `its time is not after ${new Date(floor).toISOString()}`);
  }
}

function targetOf(name: string, pointer: Pointer, version: number | undefined): VersionInfo {
  const { versions, current } = pointer;
  const target =
    version === undefined
      ? versions.findLast(other => other.version < current)
      : versions.find(other => other.version === version);
  if (target !== undefined) return target;
  const list = versions.map(other => other.version).join(', ') || 'none';
  const at = version ?? currentOf(pointer)?.version ?? 0;
  throw new MissingVersionError(
    name,
    at,
    version === undefined ? `there is none before it` : `kept are ${list}`,
  );
}
