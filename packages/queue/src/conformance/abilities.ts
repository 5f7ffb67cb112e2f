import type { Capabilities } from '../driver.ts';
import { deadLetterTests } from './abilities/dead-letters.ts';
import { deduplicationTests, uniqueIdsTests } from './abilities/deduplication.ts';
import { fanoutTests } from './abilities/fanout.ts';
import { jobsTests } from './abilities/jobs.ts';
import { fairnessTests, orderedKeysTests } from './abilities/keys.ts';
import { limitsTests } from './abilities/limits.ts';
import { delayTests, expiryTests, priorityTests } from './abilities/timing.ts';
import type { Tests } from './subject.ts';

/** The tests of what only some drivers can do. */
export const abilityTests: { readonly [Ability in keyof Capabilities]?: Tests } = {
  deadLetters: deadLetterTests,
  delay: delayTests,
  priority: priorityTests,
  fanout: fanoutTests,
  orderedKeys: orderedKeysTests,
  uniqueIds: uniqueIdsTests,
  deduplication: deduplicationTests,
  fairness: fairnessTests,
  limits: limitsTests,
  expiry: expiryTests,
  jobs: jobsTests,
};
