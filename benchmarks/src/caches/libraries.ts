import { ashlar, ashlarStrategy } from './libraries/ashlar.ts';
import { bentocache } from './libraries/bentocache.ts';
import { cacheable } from './libraries/cacheable.ts';
import { layeredLoader } from './libraries/layered-loader.ts';
import type { Library } from './library.ts';

/** Those of this project first. */
export const libraries: Readonly<Record<string, Library>> = {
  Cache: ashlar,
  'Cache with a write strategy': ashlarStrategy,
  bentocache,
  cacheable,
  'layered-loader': layeredLoader,
};
