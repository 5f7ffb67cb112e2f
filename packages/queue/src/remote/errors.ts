import { InvalidOptionError } from '@ashlar/core';
import { outcomeOf } from '../driver.ts';
import {
  DeliveryLostError,
  GroupGoneError,
  QueueClosedError,
  QueueFullError,
  QueueUnavailableError,
  UnroutedError,
  UnsafeBackendError,
  UnsupportedError,
} from '../errors.ts';
import type { WireError } from './protocol.ts';

export function toWire(error: unknown): WireError {
  const message = error instanceof Error ? error.message : String(error);
  const code = String((error as { readonly code?: unknown } | null)?.code ?? '');
  return { code, message, facts: factsOf(error), outcome: outcomeOf(error) };
}

function factsOf(error: unknown): readonly unknown[] {
  if (error instanceof DeliveryLostError) return [error.id];
  if (error instanceof GroupGoneError) return [error.topic, error.group];
  if (error instanceof QueueFullError) return [error.topic, error.group, error.max];
  if (error instanceof UnroutedError) return [error.topic];
  if (error instanceof UnsupportedError) return [error.feature, error.driver, 'what'];
  if (error instanceof InvalidOptionError) return [error.option];
  return [];
}

/** @param server what the errors of the way call the other side */
export function fromWire(
  { code, message, facts = [], outcome = 'Unknown' }: WireError,
  server: string,
): Error {
  const [a, b, c] = facts as [string, string, number];
  switch (code) {
    case DeliveryLostError.code:
      return new DeliveryLostError(a);
    case GroupGoneError.code:
      return new GroupGoneError(a, b);
    case QueueFullError.code:
      return new QueueFullError(a, b, c);
    case UnroutedError.code:
      return new UnroutedError(a);
    case UnsupportedError.code:
      return new UnsupportedError(a, b, String(c));
    case InvalidOptionError.code:
      return new InvalidOptionError(a, message);
    case UnsafeBackendError.code:
      return new UnsafeBackendError(message);
    case QueueClosedError.code:
      return new QueueClosedError(server, outcome);
    default:
      return new QueueUnavailableError(`${server}: ${message}`, outcome);
  }
}
