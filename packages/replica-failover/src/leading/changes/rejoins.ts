import { describe, onAbort } from '@ashlar/core';
import {
  type Entry,
  fromJson,
  Lease,
  type Store,
  setJson,
  type Version,
  VersionConflictError,
} from '@ashlar/store';
import type { AuthorityContext, Observed } from '../../authority.ts';
import type { MemberHooks, Rejoining } from '../options.ts';
import type { TermRecord } from '../record.ts';
import type { MemberNote } from '../snapshot.ts';

/** Milliseconds for which the store keeps the lease of a process that has died while it rewound a server. */
const leaseMs = 10_000;
/** Characters of the error of a hook that are kept. */
const maxText = 500;

/**
 * Primaries of before that become standbys, through the hooks of their hosts. No deadline of ours ends a hook: a server that
 * is half rewound is of no use to anybody. One whose hook has failed, or whose process has died meanwhile, is in quarantine
 * until it is seen to follow.
 */
export class Rejoins {
  readonly #context: AuthorityContext;
  readonly #store: Store;
  readonly #prefix: string;
  readonly #hooks: Readonly<Record<string, MemberHooks>>;
  readonly #busy = new Map<string, Promise<void>>();
  #notes = new Map<string, { readonly note: MemberNote; readonly version: Version }>();

  constructor(
    context: AuthorityContext,
    store: Store,
    prefix: string,
    hooks: Readonly<Record<string, MemberHooks>>,
  ) {
    this.#context = context;
    this.#store = store;
    this.#prefix = prefix;
    this.#hooks = hooks;
  }

  get notes(): ReadonlyMap<string, MemberNote> {
    return new Map([...this.#notes].map(([id, { note }]) => [id, note]));
  }

  canRewind(id: string): boolean {
    return this.#hooks[id]?.rewind !== undefined;
  }

  /** Whether it becomes a standby again when it is a primary of before. */
  comesBack(id: string): boolean {
    return this.canRewind(id) && this.#notes.get(id)?.note.state !== 'quarantined';
  }

  /** Resolves when no hook runs. */
  async idle(): Promise<void> {
    await Promise.all(this.#busy.values());
  }

  learn(entries: ReadonlyMap<string, Entry>): void {
    const prefix = this.#key('');
    this.#notes = new Map(
      [...entries]
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, entry]) => {
          const { value: note, version } = fromJson<MemberNote>(entry);
          return [key.slice(prefix.length), { note, version }];
        }),
    );
  }

  /** Begins what there is to do, while that is the order of the servers. */
  consider(record: TermRecord): void {
    for (const server of this.#context.servers()) {
      const { id } = server;
      if (this.#busy.has(id)) continue;
      const act = this.#whatToDo(server, record);
      if (act === undefined) continue;
      // The store is away: it is considered again
      const acting = act()
        .catch(() => this.#context.clock.sleep(leaseMs / 10, this.#context.signal))
        .catch(() => {})
        .then(() => void this.#busy.delete(id));
      this.#busy.set(id, acting);
    }
  }

  #whatToDo({ id, state, sighting }: Observed, record: TermRecord): (() => Promise<unknown>) | undefined {
    const noted = this.#notes.get(id);
    if (noted !== undefined) {
      const follows = state === 'up' && sighting?.role === 'replica' && sighting.isReceiving;
      if (follows) return () => this.#store.delete(this.#key(id), { ifVersion: noted.version });
      return noted.note.state === 'rewinding'
        ? () => this.#takeOver(id, noted.note, noted.version)
        : undefined;
    }
    const isFenced = state === 'up' && sighting?.role === 'primary' && sighting.isFenced;
    if (!isFenced || id === record.primary || !this.canRewind(id)) return undefined;
    return () => this.#rejoin(id, record);
  }

  async #rejoin(id: string, { term, primary }: TermRecord): Promise<void> {
    const lease = await this.#lease(id);
    if (lease === undefined) return;
    try {
      const version = await this.#note(id, { state: 'rewinding', term }, 'absent');
      if (version === undefined) return;
      const why = await this.#run(id, { id, primary, term });
      if (why === undefined) await this.#store.delete(this.#key(id), { ifVersion: version });
      else await this.#note(id, { state: 'quarantined', term, why }, version);
    } finally {
      await lease.release().catch(() => {});
    }
  }

  /** Why it has not become a standby. */
  async #run(id: string, about: Rejoining): Promise<string | undefined> {
    const { stop, rewind, start } = this.#hooks[id]!;
    let hook = 'stop';
    try {
      await stop?.(about);
      hook = 'rewind';
      await rewind?.(about);
      hook = 'start';
      await start?.(about);
    } catch (error) {
      const text = error instanceof Error ? error.message : describe(error);
      return `the hook \`${hook}\` failed: ${text.slice(0, maxText)}`;
    }
    return (await this.#roleAgain(id)) === 'replica'
      ? undefined
      : 'it was rewound, and is a primary again all the same';
  }

  /** What it is when it has been seen again. */
  #roleAgain(id: string): Promise<string | undefined> {
    const { signal, onSighting, servers } = this.#context;
    const before = servers().find(each => each.id === id)?.sighting;
    return new Promise((resolve, reject) => {
      const stop = onSighting(() => {
        const { state, sighting } = servers().find(each => each.id === id)!;
        if (state !== 'up' || sighting === before || sighting === undefined) return;
        stop();
        resolve(sighting.role);
      });
      onAbort(signal, reason => {
        stop();
        reject(reason);
      });
    });
  }

  /** Who has begun it is dead when its lease is free: nobody knows how far it has come. */
  async #takeOver(id: string, { term }: MemberNote, version: Version): Promise<void> {
    const lease = await this.#lease(id);
    if (lease === undefined) return this.#context.clock.sleep(leaseMs / 10, this.#context.signal);
    try {
      const why = 'the process that rewound it has died before it was done';
      await this.#note(id, { state: 'quarantined', term, why }, version);
    } finally {
      await lease.release().catch(() => {});
    }
  }

  #lease(id: string): Promise<Lease | undefined> {
    const { clock } = this.#context;
    return Lease.tryAcquire(this.#store, `${this.#prefix}rejoin:${id}`, { ttlMs: leaseMs, clock });
  }

  /** Undefined when somebody else has noted something. */
  async #note(id: string, note: MemberNote, before: Version | 'absent'): Promise<Version | undefined> {
    try {
      return await setJson(this.#store, this.#key(id), note, { ifVersion: before });
    } catch (error) {
      if (error instanceof VersionConflictError) return undefined;
      throw error;
    }
  }

  #key(id: string): string {
    return `${this.#prefix}member:${id}`;
  }
}
