import { answers } from './differences/answers.ts';
import { peers } from './differences/peers.ts';
import { requests } from './differences/requests.ts';
import type { Known } from './verdict/difference.ts';

/** Every difference that may be there, and why. */
export const known: readonly Known[] = [...requests, ...answers, ...peers];
