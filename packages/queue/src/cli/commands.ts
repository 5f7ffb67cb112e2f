import { alignedTable, type Command, type Flags, printable, UsageError } from '@workspace/program';
import { UnsupportedError } from '../errors.ts';
import type { DeadLetterBox } from '../operating/dead-letter-box.ts';
import { letterJson, letterLine } from './letters.ts';
import { isChosen, Sweep, selectionFlags, selectionOf } from './sweep.ts';
import { targetFlags, withTarget } from './target.ts';

const json: Flags = { json: { help: 'print JSON' } };
const codes =
  'Exit codes: 0 done, 1 failed on the way, 2 the command line cannot be used, 130 stopped by Ctrl-C.';

export const overview: string = `Looks at the queues of @ashlar/queue, and mends them.

  npx @ashlar/queue COMMAND --config FILE --topic NAME [--group NAME] [--json]
  npx @ashlar/queue COMMAND --url redis://localhost:6379 --topic NAME [--group NAME] [--json]

  stats     how many messages wait, are held back, are in hands, and dead
  dead      lists the dead letters, oldest first
  redrive   sends dead letters to their group again, with new budgets
  purge     deletes dead letters
  pause     stops handing out messages of the group, in every process
  resume    hands them out again

COMMAND --help shows its flags. ${codes}
`;

/** Each command, given the signal of Ctrl-C. */
export const commands: Readonly<Record<string, (signal: AbortSignal) => Command>> = {
  stats: () => ({
    name: 'stats',
    about: 'Counts the messages of a group.',
    flags: { ...targetFlags, ...json },
    notes: codes,
    run: given =>
      withTarget(given, async ({ queue, topic, group }) => {
        const { waiting, delayed = null, active = null, dead, consumers } = await queue.stats(topic, group);
        const counts = { waiting, delayed, active, dead, ...(consumers !== undefined && { consumers }) };
        if (given.has('json')) return printJson({ topic, group, ...counts });
        const row = [topic, group, ...Object.values(counts).map(count => String(count ?? '?'))];
        return print(alignedTable([['topic', 'group', ...Object.keys(counts)], row]));
      }),
  }),
  dead: signal => ({
    name: 'dead',
    about: 'Lists dead letters, oldest first.',
    flags: {
      ...targetFlags,
      ...selectionFlags,
      json: { help: 'print one JSON object a line, with payload and headers' },
    },
    notes: codes,
    run: given =>
      withTarget(given, async ({ queue, topic, group }) => {
        const selection = selectionOf(given);
        let shown = 0;
        for await (const letter of queue.dead(topic, group)) {
          if (signal.aborted || shown === selection.limit) break;
          if (!isChosen(letter, selection)) continue;
          print(given.has('json') ? JSON.stringify(letterJson(letter)) : letterLine(letter));
          shown++;
        }
        if (shown === 0 && !given.has('json')) print('no dead letters');
        return 0;
      }),
  }),
  redrive: signal => ({
    name: 'redrive',
    about:
      'Sends dead letters to their group again, oldest first, in chunks: those that there are when it begins, so one that\n' +
      'dies again is not sent twice. Stopped with Ctrl-C, it ends after its chunk; the same command goes on with the rest.',
    flags: {
      ...targetFlags,
      ...selectionFlags,
      chunk: { value: 'COUNT', help: 'how many at a time (default 100)' },
      ...json,
    },
    notes: codes,
    run: given => {
      const selection = selectionOf(given);
      const chunk = given.integer('chunk', 100, [1, 10_000]);
      return withTarget(given, async target => {
        const sweep = new Sweep(target, selection, 'redrive', chunk);
        const done = await sweep.run(signal);
        const left = await countOf(target.queue.dead(target.topic, target.group));
        if (given.has('json')) printJson({ redriven: done, dead: left, stopped: signal.aborted });
        else print(`${done} redriven, ${left} dead letters left${signal.aborted ? '; stopped' : ''}`);
        return 0;
      });
    },
  }),
  purge: signal => ({
    name: 'purge',
    about: 'Deletes dead letters for good, oldest first, in chunks.',
    flags: {
      ...targetFlags,
      ...selectionFlags,
      chunk: { value: 'COUNT', help: 'how many at a time (default 100)' },
      yes: { help: 'needed, as nothing brings them back' },
      ...json,
    },
    notes: codes,
    run: given => {
      const selection = selectionOf(given);
      const chunk = given.integer('chunk', 100, [1, 10_000]);
      return withTarget(given, async target => {
        const sweep = new Sweep(target, selection, 'purge', chunk);
        if (!given.has('yes')) {
          throw new UsageError(`purge would delete ${await sweep.count()} dead letters for good: add --yes`);
        }
        const done = await sweep.run(signal);
        if (given.has('json')) printJson({ purged: done, stopped: signal.aborted });
        else print(`${done} purged${signal.aborted ? '; stopped' : ''}`);
        return 0;
      });
    },
  }),
  pause: () => switching('pause', 'Stops handing out messages of a group, in every process, until `resume`.'),
  resume: () => switching('resume', 'Hands out the messages of a group again.'),
};

function switching(name: 'pause' | 'resume', about: string): Command {
  return {
    name,
    about,
    flags: { ...targetFlags, ...json },
    notes: codes,
    run: given =>
      withTarget(given, async ({ queue, topic, group }) => {
        await queue[name](topic, group);
        const paused = name === 'pause';
        if (given.has('json')) return printJson({ topic, group, paused });
        return print(`${topic}, group ${group}: ${paused ? 'paused' : 'resumed'}`);
      }),
  };
}

/** Of a driver without `stats`, by walking over them. */
async function countOf(box: DeadLetterBox): Promise<number> {
  try {
    return await box.count();
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
  }
  let count = 0;
  for await (const _ of box) count++;
  return count;
}

function print(text: string): number {
  process.stdout.write(`${printable(text)}\n`);
  return 0;
}

function printJson(value: object): number {
  process.stdout.write(`${JSON.stringify(value)}\n`);
  return 0;
}
