/** What a cache has done since it was made. */
export class Counters {
  hits = 0;
  remoteHits = 0;
  pendingHits = 0;
  misses = 0;
  staleServed = 0;
  loads = 0;
  loadFailures = 0;
  refreshes = 0;
  evictions = 0;
  writes = 0;
  writeFailures = 0;
  invalidations = 0;
  resets = 0;
}
