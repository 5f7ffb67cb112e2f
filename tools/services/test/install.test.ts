import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../src/index.ts';
import { installScript } from '../src/programs/install.ts';
import { skippedFor } from '../src/tests/skip-reason.ts';

/**
 * The real script and the real `flock`, with an `apt-get` that notes how it was called, and what the policy says
 * at that time. It fails where it meets another that is still running.
 */
class Machine {
  readonly directory = temporaryDirectory('install');
  readonly policy = join(this.directory, 'policy-rc.d');
  readonly #calls = join(this.directory, 'calls');

  constructor({ exitCode = 0, hasLists = true }: { exitCode?: number; hasLists?: boolean } = {}) {
    if (hasLists) writeFileSync(join(this.directory, 'debian_main_binary_Packages.lz4'), '');
    writeFileSync(this.#calls, '');
    const aptGet = [
      '#!/bin/sh',
      `mkdir ${this.directory}/busy || exit 99`,
      `${this.policy} a-daemon start; policy=$?`,
      'sleep 0.05',
      `echo "$* | policy $policy" >>${this.#calls}`,
      `rmdir ${this.directory}/busy`,
      `exit ${exitCode}`,
    ];
    writeFileSync(join(this.directory, 'apt-get'), aptGet.join('\n'), { mode: 0o755 });
  }

  get calls(): string[] {
    const lines = readFileSync(this.#calls, 'utf8').trimEnd().split('\n');
    return lines.map(line => line.replace('-q -o DPkg::Lock::Timeout=600 ', ''));
  }

  async install(...packages: readonly string[]): Promise<{ code: number; errors: string }> {
    const places = [join(this.directory, 'lock'), this.policy, this.directory];
    const child = spawn('/bin/sh', ['-c', installScript, 'install', ...places, ...packages], {
      env: { PATH: `${this.directory}:${process.env['PATH']}` },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const [errors, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    return { code, errors };
  }
}

const noFlock = existsSync('/usr/bin/flock') ? undefined : 'there is no flock, which Debian has';
describe('the installation of packages', skippedFor(noFlock), () => {
  it('lets no package start its daemon, and leaves no policy behind', async () => {
    const machine = new Machine();
    expect(await machine.install('one', 'two')).toEqual({ code: 0, errors: '' });
    expect(machine.calls).toEqual(['install -y --no-install-recommends one two | policy 101']);
    expect(existsSync(machine.policy)).toBe(false);
  });

  it('leaves none behind either when apt-get fails, which it tries again with new lists', async () => {
    const machine = new Machine({ exitCode: 100 });
    expect((await machine.install('one')).code).toBe(100);
    expect(machine.calls).toEqual([
      'install -y --no-install-recommends one | policy 101',
      'update | policy 101',
    ]);
    expect(existsSync(machine.policy)).toBe(false);
  });

  it('fetches the lists first where there are none', async () => {
    const machine = new Machine({ hasLists: false });
    await machine.install('one');
    expect(machine.calls).toEqual([
      'update | policy 101',
      'install -y --no-install-recommends one | policy 101',
    ]);
  });

  it("keeps a policy of the machine's own that forbids the same", async () => {
    const machine = new Machine();
    writeFileSync(machine.policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    expect((await machine.install('one')).code).toBe(0);
    expect(readFileSync(machine.policy, 'utf8')).toBe('#!/bin/sh\nexit 101\n');
  });

  it('installs nothing where a policy lets daemons start', async () => {
    const machine = new Machine();
    writeFileSync(machine.policy, '#!/bin/sh\nexit 0\n', { mode: 0o755 });
    const { code, errors } = await machine.install('one');
    expect([code, errors]).toEqual([76, `${machine.policy} lets packages start daemons\n`]);
    expect(machine.calls).toEqual(['']);
  });

  it('runs one at a time', async () => {
    const machine = new Machine();
    const packages = ['one', 'two', 'three', 'four'];
    const results = await Promise.all(packages.map(name => machine.install(name)));
    expect(results.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    expect(machine.calls.length).toBe(4);
  });
});
