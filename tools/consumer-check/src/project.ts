import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { npm, type Ran, run } from './run.ts';

/** A program that only loads something has ended long before this, unless what it loaded keeps it alive. */
const loadingMs = 30_000;

/** An empty project outside the workspace, deleted when it is disposed of. */
export class Project implements AsyncDisposable {
  readonly folder: string;
  readonly signal: AbortSignal;

  private constructor(folder: string, signal: AbortSignal) {
    this.folder = folder;
    this.signal = signal;
  }

  static async create(signal: AbortSignal): Promise<Project> {
    const project = new Project(await mkdtemp(join(tmpdir(), 'ashlar-consumer-')), signal);
    await project.write(
      'package.json',
      JSON.stringify({ name: 'consumer', private: true, version: '1.0.0' }),
    );
    return project;
  }

  async write(file: string, text: string): Promise<void> {
    await writeFile(join(this.folder, file), text);
  }

  async install(specifiers: readonly string[]): Promise<void> {
    const options = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
    await npm(['install', ...options, ...specifiers], { cwd: this.folder, signal: this.signal });
  }

  /** Runs Node in the project; a program that takes longer is stopped. */
  node(args: readonly string[], timeoutMs: number = loadingMs): Promise<Ran> {
    return run(process.execPath, args, { cwd: this.folder, signal: this.signal, timeoutMs });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
