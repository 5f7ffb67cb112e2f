import { backgroundClock } from '@ashlar/core';
import { LocalDriver } from '../../../memory/local-driver.ts';
import type { MemoryDriverOptions } from '../../../memory/options.ts';
import { Log, type LogSettings } from './log.ts';

/** The state machine of a broker. */
export interface BrokerState extends AsyncDisposable {
  readonly driver: LocalDriver;
  /** Bytes behind the last whole record of the log when it was opened. */
  readonly tornBytes: number;
}

/** With what the log has kept, and kept from now on; without a log, in memory alone. @throws UnsafeBackendError */
export async function openState(
  options: Required<Omit<MemoryDriverOptions, 'clone' | 'clock'>>,
  logSettings: LogSettings | undefined,
): Promise<BrokerState> {
  const log = logSettings && (await Log.open(logSettings));
  // Bodies are parts of packets, which would stay in memory as long as one of theirs
  const driver = new LocalDriver({ ...options, clone: true, clock: backgroundClock }, log?.journal);
  if (log !== undefined) {
    driver.restore(log.recovered.saved);
    log.follow(driver);
  }
  return {
    driver,
    tornBytes: log?.recovered.tornBytes ?? 0,
    async [Symbol.asyncDispose]() {
      await driver[Symbol.asyncDispose]();
      await log?.close();
    },
  };
}
