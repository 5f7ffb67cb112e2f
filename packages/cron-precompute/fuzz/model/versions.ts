import type { Store } from '@ashlar/store';
import { entriesOf } from '../../src/publish/chunks.ts';
import type { Pointer, VersionInfo } from '../../src/publish/pointer.ts';
import { Vault } from '../../src/publish/vault.ts';
import type { Rows } from '../world/rows.ts';

/** A version as it was when it was published. */
export interface Version {
  readonly info: VersionInfo;
  readonly entries: ReadonlyMap<string, unknown>;
}

const decoder = new TextDecoder();

/** What was published, and in which order it was served. */
export class Versions {
  readonly all: Version[] = [];
  /** Of which version the readers were, one after the other. */
  readonly #served: number[] = [0];
  readonly #vault: Vault;
  readonly #rows: Rows;
  readonly #complain: (complaint: string) => void;

  constructor(store: Store, name: string, rows: Rows, complain: (complaint: string) => void) {
    this.#vault = new Vault(store, name);
    this.#rows = rows;
    this.#complain = complain;
  }

  async wrote(before: Pointer, after: Pointer): Promise<void> {
    if (after.last < before.last) this.#complain('version: a number is given twice');
    if (BigInt(after.fence.token) < BigInt(before.fence.token))
      this.#complain('version: the fence goes back');
    const known = new Set(this.all.map(({ info }) => info.version));
    const published = after.versions.filter(({ version }) => !known.has(version));
    if (after.current !== before.current) this.#served.push(after.current);
    for (const info of published) await this.#published(info, before);
    if (published.length > 1) this.#complain('version: two are published at once');
    if (published.length === 0 && after.current !== before.current && !after.isHeld)
      this.#complain('version: another is served without a publish or a rollback');
  }

  async #published(info: VersionInfo, before: Pointer): Promise<void> {
    const { version, scheduledAt } = info;
    const newest = Math.max(-Infinity, ...this.all.map(each => each.info.scheduledAt));
    const latest = Math.max(0, ...this.all.map(each => each.info.version));
    if (scheduledAt === newest) this.#complain('version: a run is published twice');
    if (scheduledAt < newest) this.#complain('version: a run is published over a newer one');
    if (version <= latest) this.#complain('version: its number is not greater');
    if (before.isHeld) this.#complain('version: one is published while a rollback holds publishing');
    const tokens = before.builds.find(build => build.version === version)?.tokens ?? [];
    if (tokens.at(-1) !== before.fence.token || before.fence.holder.includes(' '))
      this.#complain('version: an attempt that is fenced has published');
    const entries = await this.#read(info).catch((error: unknown) => String(error));
    if (typeof entries === 'string')
      return void this.#complain(`version: it is not whole when it is published: ${entries}`);
    this.all.push({ info, entries });
    for (const complaint of this.#rows.contradictions(entries, info)) this.#complain(`version: ${complaint}`);
  }

  async #read({ version, entries: count }: VersionInfo): Promise<ReadonlyMap<string, unknown>> {
    const { chunks } = await this.#vault.manifest(version);
    const entries = new Map<string, unknown>();
    for (const chunk of chunks) {
      for (const [key, value] of entriesOf(await this.#vault.chunk(version, chunk))) {
        if (value === undefined) entries.delete(key);
        else entries.set(key, value === null ? null : JSON.parse(decoder.decode(value)));
      }
    }
    if (entries.size !== count) throw new Error(`it says ${count} entries and has ${entries.size}`);
    return entries;
  }

  /** Where in the order of what was served a reader is that has this version now and was there before. */
  next(served: number, version: number): number | undefined {
    const index = this.#served.indexOf(version, served);
    return index < 0 ? undefined : index;
  }

  of(version: number): Version | undefined {
    return this.all.find(({ info }) => info.version === version);
  }
}
