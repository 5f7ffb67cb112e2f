#!/usr/bin/env node
import { access, constants, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AshlarError } from '@ashlar/core';
import { TraceError } from '../trace/errors.ts';
import { printable } from '../trace/printable.ts';
import { Trace } from '../trace/trace.ts';
import { UsageError } from './errors.ts';
import { help, readOptions, type SimulateOptions } from './options.ts';
import { svg } from './output/svg.ts';
import { text } from './output/text.ts';
import { Progress } from './progress.ts';
import { simulate } from './simulate.ts';

// `cache-policies simulate FILE | head` closes the pipe when it has enough
process.stdout.on('error', () => process.exit());

// No handler for signals: until the end there is nothing to clean up, and a replay stops at once
try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) process.stdout.write(help);
  else await perform(options);
} catch (error) {
  process.exitCode = failed(error);
}

async function perform(options: SimulateOptions): Promise<void> {
  if (options.svg !== undefined) await checkWritable(options.svg);
  const trace = await Trace.open(options.file);
  const progress = new Progress(trace);
  const report = await simulate(options, trace, requests => progress.update(requests)).finally(() =>
    progress.end(),
  );
  if (options.svg !== undefined) await writeFile(options.svg, svg(report));
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : text(report));
}

/** Said before the replay, not after. */
async function checkWritable(file: string): Promise<void> {
  try {
    await access(dirname(file), constants.W_OK);
  } catch (error) {
    throw new UsageError(`--svg ${file}: its folder cannot be written to`, { cause: error });
  }
  const stats = await stat(file).catch(() => undefined);
  if (stats?.isDirectory() === true) throw new UsageError(`--svg ${file}: is a directory`);
}

function failed(error: unknown): number {
  const known = error instanceof AshlarError || (error instanceof Error && 'syscall' in error);
  console.error(known ? `cache-policies: ${printable(error.message)}` : error);
  return error instanceof UsageError || error instanceof TraceError ? 2 : 1;
}
