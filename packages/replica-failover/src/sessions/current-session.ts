import { type AsyncStorage, asyncHooks, refused } from '@ashlar/core';
import { Session } from '../session.ts';

/** Of the process: of two installed copies of this package, one may run the work, and the other the reads in it. */
const place = Symbol.for('ashlar.replica-failover.current-session');
const shared = globalThis as { [place]?: AsyncStorage<Session> };

/**
 * Runs the work with a session of its own: reads after a write in it see that write, without being given the session.
 * Returns what the work returns. Needs Node's `AsyncLocalStorage`; where there is none, as in a browser, it throws.
 *
 * @param session Default: a new one
 * @throws InvalidOptionError for what is no function, and no Session
 */
export function withSession<T>(work: (session: Session) => T, session: Session = new Session()): T {
  if (typeof work !== 'function') throw refused('work', 'a function', work, 'write `withSession(() => …)`');
  if (typeof Object(session).position !== 'function') {
    throw refused('session', 'a Session', session, 'write `new Session()`');
  }
  let storage = shared[place];
  if (storage === undefined) {
    const module = asyncHooks();
    if (module === undefined)
      throw new Error('withSession needs Node.js: there is no AsyncLocalStorage here');
    storage = new module.AsyncLocalStorage<Session>();
    Object.defineProperty(shared, place, { value: storage });
  }
  return storage.run(session, () => work(session));
}

/** The session of the nearest `withSession` around the caller. */
export function currentSession(): Session | undefined {
  return shared[place]?.getStore();
}
