/**
 * A step that visits all of `count` places before it comes back to the first: coprime to `count`, drawn by a hash, so
 * that keys that share a first place do not share the second.
 */
export function strideOf(hash: number, count: number): number {
  if (count < 3) return 1;
  let stride = 1 + ((hash >>> 0) % (count - 1));
  while (commonDivisor(stride, count) !== 1) stride = stride + 1 < count ? stride + 1 : 1;
  return stride;
}

function commonDivisor(a: number, b: number): number {
  let [greater, smaller] = [b, a];
  while (smaller !== 0) [greater, smaller] = [smaller, greater % smaller];
  return greater;
}
