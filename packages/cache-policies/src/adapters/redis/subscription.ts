import type { Client } from '@ashlar/store/redis-connection';
import type { ChangeFeed } from '../../tiers/change-feed.ts';

/** How a session receives changes, over a connection that does nothing else. */
export interface Subscription {
  /** Prepares a new connection. Rejects with the server's own error. */
  listen(client: Client): Promise<void>;
  /** Makes the server send changes to the prepared connection, once for each pair of connections, after both are open. */
  begin(): Promise<void>;
}

/** The scripts publish each change on this channel. */
export function publishedChanges(channel: string, feed: ChangeFeed): Subscription {
  return {
    async listen(client) {
      client.on('messageBuffer', (_, message) => void feed.receive(String(message)));
      await client.call('subscribe', [channel]);
    },
    async begin() {},
  };
}
