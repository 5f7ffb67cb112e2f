import { WrongShardError } from '../errors/routing.ts';

/** The SQLSTATE with which a fence of PostgreSQL refuses. */
const refusedState = 'AS409';

/** A transaction was the victim of a deadlock, or could not be serialized: the database has rolled it back. */
const conflictStates: ReadonlySet<unknown> = new Set(['40P01', '40001']);

/** Whether the error, or what it was caused by, is the refusal of a fence. */
export function isFenceRefusal(error: unknown): boolean {
  return isCausedBy(error, at => at instanceof WrongShardError || codeOf(at) === refusedState);
}

/** Whether the database has ended a transaction that is to be tried again. */
export function isConflict(error: unknown): boolean {
  return isCausedBy(error, at => conflictStates.has(codeOf(at)));
}

function codeOf(error: object): unknown {
  return (error as { readonly code?: unknown }).code;
}

function isCausedBy(error: unknown, is: (at: object) => boolean): boolean {
  let at = error;
  for (let depth = 0; depth < 8 && typeof at === 'object' && at !== null; depth++) {
    if (is(at)) return true;
    at = (at as { cause?: unknown }).cause;
  }
  return false;
}

/** Counts the statements that work sends with a client, so that a refused one can be told from those before it. */
export class Statements<C> {
  readonly client: C;
  #sent = 0;
  #isKnown = true;

  constructor(client: C, methods: ReadonlySet<string>) {
    if (typeof client !== 'object' || client === null) {
      this.client = client;
      this.#isKnown = false;
      return;
    }
    this.client = new Proxy(client, {
      // The client itself is the receiver: its methods may have private fields
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') {
          // Statements that are sent through a part of the client would not be counted
          if (typeof value === 'object' && value !== null) this.#isKnown = false;
          return value;
        }
        return (...args: unknown[]) => {
          if (methods.has(String(name))) this.#sent++;
          else this.#isKnown = false;
          return Reflect.apply(value, target, args);
        };
      },
    });
  }

  /** Whether the refused statement was certainly the only one. */
  get isOnlyOne(): boolean {
    return this.#isKnown && this.#sent === 1;
  }
}
