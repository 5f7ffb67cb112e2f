import { NoPrimaryError, NoServerError, OutcomeUnknownError } from '../errors.ts';
import { Session } from '../session.ts';
import { equal, rejection, until } from './check.ts';
import type { Subject, Tests } from './subject.ts';

/** What becomes of calls when servers die, stand still and are promoted. */
export function failureTests<C>(): Tests<C> {
  return {
    'a dead replica fails no read': async subject => {
      const set = await subject.connect();
      await set.write(db => subject.put(db, 'a', '1'));
      await subject.kill(subject.ids[1]!);
      for (let attempt = 0; attempt < 20; attempt++) {
        await set.read(db => subject.get(db, 'a'), { consistency: 'eventual' });
      }
    },
    'with all replicas dead, the primary reads': async subject => {
      const set = await subject.connect();
      const session = new Session();
      await set.write(db => subject.put(db, 'a', '1'), { session });
      for (const id of subject.ids.slice(1)) await subject.kill(id);
      equal(
        await set.read(db => subject.get(db, 'a'), { consistency: 'eventual' }),
        '1',
        'the eventual read',
      );
      equal(await set.read(db => subject.get(db, 'a'), { session }), '1', 'the read of the session');
    },
    'a replica that stands still is passed over within a second': async subject => {
      const set = await subject.connect();
      await set.write(db => subject.put(db, 'a', '1'));
      const [, one] = subject.ids;
      await subject.stop(one!);
      try {
        await until(() => stateOf(set, one!) === 'down', `${one} is down`);
        for (let attempt = 0; attempt < 10; attempt++) {
          await set.read(db => subject.get(db, 'a'), { consistency: 'eventual', timeoutMs: 2_000 });
        }
      } finally {
        await subject.resume(one!);
      }
      await until(() => stateOf(set, one!) === 'up', `${one} is up again`);
    },
    'a read that a silent replica has begun goes on elsewhere when that is noticed': async subject => {
      const set = await subject.connect();
      const session = new Session();
      await set.write(db => subject.put(db, 'a', '1'), { session });
      for (const id of subject.ids.slice(1)) await reaches(subject, set, session, id);
      const stopped: string[] = [];
      let runs = 0;
      try {
        const reading = set.read(
          async db => {
            runs++;
            if (stopped.length === 0) {
              for (const id of subject.ids.slice(1)) {
                await subject.stop(id);
                stopped.push(id);
              }
            }
            return subject.get(db, 'a');
          },
          { session },
        );
        equal(await reading, '1', 'the read');
        equal(runs > 1, true, 'it ran again');
      } finally {
        for (const id of stopped) await subject.resume(id);
      }
    },
    'without a primary, a write waits as long as it may and was not executed': async subject => {
      const set = await subject.connect();
      await subject.kill(subject.ids[0]!);
      const error = await rejection(
        set.write(db => subject.put(db, 'a', '1'), { timeoutMs: 1_000 }),
        NoPrimaryError,
      );
      equal(error.outcome, 'NotExecuted', 'the outcome');
    },
    'writes go on with the one that was promoted, and see what was acknowledged': async subject => {
      const set = await subject.connect();
      const session = new Session();
      await set.write(db => subject.put(db, 'a', '1'), { session });
      const [primary, next] = subject.ids;
      await reaches(subject, set, session, next!);
      await subject.kill(primary!);
      const write = () => set.write(db => subject.put(db, 'b', '2'), { session });
      // What the dying primary was given may have been executed there
      const writing = write().catch(error => {
        if (!(error instanceof OutcomeUnknownError)) throw error;
        return write();
      });
      await subject.promote(next!);
      await writing;
      equal(await set.read(db => subject.get(db, 'a'), { session }), '1', 'what was written before');
      equal(await set.read(db => subject.get(db, 'b'), { session }), '2', 'what was written after');
      equal(set.snapshot().primary, next, 'the primary');
    },
    'a primary of an earlier term that comes back gets no work': async subject => {
      const set = await subject.connect();
      const session = new Session();
      await set.write(db => subject.put(db, 'a', '1'), { session });
      const [primary, next] = subject.ids;
      await reaches(subject, set, session, next!);
      await subject.kill(primary!);
      await subject.promote(next!);
      await set.write(db => subject.put(db, 'b', '2'), { session });
      await subject.start(primary!);
      await until(() => stateOf(set, primary!) === 'up', 'the earlier primary is seen');
      for (let attempt = 0; attempt < 10; attempt++) {
        equal(
          await set.read(db => subject.get(db, 'b'), { consistency: 'nearest' }),
          '2',
          'the nearest read',
        );
        equal(await set.read(db => subject.get(db, 'b')), '2', 'the read of the primary');
      }
      equal(set.snapshot().primary, next, 'the primary');
    },
    'a session that knows a later term is not read on the primary of before': async subject => {
      const set = await subject.connect();
      await set.write(db => subject.put(db, 'a', '1'));
      const session = new Session();
      session.advance(set.name, { term: 1_000, offset: 1n });
      const reading = set.read(db => subject.get(db, 'a'), { session, timeoutMs: 500 });
      const error = await rejection(reading, NoServerError);
      equal(error.outcome, 'NotExecuted', 'the outcome');
    },
    'a transaction whose primary dies before its commit runs again on the next': async subject => {
      const set = await subject.connect();
      const session = new Session();
      await set.write(db => subject.put(db, 'a', '1'), { session });
      const [primary, next] = subject.ids;
      await reaches(subject, set, session, next!);
      let runs = 0;
      await set.transaction(async db => {
        runs++;
        await subject.put(db, 'b', String(runs));
        if (runs > 1) return;
        await subject.kill(primary!);
        await subject.promote(next!);
        await subject.get(db, 'a');
      });
      equal(await set.read(db => subject.get(db, 'b')), '2', 'the value of the second run');
      equal(runs, 2, 'the runs');
    },
    'a write whose answer is lost is Unknown, and is not repeated': async subject => {
      const set = await subject.connect();
      const [primary] = subject.ids;
      let runs = 0;
      const writing = set.write(async db => {
        runs++;
        await subject.put(db, 'a', '1');
        await subject.kill(primary!);
        await subject.put(db, 'a', '2');
      });
      const error = await rejection(writing, OutcomeUnknownError);
      equal(error.outcome, 'Unknown', 'the outcome');
      equal(runs, 1, 'the runs');
    },
    'a connection in use ends when the set learns of another primary': async subject => {
      const set = await subject.connect();
      const session = new Session();
      await set.write(db => subject.put(db, 'a', '1'), { session });
      const [primary, next] = subject.ids;
      await reaches(subject, set, session, next!);
      let first: string | undefined;
      await set.transaction(async db => {
        await subject.put(db, 'b', '1');
        if (first !== undefined) return;
        first = set.snapshot().primary;
        // The earlier primary lives, and would take the commit
        await subject.promote(next!);
        await until(() => set.snapshot().primary === next, 'the set knows the new primary');
        await subject.get(db, 'b');
      });
      equal(first, primary, 'the first primary');
      equal(await set.read(db => subject.get(db, 'b')), '1', 'the value on the new primary');
    },
  };
}

interface Seen {
  snapshot(): { readonly servers: readonly { readonly id: string; readonly state: string }[] };
}

function stateOf(set: Seen, id: string): string | undefined {
  return set.snapshot().servers.find(each => each.id === id)?.state;
}

/** Waits until the replica has what the session has seen. */
async function reaches<C>(
  _subject: Subject<C>,
  set: {
    readonly name: string;
    snapshot(): {
      readonly servers: readonly {
        readonly id: string;
        readonly position: { readonly offset: string } | undefined;
      }[];
    };
  },
  session: Session,
  id: string,
): Promise<void> {
  const position = session.position(set.name);
  if (typeof position !== 'object') return;
  await until(() => {
    const server = set.snapshot().servers.find(each => each.id === id);
    return BigInt(server?.position?.offset ?? -1) >= position.offset;
  }, `${id} has what the session wrote`);
}
