import type { LinkErrors } from '@ashlar/store/redis-connection';
import { QueueClosedError, QueueTimeoutError, QueueUnavailableError } from '../errors.ts';

/** The errors of this package for what a connection to Redis reports. */
export function redisErrors(driver: string): LinkErrors {
  const unavailable: LinkErrors['unavailable'] = (message, outcome, cause) =>
    new QueueUnavailableError(message, outcome, { cause });
  return {
    timedOut: (command, timeoutMs, outcome) => new QueueTimeoutError(command, timeoutMs, outcome),
    unavailable,
    refused: unavailable,
    closed: outcome => new QueueClosedError(driver, outcome),
  };
}
