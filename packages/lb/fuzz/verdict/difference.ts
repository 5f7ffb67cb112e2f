import type { Case } from '../case.ts';
import type { PeerName } from '../wire/subjects.ts';

/** Something about a case that is not as it should be, or not as another proxy has it. */
export interface Difference {
  /** Which rule of ours was broken, or from whom ours differs. */
  readonly against: 'rule' | PeerName;
  /** In what: a few words that do not depend on the values. */
  readonly aspect: string;
  readonly ours: string;
  /** What the rule says, or what the other has. */
  readonly theirs: string;
}

/** Of one kind are those that differ in the same from the same. */
export function kindOf({ against, aspect, ours, theirs }: Difference): string {
  const enumerable = /^(outcome|end of|connection|requests at|the next)/.test(aspect);
  return `${against}: ${aspect}${enumerable ? `: ${ours}, not ${theirs}` : ''}`;
}

/** An entry of the table of what is known. */
export interface Known {
  readonly name: string;
  /** Why it is as it is. */
  readonly reason: string;
  explains(difference: Difference, each: Case): boolean;
}

/** As a line tells of it: long runs of a character are counted, and what does not print is escaped. */
export function shown(text: string): string {
  const short = text
    .replace(/(.)\1{40,}/gs, (run, character: string) => `${character}{${run.length}}`)
    .replace(/((?:a:b(?:\r\n)?){20,})/g, run => `[${run.length} bytes of a:b]`);
  return JSON.stringify(short).slice(0, 1_200);
}

/** How many requests came to the endpoint. */
export const reached = 'requests at the endpoint';

export const aspectIs =
  (pattern: RegExp): Known['explains'] =>
  ({ aspect }) =>
    pattern.test(aspect);
