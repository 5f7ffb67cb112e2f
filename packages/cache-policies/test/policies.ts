import { type Eviction, fifo, sieve } from '../src/index.ts';

/** Every policy of this package by name; a new one joins the list and is tested. */
export const policies: Readonly<Record<string, Eviction>> = { fifo, sieve };
