/** Reads what a cache was asked for: keys, or the access log of a server. Node only. */
export { TraceError } from './trace/errors.ts';
export type { Key } from './trace/line-formats.ts';
export { Trace } from './trace/trace.ts';
