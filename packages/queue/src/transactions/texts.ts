import { refused } from '@ashlar/core';
import type { OutgoingMessage } from '../driver.ts';

/** Why no text of PostgreSQL is what the message is called by, as an InvalidOptionError. */
export function textFault({ id, key, deduplication }: OutgoingMessage): Error | undefined {
  return zeroIn('id', id) ?? zeroIn('key', key) ?? zeroIn('deduplication.key', deduplication?.key);
}

function zeroIn(option: string, text: string | undefined): Error | undefined {
  if (!text?.includes('\0')) return undefined;
  return refused(option, 'without zero characters, which PostgreSQL does not keep', text);
}

/** Whether the server refused what it was given, and will the next time: characters or sizes that it does not have. */
export function isDataFault(error: unknown): boolean {
  for (let each = error; each != null; each = (each as { cause?: unknown }).cause) {
    const { code } = each as { code?: unknown };
    if (typeof code === 'string' && /^(22[0-9A-Z]{3}|54000)$/.test(code)) return true;
  }
  return false;
}
