import { AshlarError, InvalidOptionError } from '@ashlar/core';
import {
  StoreClosedError,
  StoreTimeoutError,
  StoreUnavailableError,
  UnsafeBackendError,
  VersionConflictError,
} from '../../src/index.ts';
import { nonsense } from '../plan/nonsense.ts';
import type { Done } from '../play/history.ts';
import { reading } from '../sites/site.ts';

/** Whether a call that failed may have taken effect, by what its error says. */
export function mayHaveHappened({ result }: Done): boolean {
  if ('unsettled' in result) return true;
  if (!('error' in result)) return true;
  const { outcome } = result.error as { readonly outcome?: unknown };
  return outcome === 'Unknown' || outcome === 'Executed' || !(result.error instanceof AshlarError);
}

/** Calls that did not settle, and errors that are of no type, or that nothing was a reason for. */
export function aboutFailures(history: readonly Done[]): string[] {
  return history.flatMap(done => {
    const complaint = complaintOf(done);
    return complaint === undefined ? [] : [`${done.call.op}: ${complaint}`];
  });
}

function complaintOf(done: Done): string | undefined {
  const { call, result, isClosed, isImpatient, mayFail } = done;
  if ('unsettled' in result) return 'it never settled';
  if (call.op === 'nonsense') return complaintOfNonsense(done, nonsense[call.what]!.code);
  if (!('error' in result)) return undefined;
  const { error } = result;
  if (!(error instanceof AshlarError)) return `an error without a type: ${textOf(error)}`;
  if (error instanceof InvalidOptionError) {
    return done.sent.above === undefined ? `refused without a reason: ${textOf(error)}` : undefined;
  }
  const { outcome } = error as { readonly outcome?: unknown };
  if (outcome !== 'NotExecuted' && outcome !== 'Unknown') return `no outcome: ${textOf(error)}`;
  if (outcome === 'Unknown' && reading.has(call.op)) return `nothing is unknown of it: ${textOf(error)}`;
  if (error instanceof VersionConflictError) {
    return done.sent.ifVersion === undefined ? 'a conflict without a condition' : undefined;
  }
  if (isClosed) return undefined;
  if (error instanceof StoreClosedError) return 'closed, though nobody closed it';
  if (mayFail && (error instanceof StoreUnavailableError || error instanceof UnsafeBackendError))
    return undefined;
  if (isImpatient && isLate(error)) return undefined;
  return `failed without a reason: ${textOf(error)}`;
}

/** A short time limit may be over before there is a connection. */
function isLate(error: AshlarError): boolean {
  return (
    error instanceof StoreTimeoutError ||
    (error instanceof StoreUnavailableError &&
      /within \d+ ms|timeout exceeded|connection/.test(error.message))
  );
}

function complaintOfNonsense({ result, isClosed }: Done, code: string): string | undefined {
  if (!('error' in result)) return 'nonsense was taken';
  const { error } = result;
  const got = error instanceof AshlarError ? error.code : undefined;
  if (got === code || (isClosed && got === StoreClosedError.code)) return undefined;
  return `nonsense was refused with ${textOf(error)} instead of ${code}`;
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return `${error.name}: ${error.message}${cause}`;
}
