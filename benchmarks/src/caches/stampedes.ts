import { type Callers, callersHere, callersThere } from './callers.ts';

export interface Stampede {
  readonly library: string;
  readonly processes: 1 | 2;
  readonly callers: number;
  /** How often each of the cold keys was loaded. */
  readonly loads: readonly number[];
}

export interface StampedeOptions {
  /** Whether the two instances are in one process, or each in its own. */
  readonly processes: 1 | 2;
  /** Half of them at each instance. */
  readonly callers: number;
  /** How many keys are asked for, one after the other. */
  readonly keys: number;
  readonly port: number;
}

/** Two instances on one Redis are asked for a cold key at once. */
export async function stampede(
  library: string,
  { processes, callers: number, keys, port }: StampedeOptions,
): Promise<Stampede> {
  const place = { port, prefix: `${library}, ${processes}` };
  const open = processes === 1 ? callersHere : callersThere;
  const both: Callers[] = [];
  try {
    while (both.length < 2) both.push(await open(library, place));
    const loads: number[] = [];
    for (let key = 0; key < keys; key++) {
      const counts = await Promise.all(both.map(callers => callers.ask(`key-${key}`, number / 2)));
      loads.push(counts[0]! + counts[1]!);
      if (loads.at(-1) === 0) throw new Error(`${library} knew the key that was to be cold`);
    }
    return { library, processes, callers: number, loads };
  } finally {
    for (const callers of both) await callers.stop();
  }
}
