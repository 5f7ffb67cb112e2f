import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { completeManifests, manifestFaults, reasonNotToRelease } from './manifests.ts';

const root = resolve(import.meta.dirname, '../../../..');
const { values } = parseArgs({ options: { write: { type: 'boolean' }, release: { type: 'boolean' } } });

if (values.write === true) completeManifests(root);
const faults = manifestFaults(root);
const refusal = values.release === true ? reasonNotToRelease(root) : undefined;
if (refusal !== undefined) faults.push(refusal);
for (const fault of faults) console.error(fault);
process.exitCode = faults.length === 0 ? 0 : 1;
