import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { type Command, ConfigError, type Flags, type GivenFlags, UsageError } from '@workspace/program';
import { print, printJson } from './print.ts';
import { configFlag, listIn, withConfig } from './target.ts';

/** What is used of `postgresMigrations`: the command line needs no client library. */
interface MigrationsLike {
  run(migrations: readonly object[], signal?: AbortSignal): Promise<readonly ReportOfShard[]>;
  pending(migrations: readonly object[]): Promise<Readonly<Record<string, readonly string[]>>>;
  drift(): Promise<readonly DriftLike[]>;
  close(): Promise<void>;
}

interface ReportOfShard {
  readonly shard: string;
  readonly state: string;
  readonly applied: readonly string[];
  readonly pending: readonly string[];
  readonly error?: unknown;
}

interface DriftLike {
  readonly table: string;
  readonly kind: string;
  readonly name: string;
  readonly shards: Readonly<Record<string, string | undefined>>;
}

const json: Flags = { json: { help: 'print JSON' } };
const notes = 'The file of --config exports what `postgresMigrations` returns, as `migrations`.';

export function migrate(signal: AbortSignal): Command {
  return {
    name: 'migrate',
    about:
      'Runs migrations on all shards, each once, in the order of their names. Stopped or failed, it goes on when it is run again.\n' +
      'A file is one migration, by its name. The exit code is 1 when a shard has failed.',
    flags: {
      ...configFlag,
      files: { value: 'LIST', help: 'the SQL files, as 0001-a.sql,0002-b.sql' },
      pending: { help: 'says what has not run where, and runs nothing' },
      ...json,
    },
    notes,
    run: async given => {
      const files = given.get('files');
      if (files === undefined) throw new UsageError('--files is needed: --files 0001-a.sql,0002-b.sql');
      const migrations = await Promise.all(
        listIn(files)
          .sort((a, b) => (basename(a) < basename(b) ? -1 : 1))
          .map(read),
      );
      return withMigrations(given, async all => {
        if (given.has('pending')) return told(given, await all.pending(migrations), pendingRows);
        try {
          return told(given, await all.run(migrations, signal), reportRows);
        } catch (error) {
          const { report } = error as { report?: readonly ReportOfShard[] };
          if (report === undefined) throw error;
          told(given, report, reportRows);
          return 1;
        }
      });
    },
  };
}

export function drift(): Command {
  return {
    name: 'drift',
    about: 'Says where the schemas of the shards differ. Changes nothing. The exit code is 1 when they do.',
    flags: { ...configFlag, ...json },
    notes,
    run: given =>
      withMigrations(given, async all => {
        const drifts = await all.drift();
        if (given.has('json')) printJson(drifts);
        else print(drifts.length === 0 ? 'no difference' : driftRows(drifts));
        return drifts.length === 0 ? 0 : 1;
      }),
  };
}

/** @throws UsageError when it cannot be read */
async function read(file: string): Promise<{ readonly name: string; readonly sql: string }> {
  try {
    return { name: basename(file).replace(/\.sql$/, ''), sql: await readFile(file, 'utf8') };
  } catch (error) {
    throw new UsageError(`--files: ${(error as Error).message}`);
  }
}

async function withMigrations<T>(given: GivenFlags, work: (all: MigrationsLike) => Promise<T>): Promise<T> {
  return withConfig(given, async (file, loaded) => {
    const all = (loaded['migrations'] ?? loaded['default']) as Partial<MigrationsLike> | null | undefined;
    const methods = ['run', 'pending', 'drift', 'close'] as const;
    if (!methods.every(method => typeof all?.[method] === 'function'))
      throw new ConfigError(`--config ${file} needs what postgresMigrations returns, as \`migrations\``);
    try {
      return await work(all as MigrationsLike);
    } finally {
      await all!.close!();
    }
  });
}

function told<T extends object>(given: GivenFlags, found: T, rows: (found: T) => string[][]): number {
  return given.has('json') ? printJson(found) : print(rows(found));
}

function reportRows(report: readonly ReportOfShard[]): string[][] {
  return [
    ['shard', 'state', 'run now', 'not run', ''],
    ...report.map(({ shard, state, applied, pending, error }) => [
      shard,
      state,
      applied.join(', '),
      pending.join(', '),
      error instanceof Error ? error.message : '',
    ]),
  ];
}

function pendingRows(pending: Readonly<Record<string, readonly string[]>>): string[][] {
  return [
    ['shard', 'not run'],
    ...Object.entries(pending).map(([shard, names]) => [shard, names.join(', ')]),
  ];
}

function driftRows(drifts: readonly DriftLike[]): string[][] {
  return drifts.flatMap(({ table, kind, name, shards }) => [
    [table, kind, name, ''],
    ...Object.entries(shards).map(([shard, has]) => ['', '', shard, has ?? 'missing']),
  ]);
}
