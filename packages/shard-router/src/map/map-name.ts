import { type Rule, refused, text } from '@ashlar/core';

/** The name of a map, which is in the keys of stores and channels. */
export const mapName: Rule<string> = (value, option) => {
  const checked = text('shards')(value, option);
  if (/[/\p{Cc}\p{Surrogate}]/u.test(checked))
    throw refused(option, 'a well-formed string without `/` and control characters', value);
  return checked;
};
