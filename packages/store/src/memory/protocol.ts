import type { Backend } from '../backend.ts';
import type { Version } from '../store.ts';

/** The operations that a port carries, by the name of the backend's method. */
export type Operation = 'read' | 'write' | 'writeAll' | 'remove' | 'page' | 'claim' | 'release';

/** Asks the owner for an operation of its backend. */
export interface Question {
  readonly id: number;
  readonly operation: Operation;
  readonly args: readonly unknown[];
}

/** Errors have no class on the other side, so the expected one is told by its fields. */
export type Answer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly conflict: { readonly found: Version } }
  | { readonly id: number; readonly failure: string };

/** Keys that changed; the next are told when these were taken. */
export interface Told {
  readonly changed: readonly string[];
  readonly missed: boolean;
}

/** From the thread that connected to the one that owns the store. `heard`: the last news was taken. */
export type Request = Question | { readonly listen: boolean } | { readonly heard: true };
export type Response = Answer | Told;

export type Arguments<O extends Operation> = Parameters<Backend[O]>;
export type Result<O extends Operation> = Awaited<ReturnType<Backend[O]>>;
