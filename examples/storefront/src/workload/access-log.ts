/** What a line of a trace says: a key to request, that there is nothing to replay in it, or that it is damaged. */
export type Reading = { readonly key: string } | 'skipped' | 'bad';

/**
 * The common and combined formats of Apache and nginx, also with the virtual host in front. Linear in the length of
 * the line: what stands before the time has no bracket, and a request line has no quote that is not escaped.
 */
const logLine = /^[^[]*\[[^\]]+\] "([A-Z]+) ((?:[^"\\\s]|\\.)+) HTTP\/\d(?:\.\d)?" \d{3} (?:\d+|-)(?:\s|$)/;
const origin = /^[a-z][a-z0-9+.-]*:\/\/[^/]*/i;

export function isAccessLogLine(line: string): boolean {
  return logLine.test(line);
}

/** The path of a `GET` without its query, which campaigns and sessions make different for the same page. */
export function readLogLine(line: string): Reading {
  const [, method, target] = logLine.exec(line) ?? [];
  if (method === undefined || target === undefined) return 'bad';
  if (method !== 'GET') return 'skipped';
  const [path = ''] = target.replace(origin, '').split(/[?#]/, 1);
  return { key: path === '' ? '/' : path };
}
