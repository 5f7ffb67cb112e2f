import { startRedis } from '@workspace/services';
import { type Connected, connect } from '../test/fixtures/backends.ts';

export interface RedisPlace extends Connected {
  readonly url: string;
}

/** A Redis of its own, and a store on it. */
export async function redisPlace(): Promise<RedisPlace> {
  const server = await startRedis();
  const connected = connect({ kind: 'redis', url: server.url, place: 'bench' });
  return {
    url: server.url,
    store: connected.store,
    prepare: connected.prepare,
    async [Symbol.asyncDispose]() {
      await connected[Symbol.asyncDispose]();
      await server.stop();
    },
  };
}
