import { InvalidQueryError } from '../errors/statements.ts';

/**
 * What is built before it is run, and is no promise: `await` would do nothing. So `await` of one does not compile, and rejects where types
 * are not checked.
 */
export abstract class Unawaited {
  // biome-ignore lint/suspicious/noThenProperty: it is there so that `await` is an error
  then(_isCalledBy: 'await, before run(), all(), first(), count(), page() or for await'): never {
    throw new InvalidQueryError(
      'a query was awaited, and not run: await what its `all()`, `first()`, `count()` or `page()` returns, or `run()` of a write',
    );
  }
}
