import type { DeadLetter } from '../dead-letters.ts';
import type { Deduplication, Job } from '../driver.ts';
import { type Stored, stored } from './group/stored.ts';
import type { SavedItem } from './journal.ts';

/** Something of a group that is kept. */
export type Part =
  | { readonly item: SavedItem }
  | { readonly letter: DeadLetter }
  | { readonly id: string; readonly job: Job }
  | { readonly key: string; readonly id: string; readonly until: number }
  | { readonly isPaused: boolean };

/** How long a message is held back. */
export function pauseOf(delayMs: number, deduplication: Deduplication | undefined): number {
  return deduplication?.mode === 'debounce' ? deduplication.ttlMs : delayMs;
}

/** @param later while it is held back */
export function savedItem(
  item: Stored,
  state: SavedItem['state'],
  later: { readonly at: number; readonly isRetry: boolean } | undefined,
  receipt: number | undefined,
  epochMs: number,
): SavedItem {
  const { deliveries, failures, progress } = item;
  const { at = 0, isRetry = false } = later ?? {};
  const message = { ...item, expiresAt: epochMs + item.expiresAt };
  const dueAt = epochMs + at;
  return { message, state, deliveries, failures, progress, dueAt, isRetry, receipt: receipt ?? 0 };
}

export function restoredItem(
  { message, deliveries, failures, progress }: SavedItem,
  epochMs: number,
): Stored {
  const item = stored({ ...message, expiresAt: message.expiresAt - epochMs });
  return Object.assign(item, { deliveries, failures, progress });
}

/** In the order of publishing. */
export function inOrder(items: Iterable<SavedItem>): SavedItem[] {
  return [...items].sort((a, b) => a.message.sequence - b.message.sequence);
}
