import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import { StallWatch } from '../../http/limits/stall-watch.ts';
import { sent } from '../../http/sent.ts';

export interface RelayLimits {
  /** How long both sides may be silent, in milliseconds. */
  readonly idleTimeoutMs: number | undefined;
  /** The same after the client has ended its side. */
  readonly endedTimeoutMs: number;
  readonly onIdle: (timeoutMs: number) => void;
}

/** Sends on the bytes of both sides until the endpoint ends. Rejects when its connection breaks. */
export async function relay(client: Duplex, endpoint: Duplex, limits: RelayLimits): Promise<void> {
  const { idleTimeoutMs, endedTimeoutMs, onIdle } = limits;
  let chunks = 0;
  const count = () => void chunks++;
  client.on('data', count);
  endpoint.on('data', count);
  const state = async (maxAgeMs: number) =>
    `${chunks} ${await sent(client as Socket, maxAgeMs)} ${await sent(endpoint as Socket, maxAgeMs)}`;
  const watches: StallWatch[] = [];
  const watch = (timeoutMs: number) => {
    const one = new StallWatch(timeoutMs, state, () => onIdle(timeoutMs));
    watches.push(one);
    one.start();
  };
  if (idleTimeoutMs !== undefined) watch(idleTimeoutMs);
  client.once('end', () => watch(endedTimeoutMs));
  try {
    endpoint.pipe(client, { end: false });
    client.pipe(endpoint);
    await finished(endpoint, { writable: false });
  } finally {
    for (const one of watches.splice(0)) one.end();
    endpoint.destroy();
  }
}

/** Ends a connection with these bytes. Breaks it when nothing is taken of them for so long. */
export function endWith(socket: Duplex, bytes: string, timeoutMs: number): void {
  const watch = new StallWatch(
    timeoutMs,
    maxAgeMs => sent(socket as Socket, maxAgeMs),
    () => socket.destroy(),
  );
  watch.start();
  socket.once('close', () => watch.end());
  socket.end(bytes, 'latin1', () => socket.destroy());
}
