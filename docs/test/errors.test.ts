import * as queue from '@ashlar/queue';
import * as store from '@ashlar/store';
import { describe, expect, it } from 'vitest';

/** What a program can read of an error. */
function shape(error: Error, name: string): unknown {
  const { code, message, ...fields } = error as Error & { code: string };
  return { ...fields, code: code.replace(name.toUpperCase(), 'X'), message, cause: error.cause };
}

const cause = new Error('refused');

describe('the errors of a store and of a queue have one shape', () => {
  it.each([
    [
      'unavailable',
      new store.StoreUnavailableError('it is away', 'NotExecuted', { cause }),
      new queue.QueueUnavailableError('it is away', 'NotExecuted', { cause }),
    ],
    [
      'in time',
      new store.StoreTimeoutError('a call', 50, 'NotExecuted'),
      new queue.QueueTimeoutError('a call', 50, 'NotExecuted'),
    ],
    ['in time, unsaid', new store.StoreTimeoutError('a call', 50), new queue.QueueTimeoutError('a call', 50)],
    ['closed', new store.StoreClosedError('it', 'Unknown'), new queue.QueueClosedError('it', 'Unknown')],
    ['closed, unsaid', new store.StoreClosedError('it'), new queue.QueueClosedError('it')],
    ['unsafe', new store.UnsafeBackendError('evicts'), new queue.UnsafeBackendError('evicts')],
  ])('%s', (_, ofStore, ofQueue) => {
    expect(shape(ofStore, 'store')).toEqual(shape(ofQueue, 'queue'));
    expect(shape(ofStore, 'store')).toMatchObject({ outcome: expect.any(String) });
  });

  it('a timeout is a way to be unavailable', () => {
    expect(new store.StoreTimeoutError('a call', 50)).toBeInstanceOf(store.StoreUnavailableError);
    expect(new queue.QueueTimeoutError('a call', 50)).toBeInstanceOf(queue.QueueUnavailableError);
  });

  it('each of them says what became of the call', () => {
    const named = Object.keys({ ...store, ...queue }).filter(name => /(Unavailable|Closed)Error$/.test(name));
    expect(named.sort()).toEqual([
      'OnceUnavailableError',
      'QueueClosedError',
      'QueueUnavailableError',
      'StoreClosedError',
      'StoreUnavailableError',
    ]);
    const outcomes = ['message', undefined].map(id => new queue.OnceUnavailableError(id, { cause }).outcome);
    expect(outcomes).toEqual(['Executed', 'Unknown']);
  });
});
