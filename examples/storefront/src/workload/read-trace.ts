import { Trace } from '@ashlar/cache-policies/trace';

export interface Recording {
  readonly format: Trace['format'];
  /** In the file's order. */
  readonly keys: readonly string[];
  /** Of what was read: lines that could not be understood, and those of an access log that are no `GET`. */
  readonly badLines: number;
  readonly skippedLines: number;
}

/** No names in a path. */
const unusable = /^\.\.?$/;

/** Reads up to `limit` keys of a file: keys, or the access log of a server. @throws TraceError */
export async function readTrace(file: string, limit: number = Infinity): Promise<Recording> {
  const trace = await Trace.open(file);
  const keys: string[] = [];
  let left = 0;
  for await (const batch of trace.batches()) {
    for (const key of batch) {
      if (keys.length >= limit) break;
      if (unusable.test(`${key}`)) left++;
      else keys.push(`${key}`);
    }
    if (keys.length >= limit) break;
  }
  const { format, badLines, skippedLines } = trace;
  return { format, keys, badLines: badLines + left, skippedLines };
}
