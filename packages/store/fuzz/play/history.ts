import type { Claim, Entry, Version } from '../../src/index.ts';
import type { Call } from '../plan/plan.ts';

/** A call with what was sent and what came of it. */
export interface Done {
  readonly call: Call;
  /** The arguments that the plan leaves open. */
  readonly sent: Sent;
  /** By `performance.now()`. */
  readonly sentAt: number;
  readonly endedAt: number;
  /** Whether something was wrong with the server, or its user may not do it. */
  readonly mayFail: boolean;
  /** Whether its store was closed, or was being closed. */
  readonly isClosed: boolean;
  readonly isImpatient: boolean;
  readonly result: Result;
}

export interface Sent {
  /** The texts of the values that it writes, by key. */
  readonly values?: ReadonlyMap<string, string>;
  readonly ifVersion?: Version;
  readonly token?: bigint;
  readonly above?: bigint;
}

export type Result =
  | { readonly entries: readonly (Entry | undefined)[] }
  | { readonly listed: readonly Entry[] }
  | { readonly version: Version }
  | { readonly did: boolean }
  | { readonly claim: Claim | undefined }
  | { readonly done: true }
  | { readonly error: unknown }
  | { readonly unsettled: true };

/** The text that stands for a value; the rest of it only makes it longer. */
export function idOf({ value }: Entry): string {
  return new TextDecoder().decode(value.subarray(0, 24)).split('.', 1)[0]!;
}
