import type { Backend } from '../backend.ts';
import type { Version } from '../store.ts';

/** The operations that a port carries, by the name of the backend's method. */
export type Operation = 'read' | 'write' | 'writeAll' | 'remove' | 'page' | 'claim' | 'release';

export interface OperationRequest {
  readonly id: number;
  readonly operation: Operation;
  readonly args: readonly unknown[];
}

/** Errors lose their class on the way, so those that a caller handles are sent by their fields. */
export type OperationResponse =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly conflict: { readonly found: Version } }
  | { readonly id: number; readonly invalid: { readonly option: string; readonly message: string } }
  | { readonly id: number; readonly failure: string };

/** Changed keys. The next are sent when these were acknowledged. */
export interface Changes {
  readonly changed: readonly string[];
  readonly missed: boolean;
}

/** From the connected thread to the owner. `acknowledged`: the last changes were taken. */
export type Request = OperationRequest | { readonly listen: boolean } | { readonly acknowledged: true };
export type Response = OperationResponse | Changes;

export type Arguments<O extends Operation> = Parameters<Backend[O]>;
export type Result<O extends Operation> = Awaited<ReturnType<Backend[O]>>;
