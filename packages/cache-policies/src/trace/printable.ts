/** Text for a terminal: control characters, which could be commands to it, are shown as escapes. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, sign => `\\x${sign.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
