import { skippedFor, type TestChoice } from './skip-reason.ts';

/** The folder of the programs of a second version of PostgreSQL, which no package of a system brings beside the first. */
export const otherPostgres: string | undefined = process.env['ASHLAR_POSTGRES_BIN_2'] || undefined;

/** Options of a suite or test that needs it. */
export const withOtherPostgres: TestChoice = skippedFor(
  otherPostgres === undefined
    ? 'ASHLAR_POSTGRES_BIN_2 does not name the folder of `postgres` and `initdb` of another version'
    : undefined,
);

/** The folder of `redis-server` of a second version, or of Valkey under that name. */
export const otherRedis: string | undefined = process.env['ASHLAR_REDIS_BIN_2'] || undefined;

/** Options of a suite or test that needs it. */
export const withOtherRedis: TestChoice = skippedFor(
  otherRedis === undefined
    ? 'ASHLAR_REDIS_BIN_2 does not name the folder of `redis-server` of another version'
    : undefined,
);
