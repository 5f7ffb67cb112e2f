import { integerOption } from '@ashlar/core';

export interface LimitBounds {
  /** The limit before anything is known; 20 if absent, or what of it `min` and `max` allow. */
  readonly initial?: number;
  /** 20 if absent, or `max` if that is less. */
  readonly min?: number;
  /** 200 if absent, or `min` if that is more. */
  readonly max?: number;
}

/** @throws InvalidOptionError */
export function limitBounds(where: string, { initial, min, max }: LimitBounds): Required<LimitBounds> {
  const least = integerOption(`${where}.min`, min ?? Math.min(20, max ?? 20), { min: 1 });
  const most = integerOption(`${where}.max`, max ?? Math.max(200, least), { min: least });
  const first = Math.min(Math.max(20, least), most);
  return {
    min: least,
    max: most,
    initial: integerOption(`${where}.initial`, initial ?? first, { min: least, max: most }),
  };
}
