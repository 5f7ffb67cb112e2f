import { describe, InvalidOptionError, knownOptions, numberOption } from '@ashlar/core';
import type { SetOptions } from './options.ts';

const names = {
  get: ['signal', 'ttlMs', 'tags'],
  getMany: ['signal'],
  set: ['signal', 'ttlMs', 'tags'],
  delete: ['signal'],
} as const;

/** @throws InvalidOptionError for what a call cannot be given. */
export function checkCallOptions(method: keyof typeof names, options: SetOptions): void {
  knownOptions(method, options, names[method]);
  const { signal, ttlMs, tags } = options;
  if (signal !== undefined && typeof (signal as AbortSignal | null)?.addEventListener !== 'function') {
    throw new InvalidOptionError('signal', `\`signal\` must be an AbortSignal, got ${describe(signal)}`);
  }
  if (ttlMs !== undefined) checkTtl(ttlMs);
  if (tags !== undefined) checkTags(tags);
}

/** 0 says that it is not to be kept. @throws InvalidOptionError */
export function checkTtl(ttlMs: number): number {
  return ttlMs === Number.POSITIVE_INFINITY ? ttlMs : numberOption('ttlMs', ttlMs, { min: 0 });
}

/** @throws InvalidOptionError, also for a string, whose characters would pass for tags. */
export function checkTags(tags: readonly string[]): readonly string[] {
  if (Array.isArray(tags) && tags.every(tag => typeof tag === 'string')) return tags;
  throw new InvalidOptionError('tags', `\`tags\` must be an array of strings, got ${describe(tags)}`);
}
