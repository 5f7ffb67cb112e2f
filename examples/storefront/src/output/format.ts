const grouped = new Intl.NumberFormat('en-US');

export function count(number: number): string {
  return grouped.format(number);
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

export function milliseconds(ms: number): string {
  return `${ms < 100 ? ms.toFixed(1) : count(Math.round(ms))} ms`;
}
