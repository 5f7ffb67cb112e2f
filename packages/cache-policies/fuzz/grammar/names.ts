/** Functions of the user that the cache calls. */
export type Harmable =
  | 'load'
  | 'loadMany'
  | 'write'
  | 'ttlMs'
  | 'tags'
  | 'weigh'
  | 'keyOf'
  | 'encode'
  | 'decode'
  | 'observer';

/** `late`: it throws once it has done its work. `hangs`: it never settles, and does not heed its signal. */
export type Harms = 'throws' | 'nonsense' | 'late' | 'hangs';

export type OddValue = 'bigint' | 'cycle' | 'throws' | 'null' | 'zero' | 'empty' | 'false';
