import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

interface Ended {
  readonly end: number | string;
  readonly output: string;
  readonly errors: string;
}

/** A folder with the real bootstrap, without git, whose packages, build tool and program are the test's. */
export class Scratch {
  readonly root: string = mkdtempSync(join(tmpdir(), 'ashlar-bootstrap-'));

  constructor() {
    onTestFinished(() => rmSync(this.root, { recursive: true, force: true }));
    cpSync(join(import.meta.dirname, '..'), join(this.root, 'tools/bootstrap'), { recursive: true });
    this.write('package.json', { name: 'scratch', private: true, type: 'module' });
    this.lock({});
    this.installed({});
    this.turbo('');
    this.program('');
  }

  /** What package-lock.json asks for. */
  lock(packages: Record<string, object>): void {
    this.write('package-lock.json', { name: 'scratch', lockfileVersion: 3, packages });
  }

  /** What npm noted that it installed, with the folders that it made. */
  installed(packages: Record<string, object>): void {
    this.write('node_modules/.package-lock.json', { packages });
    for (const path of Object.keys(packages)) mkdirSync(join(this.root, path), { recursive: true });
  }

  turbo(source: string): void {
    this.write('node_modules/turbo/bin/turbo', source);
  }

  program(source: string, example = 'storefront'): void {
    this.write(`examples/${example}/dist/main.js`, source);
  }

  write(path: string, content: string | object): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), typeof content === 'string' ? content : JSON.stringify(content));
  }

  /** Runs the bootstrap to its end. */
  run(...args: readonly string[]): Promise<Ended> {
    return ended(this.start(...args));
  }

  /** Runs what `npm run build` and others run. */
  runTurbo(...args: readonly string[]): Promise<Ended> {
    return ended(this.#spawn('turbo.mjs', args));
  }

  /** Runs what `npm run with` runs. */
  runWith(...args: readonly string[]): Promise<Ended> {
    return ended(this.#spawn('with.mjs', args));
  }

  start(...args: readonly string[]): ChildProcessByStdio<null, Readable, Readable> {
    return this.#spawn('run.mjs', args);
  }

  /** Runs `npm start`, of which nothing is left when its output ends. */
  startByNpm(): ChildProcessByStdio<null, Readable, Readable> {
    // With a second command, so that no shell becomes the first one
    const start = 'node tools/bootstrap/run.mjs start && true';
    this.write('package.json', { name: 'scratch', private: true, type: 'module', scripts: { start } });
    // The group ends with the test, as the shell's program is nobody's child when the shell has ended
    const npm = this.#start('npm', ['start', '--silent'], { detached: true });
    onTestFinished(() => {
      try {
        process.kill(-(npm.pid ?? Number.NaN), 'SIGKILL');
      } catch {
        // Nothing is left
      }
    });
    return npm;
  }

  #spawn(program: string, args: readonly string[]): ChildProcessByStdio<null, Readable, Readable> {
    return this.#start(process.execPath, [join(this.root, 'tools/bootstrap', program), ...args]);
  }

  #start(
    command: string,
    args: readonly string[],
    options: { readonly detached?: boolean } = {},
  ): ChildProcessByStdio<null, Readable, Readable> {
    const { PATH, HOME } = process.env;
    const child = spawn(command, args, {
      ...options,
      cwd: this.root,
      env: { PATH, HOME, MINE: 'mine' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    return child;
  }
}

async function ended(child: ChildProcessByStdio<null, Readable, Readable>): Promise<Ended> {
  const [output, errors, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  return { end: signal ?? code, output, errors };
}
