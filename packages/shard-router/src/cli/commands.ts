import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type Command, type Flags, type GivenFlags, Screen, UsageError } from '@workspace/program';
import type { MoveMessage } from '../diagnostics.ts';
import type { Moving } from '../map/moving.ts';
import type { Mover } from '../moves/mover.ts';
import type { MoveRequest } from '../moves/planner.ts';
import type { MoveRun } from '../moves/running/move-run.ts';
import { eventText, extendedText, followingText, moveRows, planRows, shardRows } from './lines.ts';
import { drift, migrate } from './migrating.ts';
import { linesOf, print, printJson } from './print.ts';
import { configFlag, idFlag, idOf, keyIn, requestFlags, requestOf, withKey, withMover } from './target.ts';

const json: Flags = { json: { help: 'print JSON' } };
const codes =
  'Exit codes: 0 done, 1 failed on the way, 2 the command line cannot be used, 130 stopped by Ctrl-C.';

export const overview: string = `Moves slots of @ashlar/shard-router between shards, while they are read and written.

  npx @ashlar/shard-router COMMAND --config FILE [--json]

  plan      which slots would move, what that costs, and what stands in the way
  move      moves them; with --id, goes on with a move
  watch     works on all moves, whoever begins them, and finishes them in the end
  status    which shard has which slots, which moves there are, and what earlier ones have left
  verify    compares the rows of source and target of a move
  rollback  brings a move back that is committed, with what was written since
  finish    ends the time for rolling back, and deletes the rows at the old shard
  abort     undoes a move that is not committed
  forget    takes a key out of the directory whose shard has no rows of it
  fence     closes the fences of what shards have lost at tables that were made since
  purge     deletes the rows of a key that forget has left at a shard
  migrate   runs migrations of the schema on all shards
  drift     says where the schemas of the shards differ

COMMAND --help shows its flags. ${codes}
`;

const keyFlag: Flags = { key: { value: 'KEY', help: 'the key; of several columns a JSON list of texts' } };

/** Each command, given the signal of Ctrl-C. */
export const commands: Readonly<Record<string, (signal: AbortSignal) => Command>> = {
  plan: () => ({
    name: 'plan',
    about:
      'Says which slots would move. Changes nothing. The exit code is 1 when something stands in the way.',
    flags: { ...configFlag, ...requestFlags, ...json },
    notes: codes,
    run: given => {
      const request = requestOf(given);
      return withMover(given, async mover => {
        const plans = await mover.plan(withKey(request, (await mover.map()).key));
        const obstacles = plans.flatMap(plan => plan.obstacles);
        if (given.has('json')) printJson(plans);
        else {
          print(plans.length === 0 ? 'nothing to move' : planRows(plans));
          for (const { words } of plans.flatMap(plan => plan.warnings)) print(`note: ${words}`);
          for (const { words } of obstacles) print(`in the way: ${words}`);
        }
        return obstacles.length === 0 ? 0 : 1;
      });
    },
  }),
  move: signal => ({
    name: 'move',
    about:
      'Moves slots, one move after another. Stopped with Ctrl-C, it leaves nothing locked: `move --id ID` goes on.\n' +
      'The rows stay at the old shard, so that `rollback` can bring the move back, until `finish`.',
    flags: { ...configFlag, ...requestFlags, ...idFlag, ...json },
    notes: codes,
    run: given => {
      const request = given.has('id') ? undefined : requestOf(given);
      return withMover(given, async mover => {
        const ids = request === undefined ? [idOf(given)] : await begun(mover, request);
        const moved: (Moving | undefined)[] = [];
        for (const id of ids) moved.push(await told(mover.run(id, { signal }), given));
        return done(given, moved);
      });
    },
  }),
  watch: signal => ({
    name: 'watch',
    about:
      'Works on all moves that nobody works on until it is stopped with Ctrl-C: goes on where a process has died, and finishes\n' +
      'committed moves after the `finishAfterMs` of the Mover. Run it in two places, and moves need nobody who looks after them.',
    flags: { ...configFlag, ...json },
    notes: codes,
    run: given =>
      withMover(given, async mover => {
        const tell = (message: unknown) => {
          const { router, ...event } = message as MoveMessage;
          if (router !== mover.name) return;
          print(given.has('json') ? JSON.stringify(event) : `${event.move} ${eventText(event)}`);
        };
        subscribe('ashlar:shard-router:move', tell);
        try {
          await mover.watch({ signal });
        } finally {
          unsubscribe('ashlar:shard-router:move', tell);
        }
        return 0;
      }),
  }),
  status: () => ({
    name: 'status',
    about:
      'Shows the map, its moves, and what earlier ones have left at the shards. The exit code is 1 when something is left.',
    flags: { ...configFlag, ...json },
    notes: codes,
    run: given =>
      withMover(given, async mover => {
        const status = await mover.status();
        const { map, leaks, following } = status;
        const left = Object.entries(leaks).flatMap(([shard, all]) =>
          all.map(leak => `left at ${shard}: ${leak}`),
        );
        if (given.has('json')) printJson(status);
        else {
          print(shardRows(map));
          if (map.moves.length > 0) print(['', ...linesOf(moveRows(map.moves))].join('\n'));
          for (const [id, found] of Object.entries(following)) print(`${id}: ${followingText(found)}`);
          for (const leak of left) print(leak);
        }
        return left.length === 0 ? 0 : 1;
      }),
  }),
  verify: signal => ({
    name: 'verify',
    about:
      'Compares the rows of source and target of a move that is ready or committed. The exit code is 1 when they differ.',
    flags: { ...configFlag, ...idFlag, ...json },
    notes: codes,
    run: given => {
      const id = idOf(given);
      return withMover(given, async mover => {
        const { rows, differences } = await mover.verify(id, { signal });
        if (given.has('json')) printJson({ rows, differences });
        else if (differences.length === 0) print(`${rows} rows, no difference`);
        for (const { table, missing, extra, different } of given.has('json') ? [] : differences) {
          print(
            `${table}: ${missing.length} missing, ${extra.length} too many, ${different.length} different`,
          );
        }
        return differences.length === 0 ? 0 : 1;
      });
    },
  }),
  rollback: signal =>
    ofMove(
      'rollback',
      'Brings back a move that is committed, with all that was written since.',
      async (mover, id) => [await mover.rollback(id, { signal })],
    ),
  finish: signal =>
    ofMove(
      'finish',
      'Deletes the rows of a committed move at the old shard; it cannot be rolled back then.',
      async (mover, id, given) => {
        await mover.finish(id, { signal, sourceLost: given.has('source-lost') });
        return [];
      },
      { 'source-lost': { help: 'without the old shard, which is lost for good, if it does not answer' } },
    ),
  forget: () => ({
    name: 'forget',
    about:
      'Takes the entry of a key out of the directory, so that it is refused. Its shard must have no rows of it, unless --keep-rows says that they\n' +
      'stay there until the key is placed on that shard again.',
    flags: {
      ...configFlag,
      ...keyFlag,
      'keep-rows': { help: 'leaves its rows where they are' },
      ...json,
    },
    notes: codes,
    run: given => {
      const key = needed(given, 'key');
      return withMover(given, async mover => {
        const rows = given.has('keep-rows') ? 'keep' : 'refuse';
        await mover.forget(keyIn(key, (await mover.map()).key), { rows });
        return done(given, []);
      });
    },
  }),
  fence: () => ({
    name: 'fence',
    about:
      'Closes the fences of what shards have lost also at tables that were made since, as after `migrate`. `watch` does so by itself.',
    flags: { ...configFlag, ...json },
    notes: codes,
    run: given =>
      withMover(given, async mover => {
        const extended = await mover.extendFences();
        return given.has('json') ? printJson(extended) : print(extendedText(extended));
      }),
  }),
  purge: () => ({
    name: 'purge',
    about:
      'Deletes the rows of a key at a shard that does not have it any more, where `forget --keep-rows` has left them. They cannot be brought back.',
    flags: {
      ...configFlag,
      ...keyFlag,
      shard: { value: 'SHARD', help: 'where the rows are' },
      ...json,
    },
    notes: codes,
    run: given => {
      const [key, shard] = [needed(given, 'key'), needed(given, 'shard')];
      return withMover(given, async mover => {
        const rows = await mover.purge(keyIn(key, (await mover.map()).key), shard);
        if (given.has('json')) return printJson({ rows });
        return print(`${rows} rows deleted`);
      });
    },
  }),
  migrate,
  drift,
  abort: signal =>
    ofMove(
      'abort',
      'Undoes a move that is not committed.',
      async (mover, id, given) => {
        await mover.abort(id, { signal, targetLost: given.has('target-lost') });
        return [];
      },
      { 'target-lost': { help: 'without the new shard, which is lost for good, if it does not answer' } },
    ),
};

function ofMove(
  name: string,
  about: string,
  work: (mover: Mover, id: string, given: GivenFlags) => Promise<readonly (Moving | undefined)[]>,
  more: Flags = {},
): Command {
  return {
    name,
    about,
    flags: { ...configFlag, ...idFlag, ...more, ...json },
    notes: codes,
    run: given => {
      const id = idOf(given);
      return withMover(given, async mover => done(given, await work(mover, id, given)));
    },
  };
}

/** @throws UsageError */
function needed(given: GivenFlags, flag: 'key' | 'shard'): string {
  const value = given.get(flag);
  if (value === undefined) throw new UsageError(`--${flag} is needed: --${flag} ${flag.toUpperCase()}`);
  return value;
}

async function begun(mover: Mover, request: MoveRequest): Promise<readonly string[]> {
  const moves = await mover.begin(withKey(request, (await mover.map()).key));
  return moves.map(({ id }) => id);
}

/** Tells what a run does on the standard error, until it has ended. */
async function told(run: MoveRun, given: GivenFlags): Promise<Moving | undefined> {
  const { TERM, NO_COLOR } = process.env;
  const screen = new Screen(process.stderr, { TERM, NO_COLOR });
  let step = '';
  for await (const event of run) {
    if (given.has('json')) continue;
    if (screen.live) screen.change(eventText(event));
    else if (event.step !== step || event.pauseMs !== undefined) screen.print(eventText(event));
    step = event.step;
  }
  if (screen.live) screen.change('');
  return run.done;
}

function done(given: GivenFlags, moved: readonly (Moving | undefined)[]): number {
  const moves = moved.filter(move => move !== undefined);
  if (given.has('json')) return printJson(moves);
  return print(moves.length === 0 ? 'done' : moveRows(moves));
}
