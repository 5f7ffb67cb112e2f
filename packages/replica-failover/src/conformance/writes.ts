import { OutcomeUnknownError, ReplicaSetClosedError } from '../errors.ts';
import { equal, rejection } from './check.ts';
import type { Tests } from './subject.ts';

/** What becomes of writes and transactions while the servers are well. */
export function writeTests<C>(): Tests<C> {
  return {
    'a transaction commits all when its work resolves': async subject => {
      const set = await subject.connect();
      const result = await set.transaction(async db => {
        await subject.put(db, 'a', '1');
        await subject.put(db, 'b', '2');
        return 'done';
      });
      equal(result, 'done', 'the result of the work');
      equal(await set.read(db => subject.get(db, 'a')), '1', 'a');
      equal(await set.read(db => subject.get(db, 'b')), '2', 'b');
    },
    'a transaction leaves nothing when its work rejects, and rejects with the same error': async subject => {
      const set = await subject.connect();
      const mine = new RangeError('mine');
      const failing = set.transaction(async db => {
        await subject.put(db, 'a', '1');
        throw mine;
      });
      equal(await rejection(failing, RangeError), mine, 'the error');
      equal(await set.read(db => subject.get(db, 'a')), undefined, 'a');
    },
    'what the work throws is passed on, and the connection serves others': async subject => {
      const set = await subject.connect({ maxConnections: 1 });
      const mine = new RangeError('mine');
      const failing = set.write(async () => {
        throw mine;
      });
      equal(await rejection(failing, RangeError), mine, 'the error');
      await set.write(db => subject.put(db, 'a', '1'));
      equal(await set.read(db => subject.get(db, 'a')), '1', 'a');
    },
    'one call has one connection, and no other call has it meanwhile': async subject => {
      const set = await subject.connect({ maxConnections: 2 });
      const clients = new Set<C>();
      let most = 0;
      const busy = new Set<C>();
      const work = async (db: C) => {
        clients.add(db);
        equal(busy.has(db), false, 'the connection is in use');
        busy.add(db);
        most = Math.max(most, busy.size);
        await subject.put(db, 'a', '1');
        busy.delete(db);
      };
      await Promise.all(Array.from({ length: 20 }, () => set.write(work)));
      equal(clients.size <= 2 && most <= 2, true, 'at most two connections');
    },
    'an abort ends a call with the reason, and leaves the set well': async subject => {
      const set = await subject.connect({ maxConnections: 1 });
      const controller = new AbortController();
      const mine = new RangeError('mine');
      const hanging = set.write(() => new Promise(() => {}), { signal: controller.signal });
      controller.abort(mine);
      equal(await rejection(hanging, RangeError), mine, 'the reason');
      await set.write(db => subject.put(db, 'a', '1'));
    },
    'work that has sent something and does not end is Unknown when its time is over': async subject => {
      const set = await subject.connect({ maxConnections: 1 });
      const hanging = set.write(
        async db => {
          await subject.put(db, 'a', '1');
          await new Promise(() => {});
        },
        { timeoutMs: 300 },
      );
      const error = await rejection(hanging, OutcomeUnknownError);
      equal(error.outcome, 'Unknown', 'the outcome');
      await set.write(db => subject.put(db, 'b', '1'));
    },
    'a closed set waits for what runs, and takes nothing more': async subject => {
      const set = await subject.connect();
      let finish = () => {};
      const started = new Promise<void>(resolve => {
        finish = resolve;
      });
      let begun = () => {};
      const hasBegun = new Promise<void>(resolve => {
        begun = resolve;
      });
      const running = set.write(async db => {
        begun();
        await started;
        await subject.put(db, 'a', '1');
        return 'written';
      });
      await hasBegun;
      const closing = set.close();
      await rejection(
        set.read(db => subject.get(db, 'a')),
        ReplicaSetClosedError,
      );
      finish();
      equal(await running, 'written', 'the call that ran');
      await closing;
      await set.close();
      equal(set.snapshot().state, 'closed', 'the state');
    },
    'a snapshot is JSON': async subject => {
      const set = await subject.connect({ name: 'orders' });
      const text = JSON.stringify(set.snapshot());
      equal(JSON.parse(text).name, 'orders', 'its name');
      equal(JSON.parse(text).servers.length, subject.ids.length, 'its servers');
    },
  };
}
