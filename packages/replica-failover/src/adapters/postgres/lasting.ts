const statement = String.raw`(?:^|;)\s*`;

/** What lasts for a session and is no setting: temporary tables, channels that it hears, locks. */
const lasting = new RegExp(
  [
    String.raw`${statement}listen\b`,
    String.raw`${statement}create\s+(?:(?:local|global)\s+)?temp`,
    String.raw`\bpg_(?:try_)?advisory_lock\b`,
  ].join('|'),
  'i',
);

/**
 * Whether statements leave something on their session for whoever gets it next, as far as their text shows: a function of
 * the database can do so as well. Settings are not meant: they are reset.
 */
export function outlastsItsCall(text: string | undefined): boolean {
  return text !== undefined && lasting.test(text);
}
