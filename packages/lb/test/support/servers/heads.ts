import type { Scripted } from './scripted.ts';

/** The request line and the headers of the last request, names in lower case. */
export function headOf({ requests }: Scripted): { line: string; headers: Record<string, string> } {
  const [line = '', ...fields] = requests.at(-1)!.split('\r\n\r\n')[0]!.split('\r\n');
  const pairs = fields.map(field => [field.split(':')[0]!.toLowerCase(), field.replace(/^[^:]*: */, '')]);
  return { line, headers: Object.fromEntries(pairs) };
}
