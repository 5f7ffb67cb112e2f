import { InvalidOptionError } from '@ashlar/core';
import {
  BacklogFullError,
  type Cache,
  CacheClosedError,
  JournalError,
  LoadError,
  LoadTimeoutError,
  SerializeError,
  UnwrittenError,
  WriteError,
} from '../../src/index.ts';
import type { Setup } from '../case.ts';
import { type Harm, HarmError } from '../world/harm.ts';
import type { Value } from '../world/values.ts';

export interface Call {
  readonly name: string;
  readonly cache: number;
  readonly of: Cache<unknown, Value>;
  readonly keys: readonly number[];
  readonly signal: AbortSignal | undefined;
  readonly tick: number;
  readonly ms: number;
  /** It was given what cannot be kept: a key or a value. */
  readonly isOdd: boolean;
  isSettled: boolean;
}

export const reads: ReadonlySet<string> = new Set(['get', 'getMany']);

/** Reasons for which a call may reject. */
export interface Reasons {
  readonly setup: Setup;
  readonly harm: Harm;
  /** Whether the tier has ever refused or failed. */
  readonly tierFailed: boolean;
  isClosing(cache: Cache<unknown, Value>): boolean;
}

/** Whether a call may reject so. */
export function mayReject(
  call: Call,
  error: unknown,
  { setup, harm, tierFailed, isClosing }: Reasons,
): boolean {
  const { name, signal, of, isOdd } = call;
  if (signal?.aborted === true && error === signal.reason) return true;
  if (error instanceof CacheClosedError) return isClosing(of);
  if (error instanceof HarmError) return harm.done.size > 0;
  if (error instanceof InvalidOptionError) return isOdd || harm.done.size > 0;
  if (reads.has(name)) {
    if (error instanceof LoadTimeoutError) return setup.options.timeoutMs !== undefined;
    if (error instanceof LoadError) return harm.done.size > 0;
    return false;
  }
  if (name === 'flush' && error instanceof UnwrittenError) return isClosing(of);
  if (name === 'close') return error instanceof UnwrittenError || error instanceof JournalError;
  if (error instanceof WriteError) return isOdd || tierFailed || harm.done.size > 0;
  if (error instanceof SerializeError) return false;
  if (error instanceof BacklogFullError) return setup.whenFull === 'reject';
  if (error instanceof JournalError) return setup.write === 'journal' && (isOdd || harm.done.size > 0);
  return false;
}
