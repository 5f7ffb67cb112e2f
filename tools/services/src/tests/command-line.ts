import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, onTestFinished } from 'vitest';
import { type Ended, ended } from '../processes/child.ts';

/** A command line as users have it, in a folder of its own. */
export interface CommandLine {
  /** Where it runs; removed after the tests of the file. */
  readonly folder: string;
  /** Writes a file there; returns its name. */
  file(name: string, content: string | Uint8Array): string;
  /** Killed when the test ends, unless it has ended. `flags` are for Node. @throws Error when it is not built */
  start(args: readonly string[], flags?: readonly string[]): ChildProcessWithoutNullStreams;
  /** Resolves when it has read the input and ended. */
  run(args: readonly string[], input?: string | Uint8Array): Promise<Ended>;
}

/** The built program of a package, for the tests of one file: `new URL('../../dist/cli/main.js', import.meta.url)`. */
export function commandLine(program: URL): CommandLine {
  const main = fileURLToPath(program);
  const folder = mkdtempSync(join(tmpdir(), 'command-line-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const start = (args: readonly string[], flags: readonly string[] = []) => {
    if (!existsSync(main)) throw new Error(`${main} is missing: \`npm run build\` makes it`);
    const child = spawn(process.execPath, [...flags, main, ...args], { cwd: folder });
    onTestFinished(() => void child.kill('SIGKILL'));
    // It may end before it was told everything
    child.stdin.on('error', () => {});
    return child;
  };
  return {
    folder,
    start,
    file(name, content) {
      writeFileSync(join(folder, name), content);
      return name;
    },
    run(args, input = '') {
      const child = start(args);
      child.stdin.end(input);
      return ended(child);
    },
  };
}
