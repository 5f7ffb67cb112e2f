import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { eventually, exchange, freePorts, startServer, temporaryDirectory } from '../src/index.ts';
import { isAlive } from '../src/processes/processes.ts';
import { describeWith } from '../src/tests/vitest.ts';
import { closing, isPaused, soon } from './support.ts';

// Not Docker: a stand-in that understands the same commands and runs the program here. It shows what an engine is
// asked to do, and that a container has the same handle as a process.
describeWith({ own: 'redis' }, 'a program in a container', () => {
  it('runs on the same folder and port, and is paused, killed, restarted and removed', async () => {
    const notes = temporaryDirectory('docker');
    vi.stubEnv('FAKE_DOCKER', notes);
    vi.stubEnv('PATH', `${join(import.meta.dirname, 'fixtures')}:${process.env['PATH']}`);
    const directory = temporaryDirectory('contained');
    const [port] = (await freePorts(1)) as [number];
    const server = closing(
      await startServer({
        name: 'redis',
        program: { kind: 'docker', path: 'redis-server', image: 'redis:7' },
        directory,
        args: ['--port', String(port), '--save', '', '--appendonly', 'yes', '--appendfsync', 'always'],
        ready: () => exchange(port, 'PING\r\n', reply => reply === '+PONG\r\n'),
      }),
    );
    const name = /--name (\S+)/.exec(readFileSync(join(notes, 'calls'), 'utf8'))?.[1];
    expect(readFileSync(join(notes, 'calls'), 'utf8').split('\n')[0]).toBe(
      `run --detach --init --name ${name} --network host --user ${process.getuid?.()}:${process.getgid?.()}` +
        ` --volume ${directory}:${directory} --workdir ${directory} --entrypoint redis-server redis:7` +
        ` --port ${port} --save  --appendonly yes --appendfsync always`,
    );
    await exchange(port, 'SET a 1\r\n', reply => reply === '+OK\r\n');

    server.pause();
    await eventually(async () => expect(isPaused(server.pid)).toBe(true), soon);
    server.resume();
    const { pid } = server;
    await server.kill();
    expect(isAlive(pid)).toBe(false);
    expect(await server.log()).toContain('Ready to accept connections');
    await server.restart();
    await exchange(port, 'GET a\r\n', reply => reply === '$1\r\n1\r\n');
    const last = server.pid;
    await server.stop();
    expect(isAlive(last)).toBe(false);
  });
});
