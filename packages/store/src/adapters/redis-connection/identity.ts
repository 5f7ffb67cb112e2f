import type { Client } from './client.ts';
import { isReply } from './replies.ts';

/** A connection as its server lists it: its number there, and both its addresses. */
export interface Identity {
  readonly id: string;
  readonly addr: string;
  readonly laddr: string;
}

/**
 * Ends a lost connection at its server, and learns how the server lists the new one. Otherwise a command that was sent on
 * the lost one, and waits in a kernel or a proxy, would be executed after those of the new one.
 *
 * By its addresses too: after a failover, another server may have given the number to somebody else. A server that knows
 * or allows none of this lists nothing, and ends nothing.
 */
export async function supersede(client: Client, lost: Identity | undefined): Promise<Identity | undefined> {
  const ending =
    lost && client.call('CLIENT', ['KILL', 'ID', lost.id, 'ADDR', lost.addr, 'LADDR', lost.laddr]);
  const [, listed] = await Promise.all([
    ending?.catch(unlessRefused),
    client.call('CLIENT', ['INFO']).catch(unlessRefused),
  ]);
  return identityIn(String(listed));
}

function identityIn(listed: string): Identity | undefined {
  const [, id, addr, laddr] = /^id=(\d+) addr=(\S+) laddr=(\S+) /.exec(listed) ?? [];
  return id === undefined ? undefined : { id, addr: addr!, laddr: laddr! };
}

function unlessRefused(error: unknown): void {
  if (!isReply(error)) throw error;
}
