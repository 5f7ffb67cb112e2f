/**
 * SQL of a time as text that every session reads as it was: the usual form follows `DateStyle`, and may have the ambiguous
 * name of a time zone.
 */
export function timeText(time: string): string {
  return `(to_json(${time}) #>> '{}')`;
}
