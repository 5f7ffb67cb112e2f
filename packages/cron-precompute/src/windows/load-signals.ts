/** One load of many. */
export interface LoadSignal {
  readonly name: string;
  /** As a part of its limit, since it was read last; `null` when it could not be read. Never throws. */
  read(nowMs: number): number | null;
}

/** How busy this process's event loop is. The work's own part of it counts too, so that it leaves room. */
export function utilizationSignal(max: number): LoadSignal {
  let before = performance.eventLoopUtilization();
  return {
    name: 'eventLoop',
    read() {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, before);
      before = now;
      return utilization / max;
    },
  };
}

interface FileModule {
  readFileSync(path: string, encoding: 'utf8'): string;
}

type ReadFile = (path: string) => string;

const readFile: ReadFile = path => {
  const { process } = globalThis as { process?: { getBuiltinModule?(id: string): FileModule | undefined } };
  const file = process?.getBuiltinModule?.('node:fs');
  if (file === undefined) throw new Error('there are no files here');
  return file.readFileSync(path, 'utf8');
};

/** How much of the time something on this machine waited for it, from the counter of `some`, which is as new as the call. */
export function pressureSignal(what: 'cpu' | 'io', max: number, read: ReadFile = readFile): LoadSignal {
  let isThere = true;
  let before: { readonly us: number; readonly atMs: number } | undefined;
  return {
    name: `pressure.${what}`,
    read(nowMs) {
      if (!isThere) return 0;
      const us = totalOf(what, read);
      if (us === undefined) {
        // A machine that has it does not lose it
        if (before === undefined) isThere = false;
        return before === undefined ? 0 : null;
      }
      const last = before;
      before = { us, atMs: nowMs };
      if (last === undefined || nowMs <= last.atMs) return 0;
      return (us - last.us) / 1_000 / (nowMs - last.atMs) / max;
    },
  };
}

function totalOf(what: string, read: ReadFile): number | undefined {
  try {
    const [, total] = /^some .*total=(\d+)/m.exec(read(`/proc/pressure/${what}`)) ?? [];
    return total === undefined ? undefined : Number(total);
  } catch {
    return undefined;
  }
}

/** What the application says of itself. */
export function p99Signal(read: () => number | undefined, maxMs: number): LoadSignal {
  return {
    name: 'p99',
    read() {
      try {
        const ms = read();
        if (ms === undefined) return 0;
        return typeof ms === 'number' && ms >= 0 ? ms / maxMs : null;
      } catch {
        return null;
      }
    },
  };
}
