import { execFile } from 'node:child_process';
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../processes/temporary.ts';
import { providePath } from '../programs/provide.ts';

/** A wall clock for servers, which can be set. Their monotonic clock goes on undisturbed. */
export interface SteppedClock {
  /** For the environment of the servers that are to follow it. */
  readonly env: Readonly<Record<string, string>>;
  /** Sets it so far ahead of the machine's, or with a negative number behind it; at once for all of them. */
  set(aheadMs: number): void;
}

const source = fileURLToPath(new URL('../../native/stepped-clock.c', import.meta.url));

/** A clock that begins as the machine's. It needs a C compiler and Linux. @throws ServiceUnavailableError */
export async function steppedClock(): Promise<SteppedClock> {
  const compiler = await providePath('cc');
  const directory = temporaryDirectory('clock');
  const [library, file] = [join(directory, 'stepped-clock.so'), join(directory, 'ahead')];
  await promisify(execFile)(compiler, ['-shared', '-fPIC', '-O2', '-o', library, source]);
  writeFileSync(file, Buffer.alloc(8));
  return {
    env: { LD_PRELOAD: library, STEPPED_CLOCK: file },
    set(aheadMs) {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(BigInt(Math.round(aheadMs)) * 1_000_000n);
      const open = openSync(file, 'r+'); // in place, where the servers look
      writeSync(open, bytes, 0, 8, 0);
      closeSync(open);
    },
  };
}
