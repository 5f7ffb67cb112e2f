/**
 * What an adapter for Redis is built of, in this package and in others: connections of its own with the settings of the
 * user's client, whose calls all end in time and reject with the errors of the package that uses them.
 */
export type { Argument, Client, ClientOptions, RedisLike } from './redis-connection/client.ts';
export { clientLike, redisClient } from './redis-connection/client-like.ts';
export { Commands, type ScriptOptions } from './redis-connection/commands.ts';
export { type Call, Link, type LinkOptions } from './redis-connection/link.ts';
export { type LinkErrors, replyCode } from './redis-connection/replies.ts';
export { type Script, script } from './redis-connection/script.ts';
export { type ServerFacts, serverFacts } from './redis-connection/server-facts.ts';
