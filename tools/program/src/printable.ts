/** Text of others on a terminal: without the control characters that would move its cursor or change its colors. */
export function printable(text: string): string {
  return text.replace(/[^\P{Cc}\n]/gu, ' ');
}
