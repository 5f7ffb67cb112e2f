import type { Client } from '@ashlar/store/redis-connection';
import type { ChangeFeed } from '../../tiers/change-feed.ts';

/** How the server tells a session of changes, over a connection that does nothing else. */
export interface Subscription {
  /** Prepares a new connection. What the server refuses rejects as it says it. */
  listen(client: Client): Promise<void>;
  /** Makes the server tell the connection that is prepared, once per pair of connections, after both are there. */
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
