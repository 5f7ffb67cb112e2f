import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import { until } from '../until.ts';

const program = fileURLToPath(new URL('./deaf.mjs', import.meta.url));

/** A port whose queue of connections is full: to connect to it neither fails nor ends. */
export async function deafUrl(): Promise<string> {
  const child = fork(program);
  onTestFinished(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  const [port] = (await once(child, 'message')) as [number];
  child.kill('SIGSTOP');
  let connected = 0;
  const sockets = Array.from({ length: 8 }, () =>
    connect(port, '127.0.0.1', () => connected++).on('error', () => {}),
  );
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  // Linux queues one more than it was told
  await until(() => expect(connected).toBe(2));
  return `http://127.0.0.1:${port}`;
}
