import type { GroupStats, Job } from '../../driver.ts';
import type { SavedGroup } from '../journal.ts';
import { inOrder, type Part, restoredItem, savedItem } from '../saving.ts';
import { DeduplicationKeys } from './deduplication-keys.ts';
import { Graveyard } from './graveyard.ts';
import type { Leases } from './leases.ts';
import { Results } from './results.ts';
import { States, type Stored } from './stored.ts';
import { Backlog } from './waiting/backlog.ts';

export interface ContentsSettings {
  readonly maxDead: number;
  readonly maxResults: number;
  /** Milliseconds since the epoch at zero of the clock. */
  readonly epochMs: number;
}

/** All that a group has: its messages in each state, and what it remembers of those that are gone. */
export class Contents {
  /** Those that are not settled. */
  readonly items: Map<string, Stored> = new Map();
  readonly backlog: Backlog;
  readonly leases: Leases;
  readonly dead: Graveyard;
  readonly results: Results;
  readonly keys: DeduplicationKeys = new DeduplicationKeys();
  isPaused = false;
  readonly #states = new States();
  readonly #epochMs: number;

  constructor(leases: Leases, { maxDead, maxResults, epochMs }: ContentsSettings) {
    this.leases = leases;
    this.backlog = new Backlog(this.#states);
    this.dead = new Graveyard(maxDead);
    this.results = new Results(maxResults);
    this.#epochMs = epochMs;
  }

  get stats(): GroupStats {
    const [waiting, delayed, active] = (['waiting', 'delayed', 'active'] as const).map(state =>
      this.#states.of(state),
    ) as [number, number, number];
    return { waiting, delayed, active, dead: this.dead.size };
  }

  find(id: string): Job | undefined {
    const item = this.items.get(id);
    if (item === undefined || item.state === 'new') return this.#deadJob(id) ?? this.results.get(id);
    const { deliveries, failures, progress } = item;
    return { state: item.state as Job['state'], deliveries, failures, progress };
  }

  /** It is in hands: whoever calls this gives it a lease. */
  activate(item: Stored): void {
    this.#states.become(item, 'active');
  }

  /** It is settled for good. What still holds a place in the backlog is passed over there. */
  remove(item: Stored): void {
    this.#states.become(item, 'gone');
    this.items.delete(item.id);
  }

  /** Takes over what was kept, once, before anything else. */
  restore({ items, dead, results, keys, isPaused }: SavedGroup, now: number): void {
    const epochMs = this.#epochMs;
    const active: Stored[] = [];
    for (const saved of inOrder(items.values())) {
      const item = restoredItem(saved, epochMs);
      this.items.set(item.id, item);
      if (saved.state === 'waiting') {
        this.backlog.add(item, now, false);
      } else if (saved.state === 'active') {
        this.activate(item);
        this.leases.give(item, now, undefined, saved.receipt);
        active.push(item);
      } else {
        this.backlog.holdBack({ item, at: saved.dueAt - epochMs, isRetry: saved.isRetry });
      }
    }
    this.backlog.restored(active);
    for (const letter of dead.values()) this.dead.add(letter);
    for (const [id, job] of results) this.results.add(id, job);
    for (const [key, { id, until }] of keys) this.keys.restore(key, this.items.get(id), until - epochMs);
    this.isPaused = isPaused;
  }

  /** All that has to be kept, as it is when it is asked for: it may change in between, by what the journal is told. */
  *saved(): Generator<Part> {
    const epochMs = this.#epochMs;
    const due = new Map([...this.backlog.later].map(later => [later.item, later] as const));
    const receipts = this.leases.receipts;
    for (const item of this.items.values()) {
      if (item.state === 'new' || item.state === 'gone') continue;
      yield { item: savedItem(item, item.state, due.get(item), receipts.get(item), epochMs) };
    }
    for (const letter of this.dead.all()) yield { letter };
    for (const [id, job] of this.results.all()) yield { id, job };
    for (const [key, { item, until }] of this.keys.all()) yield { key, id: item.id, until: epochMs + until };
    yield { isPaused: this.isPaused };
  }

  #deadJob(id: string): Job | undefined {
    const letter = this.dead.get(id);
    if (letter === undefined) return undefined;
    const { deliveries, failures, reason } = letter;
    return { state: 'dead', deliveries, failures, reason };
  }
}
