import { describe } from '@ashlar/core';

/** The text of anything that may have been thrown, also of what `String` cannot convert. */
export function textOf(error: unknown): string {
  try {
    return String(error);
  } catch {
    return describe(error);
  }
}
