import { type NumberRange, number, type Rule, refused } from '@ashlar/core';

/** A percentage. A fraction, as other libraries take it, is refused: 0.2 would be a fifth of a percent. */
export function percent<D extends number | undefined = undefined>(
  orElse?: D,
  range: NumberRange = {},
  isFraction = (value: number): boolean => value > 0 && value < 1,
): Rule<D extends undefined ? number | undefined : number> {
  const inRange = number(orElse, range) as Rule<D extends undefined ? number | undefined : number>;
  return (value, option) => {
    const checked = inRange(value, option);
    if (checked === undefined || !isFraction(checked)) return checked;
    const meant = Number((checked * 100).toPrecision(6));
    throw refused(option, 'a percentage, not a fraction', value, `write ${meant} for ${meant} %`);
  };
}
