import { once } from 'node:events';
import { connect } from 'node:net';
import { Pool } from 'undici';
import { makeMixed, type Share } from './mix.ts';
import type { Order } from './sample.ts';

type Client = (port: number, pool: Pool) => Promise<unknown>;

/** Most go well, and each way in which one can go wrong has its part. */
const mix: readonly Share<Client>[] = [
  [86, 'GET', (_, pool) => get(pool, '/ok')],
  [6, 'POST', (_, pool) => get(pool, '/ok', Buffer.alloc(4_096))],
  [1, 'upstream breaks off half-way', (_, pool) => get(pool, '/truncated')],
  [1, 'upstream resets', (_, pool) => get(pool, '/reset')],
  [1, 'too long a head', (_, pool) => get(pool, '/long-head')],
  [1, 'client leaves in the middle of the response', port => raw(port, 'GET /large', '', 1)],
  [
    1,
    'client leaves in the middle of its body',
    port => raw(port, 'POST /ok', 'content-length: 9000\r\n', 0),
  ],
  [
    1,
    'client leaves in the middle of a long body',
    port => raw(port, 'POST /ok', 'content-length: 900000\r\n', 0),
  ],
  [1, 'client leaves while upstream is silent', port => raw(port, 'GET /silent', '', 0)],
  [1, 'upgrade', port => raw(port, 'GET /ok', 'connection: upgrade\r\nupgrade: echo\r\n', 1)],
];

/** A few that must be waited for, at the end of each part. */
const slow: readonly Client[] = [
  (_, pool) => get(pool, '/silent'),
  port => stalls(port, 9_000),
  port => stalls(port, 900_000),
];

/** Makes so many requests, then leaves nothing open. */
export async function makeRequests(port: number, order: Order): Promise<void> {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: order.concurrency });
  await makeMixed(mix, order, client => client(port, pool));
  await Promise.all(slow.flatMap(client => Array.from({ length: 20 }, () => client(port, pool))));
  await pool.destroy();
}

async function get(pool: Pool, path: string, body?: Buffer): Promise<void> {
  const request = body === undefined ? { method: 'GET' } : { method: 'POST', body };
  const response = await pool.request({ path, ...request });
  await response.body.dump();
}

/** Sends a head and the beginning of a body, if there is one, and leaves at the first answer or the next turn. */
async function raw(port: number, line: string, headers: string, answers: 0 | 1): Promise<void> {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  socket.write(`${line} HTTP/1.1\r\nhost: x\r\n${headers}\r\nbegun`);
  await once(socket, answers === 1 ? 'data' : 'connect');
  if (answers === 0) await new Promise(resolve => setImmediate(resolve));
  socket.destroy();
}

/** Stops in the middle of its body and waits for what it is told. */
async function stalls(port: number, length: number): Promise<void> {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  socket.write(`POST /ok HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n\r\nbegun`);
  socket.resume();
  await once(socket, 'close');
}
