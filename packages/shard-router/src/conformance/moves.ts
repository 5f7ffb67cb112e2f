import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { MoveRefusedError, StaleMoveError } from '../errors/moves.ts';
import {
  backwards,
  context,
  filled,
  hasRows,
  leaksNothing,
  only,
  put,
  refuses,
  run,
  type Step,
  step,
  steps,
} from './steps.ts';
import type { MoveTests } from './subject.ts';

const signal = () => AbortSignal.timeout(60_000);

export const moveTests: MoveTests = {
  async 'a plan says what moves and changes nothing'(subject) {
    const { move } = subject;
    const rows = await filled(subject);
    const backend = subject.backend();
    const { obstacles, tables } = await backend.plan(move, signal());
    deepEqual(obstacles, []);
    ok(tables.length > 0 && tables.every(table => table.rows >= 0), 'no rows were estimated');
    await hasRows(subject, move.from, rows);
    await hasRows(subject, move.to, {});
    await leaksNothing(subject, backend);
  },

  async 'what is written before any step is where the rows are, and what is deleted is nowhere'(subject) {
    const { move, moved, others } = subject;
    const rows = await filled(subject);
    const backend = subject.backend();
    for (const [i, name] of steps.entries()) {
      if (steps.indexOf(name) <= steps.indexOf('fence')) {
        const [changed, gone, made] = moved.slice(3 * i) as [string, string, string];
        await put(subject, move.from, rows, changed, `before ${name}`);

        await put(subject, move.from, rows, gone, undefined);
        await subject.write(move.from, made, undefined);
        await put(subject, move.from, rows, made, `made before ${name}`);
      } else await refuses(subject, move.from, moved[3 * i]!);
      if (name !== 'prepare') await refuses(subject, move.to, moved[3 * i]!);
      await put(subject, move.from, rows, others[i]!, `before ${name}`);
      await step(backend, move, name);
    }
    await hasRows(subject, move.to, only(rows, moved));
    await put(subject, move.to, rows, moved[0]!, 'at the target');
    await backend.finish(move, context());
    await hasRows(subject, move.to, only(rows, moved));
    await hasRows(subject, move.from, only(rows, others));
    await refuses(subject, move.from, moved[0]!);
    await leaksNothing(subject, backend);
  },

  async 'every step can be done again, and by another process'(subject) {
    const { move, moved, others } = subject;
    const rows = await filled(subject);
    for (const [i, name] of steps.entries()) {
      await step(subject.backend(), move, name, BigInt(2 * i + 1));
      await step(subject.backend(), move, name, BigInt(2 * i + 2));
      if (name === 'copy') await put(subject, move.from, rows, moved[1]!, 'between');
    }
    await hasRows(subject, move.to, only(rows, moved));
    for (const token of [100n, 101n]) await subject.backend().finish(move, context(token));
    await hasRows(subject, move.from, only(rows, others));
    await leaksNothing(subject, subject.backend());
  },

  async 'an opened fence lets writes in, and they arrive'(subject) {
    const { move, moved } = subject;
    const rows = await filled(subject);
    const backend = subject.backend();
    await run(backend, move, { to: 'drain' });
    await refuses(subject, move.from, moved[0]!);
    await backend.unfence(move, context());
    await backend.unfence(move, context());
    await put(subject, move.from, rows, moved[0]!, 'after the fence');
    await put(subject, move.from, rows, moved[1]!, undefined);
    await run(backend, move, { from: 'lag', to: 'lag' });
    await run(backend, move, { from: 'fence' });
    await hasRows(subject, move.to, only(rows, moved));
  },

  async 'a move is undone from any step, and begins anew'(subject) {
    const { move, moved } = subject;
    const rows = await filled(subject);
    for (const [i, to] of steps.entries()) {
      const each = { ...move, id: `${move.id}${i}` };
      await run(subject.backend(), each, { to });
      await subject.backend().abort(each, context(2n));
      await subject.backend().abort(each, context(3n));
      await put(subject, move.from, rows, moved[0]!, `after ${to}`);
      await hasRows(subject, move.from, rows);
      await hasRows(subject, move.to, {});
      await leaksNothing(subject, subject.backend());
    }
    await run(subject.backend(), move);
    await hasRows(subject, move.to, only(rows, moved));
  },

  async 'a move is rolled back with what was written since, and again'(subject) {
    const { move, moved, others } = subject;
    const rows = await filled(subject);
    await run(subject.backend(), move);
    let [from, direction] = [move.to, backwards(move)];
    for (const round of ['first', 'second']) {
      await put(subject, from, rows, moved[0]!, `${round} change`);
      await put(subject, from, rows, moved[round === 'first' ? 1 : 2]!, undefined);
      await run(subject.backend(), direction, { from: 'lag' });
      deepEqual(only(await subject.rows(direction.to), moved), only(rows, moved));
      await refuses(subject, from, moved[0]!);
      [from, direction] = [direction.to, backwards(direction)];
    }
    await subject.backend().finish(move, context());
    await hasRows(subject, move.to, only(rows, moved));
    await hasRows(subject, move.from, only(rows, others));
    await leaksNothing(subject, subject.backend());
  },

  async 'rows go, come back by a move of its own, and go again'(subject) {
    const { move, moved, others } = subject;
    const rows = await filled(subject);
    let direction = move;
    for (const id of ['a', 'b', 'c']) {
      const each = { ...direction, id: move.id + id };
      const backend = subject.backend();
      await run(backend, each);
      await backend.finish(each, context());
      await refuses(subject, each.from, moved[0]!);
      await put(subject, each.to, rows, moved[0]!, `by ${id}`);
      deepEqual(only(await subject.rows(each.to), moved), only(rows, moved));
      direction = backwards(direction);
    }
    await hasRows(subject, move.from, only(rows, others));
    await leaksNothing(subject, subject.backend());
  },

  async 'a superseded worker changes nothing, at any step'(subject) {
    const { move, moved } = subject;
    const rows = await filled(subject);
    const late = subject.backend();
    const all: (Step | 'unfence' | 'abort' | 'finish')[] = [...steps, 'unfence', 'abort', 'finish'];
    await step(subject.backend(), move, 'prepare', 5n);
    for (const [i, name] of steps.entries()) {
      for (const other of all) {
        const isEnd = other === 'unfence' || other === 'abort' || other === 'finish';
        const stale = isEnd ? late[other](move, context(4n)) : step(late, move, other, 4n);
        await rejects(stale, StaleMoveError, `${other} after ${name}`);
      }
      const next = steps[i + 1];
      if (next !== undefined) await step(subject.backend(), move, next, 5n);
    }
    await hasRows(subject, move.to, only(rows, moved));
  },

  async 'who comes late to a move that was undone changes nothing'(subject) {
    const { move } = subject;
    const rows = await filled(subject);
    await run(subject.backend(), move, { to: 'verify' });
    await subject.backend().abort(move, context(2n));
    for (const name of steps)
      await rejects(step(subject.backend(), move, name, 1n), StaleMoveError, `${name} after the end`);
    await hasRows(subject, move.from, rows);
    await hasRows(subject, move.to, {});
  },

  async 'a shard refuses slots that are nobody’s, unless it has rows of them, until it is to have them again'(
    subject,
  ) {
    const { move, moved, others } = subject;
    const [key, other] = [moved[0]!, others[0]!];
    const nobodys = { ...move, to: move.from };
    const rows: Record<string, string> = {};
    const backend = subject.backend();
    ok(backend.retire !== undefined, 'it has no `retire`');
    const how = { withinMs: 2_000, keepsRows: false };
    await put(subject, move.from, rows, other, 'another');
    await put(subject, move.from, rows, key, 'first');
    equal((await backend.retire(nobodys, context(), how)).length, 1);
    await put(subject, move.from, rows, key, 'second');
    equal((await backend.retire(nobodys, context(), { ...how, keepsRows: true })).length, 1);
    await refuses(subject, move.from, key);
    await backend.admit!(nobodys, context());
    await put(subject, move.from, rows, key, undefined);
    for (const process of [backend, subject.backend()]) {
      deepEqual(await process.retire!({ ...nobodys, id: `${move.id}again` }, context(), how), []);
      await refuses(subject, move.from, key);
      await put(subject, move.from, rows, other, 'still');
    }
    await subject.backend().admit!(nobodys, context());
    await put(subject, move.from, rows, key, 'third');
    await hasRows(subject, move.from, rows);
    await leaksNothing(subject, backend);
  },

  async 'rows that a shard keeps and refuses are purged, unless it is to have them'(subject) {
    const { move, moved, others } = subject;
    const nobodys = { ...move, to: move.from };
    const rows: Record<string, string> = {};
    const backend = subject.backend();
    ok(backend.purge !== undefined, 'it has no `purge`');
    await put(subject, move.from, rows, others[0]!, 'another');
    for (const key of moved.slice(0, 3)) await put(subject, move.from, rows, key, 'left');
    await rejects(backend.purge(nobodys, context()), MoveRefusedError);
    await hasRows(subject, move.from, rows);
    await backend.retire!(nobodys, context(), { withinMs: 2_000, keepsRows: true });
    equal(await subject.backend().purge!(nobodys, context()), 3);
    await hasRows(subject, move.from, only(rows, others));
    await refuses(subject, move.from, moved[0]!);
    await put(subject, move.from, rows, others[0]!, 'still');
  },

  async 'who closed or opened slots that were nobody’s before another changes nothing'(subject) {
    const { move, moved } = subject;
    const nobodys = { ...move, to: move.from };
    const [backend, late] = [subject.backend(), subject.backend()];
    const how = { withinMs: 2_000, keepsRows: false };
    ok(backend.retire !== undefined, 'it has no `retire`');
    await backend.retire(nobodys, context(2n), how);
    await rejects(late.admit!(nobodys, context(1n)), StaleMoveError);
    await refuses(subject, move.from, moved[0]!);
    await backend.admit!(nobodys, context(3n));
    await rejects(late.retire!({ ...nobodys, id: `${move.id}late` }, context(2n), how), StaleMoveError);
    await put(subject, move.from, {}, moved[0]!, 'not refused');
  },

  async 'what differs at the target is found and named'(subject) {
    const { move, moved } = subject;
    await filled(subject);
    const backend = subject.backend();
    await subject.write(move.from, moved[2]!, undefined);
    await run(backend, move, { to: 'lag' });
    await subject.damage(move.to, moved[0]!, 'damaged');
    await subject.damage(move.to, moved[1]!, undefined);
    await subject.damage(move.to, moved[2]!, 'not at the source');
    const { differences } = await backend.verify(move, context());
    equal(differences.length, 1);
    const [{ missing, extra, different }] = differences as [(typeof differences)[number]];
    for (const [keys, key] of [
      [different, moved[0]],
      [missing, moved[1]],
      [extra, moved[2]],
    ] as const) {
      equal(keys.length, 1);
      ok(keys[0]!.includes(key!), `${keys[0]} is not ${key}`);
    }
  },
};
