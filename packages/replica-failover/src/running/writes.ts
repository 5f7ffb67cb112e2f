import {
  EndedTransactionError,
  OpenTransactionError,
  OutcomeUnknownError,
  ReplicaSetClosedError,
} from '../errors.ts';
import type { Route } from '../routing/route.ts';
import { CommitDoubt, type Connection } from '../server.ts';
import type { Position, Session } from '../session.ts';
import type { Watch } from '../watching/watch.ts';
import type { Watched } from '../watching/watched.ts';
import type { Call } from './call.ts';
import type { Gate } from './gate.ts';
import { NotRun, type Runner, rethrow, type Work } from './runner.ts';

/** Work on the primary: repeated only where it certainly was not executed. */
export class Writes<C> {
  readonly #set: string;
  readonly #route: Route<C>;
  readonly #watch: Watch<C>;
  readonly #runner: Runner<C>;
  readonly #gate: Gate;

  constructor(set: string, route: Route<C>, watch: Watch<C>, runner: Runner<C>, gate: Gate) {
    this.#set = set;
    this.#route = route;
    this.#watch = watch;
    this.#runner = runner;
    this.#gate = gate;
  }

  write<T>(call: Call, work: Work<C, T>, session: Session | undefined): Promise<T> {
    return this.#onPrimary(call, async (connection, primary) => {
      call.mayHaveRun = () => connection.progress.executed > 0 || connection.progress.inDoubt;
      let result: T;
      try {
        result = await work(connection.client);
      } catch (error) {
        rethrow(error, connection, primary, call);
      }
      checkEnd(connection);
      await connection.acknowledged?.();
      await this.#advance(session, primary, () => connection.primaryPosition?.() ?? connection.position());
      return result;
    });
  }

  transaction<T>(
    call: Call,
    work: Work<C, T>,
    session: Session | undefined,
    isolation: string | undefined,
  ): Promise<T> {
    return this.#onPrimary(call, async (connection, primary) => {
      call.mayHaveRun = () => connection.progress.hasEnded;
      let result: T;
      try {
        await connection.begin(isolation);
        result = await work(connection.client);
      } catch (error) {
        if (connection.progress.hasEnded) throw new EndedTransactionError({ cause: error });
        // The server has rolled back, or will, what it did not commit
        const { isRefused, lost } = connection.progress;
        if (isRefused || lost !== undefined) throw new NotRun(primary, lost ?? error);
        await connection.rollback().catch(() => {});
        throw error;
      }
      if (connection.progress.hasEnded) throw new EndedTransactionError();
      call.mayHaveRun = () => true;
      try {
        const position = await connection.commit(session !== undefined);
        await this.#advance(session, primary, async () => position);
      } catch (error) {
        call.throwIfOver();
        if (error instanceof CommitDoubt) await this.#settle(call, error, session, primary);
        else if (connection.isRefusal(error)) {
          call.mayHaveRun = () => false;
          throw new NotRun(primary, error);
        } else throw error;
      }
      return result;
    });
  }

  async #onPrimary<T>(
    call: Call,
    use: (connection: Connection<C>, primary: Watched<C>) => Promise<T>,
  ): Promise<T> {
    return this.#runner.untilRun(call, async () => {
      call.mayHaveRun = () => false;
      let primary = this.#openPrimary();
      while (primary === undefined) {
        await this.#gate.wait(() => this.#untilOpen(call));
        primary = this.#openPrimary();
      }
      const chosen = primary;
      return this.#gate.within(() => this.#runner.lend(call, chosen, connection => use(connection, chosen)));
    });
  }

  #openPrimary(): Watched<C> | undefined {
    return this.#gate.isHeld ? undefined : this.#route.primary();
  }

  async #untilOpen(call: Call): Promise<void> {
    await this.#primary(call);
    call.lacks = () => this.#gate.lacks() ?? this.#route.noPrimary();
    await this.#gate.opened(call.signal);
    this.#watch.throwIfStopped();
  }

  async #primary(call: Call): Promise<Watched<C>> {
    for (;;) {
      const primary = this.#route.primary();
      if (primary !== undefined) return primary;
      call.lacks = () => this.#route.noPrimary();
      await this.#watch.nextLook(call.signal);
    }
  }

  /** Finds out what became of a commit whose answer was lost: returns when it was executed. */
  async #settle(
    call: Call,
    doubt: CommitDoubt,
    session: Session | undefined,
    was: Watched<C>,
  ): Promise<void> {
    const unknown = () =>
      new OutcomeUnknownError('the answer to the commit was lost', { cause: doubt.cause });
    this.#watch.suspect(was);
    const asking = this.#runner.untilRun(call, async () => {
      // Not by the gate: it is the end of a write that was let in
      const primary = await this.#primary(call);
      return this.#runner.lend(call, primary, async connection => {
        try {
          const found = await doubt.resolve(connection, call.signal);
          if (found === 'committed') await this.#advance(session, primary, () => connection.position());
          return found;
        } catch {
          call.throwIfOver();
          const { lost } = connection.progress;
          if (lost === undefined) throw unknown();
          throw new NotRun(primary, lost);
        }
      });
    });
    const outcome = await asking.catch(error => {
      throw error instanceof ReplicaSetClosedError ? new ReplicaSetClosedError(this.#set, 'Unknown') : error;
    });
    if (outcome === 'unknown') throw unknown();
    if (outcome === 'aborted') throw new NotRun(was, doubt.cause);
  }

  /** Notes in the session what it has now seen; where that is not known, that it is not. */
  async #advance(
    session: Session | undefined,
    primary: Watched<C>,
    find: () => Promise<Position | undefined>,
  ): Promise<void> {
    if (session === undefined) return;
    const before = session.position(this.#set);
    // A session that has lost something stays so: what it reads next must not look complete
    if (typeof before === 'object' && !this.#route.goesOn(before, primary)) return;
    const position = await find().catch(() => undefined);
    if (position === undefined) session.forget(this.#set);
    else session.advance(this.#set, position);
  }
}

/** The work has resolved; whether all that it sent has succeeded too. */
function checkEnd<C>({ progress: { inDoubt, isInTransaction } }: Connection<C>): void {
  if (isInTransaction) {
    throw new OpenTransactionError(
      'the work left its transaction open; it is rolled back: use `transaction`',
    );
  }
  if (inDoubt) {
    throw new OutcomeUnknownError('a statement of the work was not acknowledged, or not waited for');
  }
}
