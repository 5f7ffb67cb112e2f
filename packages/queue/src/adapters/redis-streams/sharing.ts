import type { ConsumeOptions, Rate } from '../../driver.ts';

export type Sharing = Pick<ConsumeOptions, 'ordered' | 'fair' | 'limits'>;

/** Whether what is asked for needs a choice by keys or in time, which a stream does not make. */
export function isKeyed({ ordered, fair, limits }: Sharing): boolean {
  const { rate, keyRate, keyConcurrency } = limits ?? {};
  return ordered === true || fair === true || (rate ?? keyRate ?? keyConcurrency) !== undefined;
}

/** As the script that claims takes it. */
export function sharingText({ ordered = false, fair = false, limits = {} }: Sharing): string {
  const { rate, keyRate, keyConcurrency = 0 } = limits;
  const hasLanes = ordered || fair || keyRate !== undefined || keyConcurrency > 0;
  const most = ordered ? 1 : keyConcurrency;
  return [+ordered, +fair, +hasLanes, most, ...pair(rate), ...pair(keyRate)].join(' ');
}

function pair(rate: Rate | undefined): [number, number] {
  return rate === undefined ? [0, 0] : [rate.count, rate.perMs];
}
