import type { Driver } from '../driver.ts';
import { UnsupportedError } from '../errors.ts';

type Optional = 'find' | 'cancel' | 'pause' | 'resume' | 'stats' | 'inspect' | 'redrive' | 'purge';

/**
 * A method that not every driver has.
 *
 * @param feature what the caller has asked for
 * @throws UnsupportedError
 */
export function methodOf<M extends Optional>(
  driver: Driver,
  method: M,
  needs: string,
  feature: string = method,
): NonNullable<Driver[M]> {
  const found = driver[method];
  if (found === undefined) throw new UnsupportedError(feature, driver.kind ?? 'custom', needs);
  return found.bind(driver) as NonNullable<Driver[M]>;
}
