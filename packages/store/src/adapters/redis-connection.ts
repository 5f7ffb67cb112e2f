/** What an adapter for Redis is built of, here and in other packages: a connection of its own that fails in time. */
export type { Argument, Client, RedisLike } from './redis/client.ts';
export { clientLike } from './redis/client.ts';
export { Commands } from './redis/commands.ts';
export { Link, type LinkOptions } from './redis/link.ts';
export { type Script, script } from './redis/script.ts';
