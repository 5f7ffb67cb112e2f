import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Scratch } from './scratch.ts';

const kept = 'node_modules/.cache/ashlar-versions';
const print = "console.log(require('left').version, require('@of/right').version)";

/** A folder in which `left` and `@of/right` are installed, and other versions of both were installed by an earlier run. */
function twoVersions(): Scratch {
  const scratch = new Scratch();
  scratch.write('node_modules/left/index.js', "exports.version = 'left 2'");
  scratch.write('node_modules/@of/right/index.js', "exports.version = 'right 2'");
  const folder = `${kept}/left@1.0.0+@of+right@^1`;
  scratch.write(`${folder}/installed`, '');
  scratch.write(`${folder}/node_modules/left/index.js`, "exports.version = 'left 1'");
  scratch.write(`${folder}/node_modules/@of/right/index.js`, "exports.version = 'right 1'");
  return scratch;
}

it('runs a command with other versions, ends as it ends, and leaves the usual ones', async () => {
  const scratch = twoVersions();
  const versions = ['left@1.0.0', '@of/right@^1'];
  const { output, end } = await scratch.runWith(
    ...versions,
    process.execPath,
    '-e',
    `${print}; process.exit(3)`,
  );
  expect({ output, end }).toEqual({ output: 'left 1 right 1\n', end: 3 });
  expect(readFileSync(join(scratch.root, 'node_modules/left/index.js'), 'utf8')).toContain('left 2');
  expect(readFileSync(join(scratch.root, 'node_modules/@of/right/index.js'), 'utf8')).toContain('right 2');
  expect(existsSync(join(scratch.root, kept, 'aside'))).toBe(false);
});

it('runs once at a time, and says what to do when one was killed', async () => {
  const scratch = twoVersions();
  scratch.write(`${kept}/aside/left/index.js`, '');
  const { end, errors } = await scratch.runWith('left@1.0.0', '@of/right@^1', process.execPath, '-e', print);
  expect({ end, errors }).toEqual({ end: 1, errors: expect.stringContaining('run `npm ci`') });
});

it.each([[['left', 'node']], [['left@1']], [[]]])('says how it is used: %j', async args => {
  const { end, errors } = await new Scratch().runWith(...args);
  expect({ end, errors }).toEqual({ end: 1, errors: expect.stringContaining('usage: npm run with') });
});
