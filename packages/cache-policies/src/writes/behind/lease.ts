// Loaded when a journal is opened, as few caches have one. By name, so that a bundle of it has no more of the store.
export { Lease } from '@ashlar/store';
