// Loaded with the first journal, as few caches have one. By name, so that a bundle has no more of the store.
export { Lease } from '@ashlar/store';
