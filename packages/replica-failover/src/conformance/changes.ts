import { FailoverRefusedError } from '../errors.ts';
import type { ReplicaSet } from '../replica-set.ts';
import { equal, rejection, until } from './check.ts';
import type { Subject, Tests } from './subject.ts';

/** What becomes of calls when a set that leads changes the primary on purpose, or whose acknowledgments count. */
export function changeTests<C>(): Tests<C> {
  return {
    'a switchover fails no write, and loses none': async subject => {
      const sets = [await lead(subject), await lead(subject)];
      const [primary, next] = subject.ids;
      const counts = sets.map(() => 0);
      let isOver = false;
      const writers = sets.map(async (set, writer) => {
        while (!isOver) {
          const n = ++counts[writer]!;
          await set.write(db => subject.put(db, `${writer}`, `${n}`));
          await new Promise(resolve => setTimeout(resolve, 1));
        }
      });
      const more = (by: number) => {
        const goals = counts.map(count => count + by);
        return until(() => counts.every((count, writer) => count >= goals[writer]!), 'writes go on');
      };
      let isFailed = false;
      const writing = Promise.all(writers).catch(error => {
        isFailed = true;
        throw error;
      });
      writing.catch(() => {});
      await more(5);
      const report = await sets[0]!.switchover({ to: next! });
      equal(report.from, primary, 'the primary of before');
      equal(report.to, next, 'the primary');
      if (!isFailed) await more(5);
      isOver = true;
      await writing;
      for (const [writer, count] of counts.entries()) {
        equal(
          await sets[0]!.read(db => subject.get(db, `${writer}`)),
          `${count}`,
          `what writer ${writer} wrote last`,
        );
      }
      for (const set of sets) equal(set.snapshot().primary, next, 'the primary that the set knows');
    },
    'a switchover ends a transaction that takes too long, which runs again': async subject => {
      const set = await lead(subject);
      let runs = 0;
      let goOn = () => {};
      const slow = set.transaction(
        async db => {
          runs++;
          await subject.put(db, 'a', `${runs}`);
          if (runs > 1) return;
          await new Promise<void>(resolve => {
            goOn = resolve;
          });
          await subject.put(db, 'a', 'late');
        },
        { timeoutMs: 30_000 },
      );
      await until(() => runs === 1, 'the transaction runs');
      await set.switchover();
      goOn();
      await slow;
      equal(await set.read(db => subject.get(db, 'a')), '2', 'the value');
    },
    'a switchover to nobody who could changes nothing': async subject => {
      const set = await lead(subject);
      const [primary] = subject.ids;
      await rejection(set.switchover({ to: primary! }), FailoverRefusedError);
      await rejection(set.switchover({ to: 'a server that there is not' }), FailoverRefusedError);
      await set.write(db => subject.put(db, 'a', '1'));
      equal(set.snapshot().primary, primary, 'the primary');
    },
    'the last that must acknowledge is not removed; a member is, and added again': async subject => {
      const set = await lead(subject);
      const [, kept, ...others] = subject.ids;
      const removed = await set.changeMembers({ remove: others });
      equal(removed.members.length, 2, 'the members that are left');
      await rejection(set.changeMembers({ remove: [kept!] }), FailoverRefusedError);
      await set.write(db => subject.put(db, 'a', '1'));
      const added = await set.changeMembers({ add: others });
      equal(added.members.length, subject.ids.length, 'the members in the end');
      equal(added.term > removed.term, true, 'each change has a term of its own');
      await set.write(db => subject.put(db, 'a', '2'));
      equal(await set.read(db => subject.get(db, 'a')), '2', 'the value');
    },
    'writes that nobody must acknowledge any more go on, and that is recorded': async subject => {
      const set = await lead(subject);
      await set.write(db => subject.put(db, 'a', '1'));
      for (const id of subject.ids.slice(1)) await subject.kill(id);
      await set.changeMembers({ synchronous: 0 });
      await set.write(db => subject.put(db, 'a', '2'));
      equal(await set.read(db => subject.get(db, 'a')), '2', 'the value');
      equal(typeof set.snapshot().leading?.loss, 'string', 'the loss that is recorded');
    },
  };
}

function lead<C>(subject: Subject<C>): Promise<ReplicaSet<C>> {
  if (subject.lead === undefined) throw new Error('the subject must lead');
  return subject.lead();
}
