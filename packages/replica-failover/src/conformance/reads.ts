import { Session } from '../session.ts';
import { withSession } from '../sessions/current-session.ts';
import { equal, until } from './check.ts';
import type { Tests } from './subject.ts';

/** What a read of each level sees. */
export function readTests<C>(): Tests<C> {
  return {
    'without a session and a level, the primary reads': async subject => {
      const set = await subject.connect();
      for (const id of subject.ids.slice(1)) await subject.pauseReplay(id);
      await set.write(db => subject.put(db, 'a', '1'));
      equal(await set.read(db => subject.get(db, 'a')), '1', 'the read');
    },
    'a session reads what it wrote, though every replica is behind': async subject => {
      const set = await subject.connect();
      for (const id of subject.ids.slice(1)) await subject.pauseReplay(id);
      const session = new Session();
      await set.write(db => subject.put(db, 'a', '1'), { session });
      equal(await set.read(db => subject.get(db, 'a'), { session }), '1', 'after a write');
      await set.transaction(db => subject.put(db, 'a', '2'), { session });
      equal(await set.read(db => subject.get(db, 'a'), { session }), '2', 'after a transaction');
    },
    'a session sees its transaction, though replicas have all before it': async subject => {
      const set = await subject.connect({ heartbeat: { intervalMs: 20 } });
      const [primary, ...replicas] = subject.ids;
      await set.write(db => subject.put(db, 'a', '1'));
      for (const id of replicas) {
        await until(() => hasReplayed(set.snapshot().servers, id, primary!), `${id} has the write`);
        await subject.pauseReplay(id);
      }
      const session = new Session();
      await set.transaction(db => subject.put(db, 'a', '2'), { session });
      equal(await set.read(db => subject.get(db, 'a'), { session }), '2', 'the read');
    },
    'a session goes with its text to another process': async subject => {
      const [one, other] = [await subject.connect(), await subject.connect()];
      for (const id of subject.ids.slice(1)) await subject.pauseReplay(id);
      const session = new Session();
      await one.write(db => subject.put(db, 'a', '1'), { session });
      const carried = new Session(session.serialize());
      equal(await other.read(db => subject.get(db, 'a'), { session: carried }), '1', 'the read elsewhere');
    },
    'reads after a write are of its session within withSession': async subject => {
      const set = await subject.connect();
      for (const id of subject.ids.slice(1)) await subject.pauseReplay(id);
      await withSession(async () => {
        await set.write(db => subject.put(db, 'a', '1'));
        equal(await set.read(db => subject.get(db, 'a')), '1', 'the read');
      });
    },
    'a session is read on a replica as soon as that has what it wrote': async subject => {
      const set = await subject.connect();
      const session = new Session();
      await set.write(db => subject.put(db, 'a', '1'), { session });
      const [primary, ...replicas] = subject.ids;
      await subject.stop(primary!);
      try {
        // The primary says nothing, so a replica must
        equal(await set.read(db => subject.get(db, 'a'), { session }), '1', 'the read');
        equal(replicas.length >= 2, true, 'the subject has two replicas');
      } finally {
        await subject.resume(primary!);
      }
    },
    'strong reads see every acknowledged write': async subject => {
      const [one, other] = [await subject.connect(), await subject.connect()];
      for (const id of subject.ids.slice(1)) await subject.pauseReplay(id);
      for (const value of ['1', '2', '3']) {
        await one.write(db => subject.put(db, 'a', value));
        const read = other.read(db => subject.get(db, 'a'), { consistency: 'strong' });
        equal(await read, value, 'the strong read');
      }
    },
    'eventual reads are served by a replica that is behind': async subject => {
      const set = await subject.connect();
      const session = new Session();
      await set.write(db => subject.put(db, 'a', '1'), { session });
      await until(
        async () => (await set.read(db => subject.get(db, 'a'), { consistency: 'eventual' })) === '1',
        'replicas have the first value',
      );
      for (const id of subject.ids.slice(1)) await subject.pauseReplay(id);
      // Each replica has the first value: a session that has seen it is served by any of them
      for (const id of subject.ids.slice(1)) {
        await until(async () => hasReplayed(set.snapshot().servers, id, subject.ids[0]!), `${id} has it`);
      }
      await set.write(db => subject.put(db, 'a', '2'));
      equal(
        await set.read(db => subject.get(db, 'a'), { consistency: 'eventual' }),
        '1',
        'the eventual read',
      );
    },
    'bounded staleness goes to the primary when replicas are too old': async subject => {
      const set = await subject.connect({ heartbeat: { intervalMs: 20 } });
      for (const id of subject.ids.slice(1)) await subject.pauseReplay(id);
      await set.write(db => subject.put(db, 'a', '1'));
      const bounded = () => set.read(db => subject.get(db, 'a'), { consistency: { maxStalenessMs: 100 } });
      await until(async () => (await bounded()) === '1', 'the bounded read sees the write');
      for (let attempt = 0; attempt < 5; attempt++) equal(await bounded(), '1', 'a later bounded read');
    },
    'an idle primary is no lag': async subject => {
      const set = await subject.connect({ heartbeat: { intervalMs: 20 } });
      const session = new Session();
      await set.write(db => subject.put(db, 'a', '1'), { session });
      await until(() => {
        const replicas = set.snapshot().servers.filter(({ role }) => role === 'replica');
        return replicas.every(({ stalenessMs }) => stalenessMs !== undefined && stalenessMs < 500);
      }, 'replicas are known to be fresh while nothing is written');
    },
    'monotonic reads never go back': async subject => {
      const set = await subject.connect();
      const session = new Session();
      const [, one] = subject.ids;
      await subject.pauseReplay(one!);
      let latest = 0;
      for (let value = 1; value <= 10; value++) {
        await set.write(db => subject.put(db, 'a', String(value)));
        const seen = await set.read(db => subject.get(db, 'a'), { session, consistency: 'monotonic' });
        equal(Number(seen ?? 0) >= latest, true, `a value of at least ${latest}, after it was seen`);
        latest = Number(seen ?? 0);
      }
    },
  };
}

interface Place {
  readonly id: string;
  readonly position: { readonly term: number; readonly offset: string } | undefined;
}

function hasReplayed(servers: readonly Place[], id: string, primary: string): boolean {
  const offset = (of: string) => BigInt(servers.find(each => each.id === of)?.position?.offset ?? -1);
  return offset(id) >= offset(primary);
}
