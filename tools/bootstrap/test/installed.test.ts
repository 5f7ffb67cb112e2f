import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { reasonToInstall } from '../installed.mjs';
import { Scratch } from './scratch.ts';

const left = { version: '1.0.0', integrity: 'sha512-a' };
const path = 'node_modules/left';

it('finds nothing to do where all is as asked for, and leaves what is beyond that alone', () => {
  const scratch = new Scratch();
  const link = { resolved: 'tools/left', link: true };
  scratch.lock({ '': {}, 'tools/left': {}, 'node_modules/@workspace/left': link, [path]: left });
  scratch.installed({ 'node_modules/@workspace/left': link, [path]: left, 'node_modules/beyond': left });
  expect(reasonToInstall(scratch.root)).toBeUndefined();
});

it('does not ask for a workspace that is not in this checkout, which npm cannot link', () => {
  const scratch = new Scratch();
  const link = { resolved: 'tools/left', link: true };
  scratch.lock({ 'node_modules/@workspace/left': link });
  expect(reasonToInstall(scratch.root)).toBeUndefined();
  scratch.write('tools/left/package.json', {});
  expect(reasonToInstall(scratch.root)).toBe('node_modules/@workspace/left is missing');
});

it('does not ask for what is optional and made for another platform', () => {
  const scratch = new Scratch();
  scratch.lock({
    'node_modules/elsewhere': { version: '1.0.0', optional: true, os: ['none'], cpu: ['none'] },
    'node_modules/for-elsewhere': { version: '1.0.0', optional: true },
  });
  expect(reasonToInstall(scratch.root)).toBeUndefined();
  scratch.lock({
    'node_modules/here': { version: '1.0.0', optional: true, os: [process.platform], cpu: [process.arch] },
  });
  expect(reasonToInstall(scratch.root)).toBe('node_modules/here is missing');
});

it.each([
  ['another version', { ...left, version: '0.9.0' }, `${path} is 0.9.0, and 1.0.0 is asked for`],
  ['other contents', { ...left, integrity: 'sha512-b' }, `${path} has other contents`],
  ['a link instead', { resolved: 'tools/left', link: true }, `${path} is linked otherwise`],
])('says that there is %s', (_, has, reason) => {
  const scratch = new Scratch();
  scratch.lock({ [path]: left });
  scratch.installed({ [path]: has });
  expect(reasonToInstall(scratch.root)).toBe(reason);
});

it('says that a package, its folder or everything is missing', () => {
  const scratch = new Scratch();
  scratch.lock({ [path]: left });
  expect(reasonToInstall(scratch.root)).toBe(`${path} is missing`);
  scratch.installed({ [path]: left });
  rmSync(join(scratch.root, path), { recursive: true });
  expect(reasonToInstall(scratch.root)).toBe(`${path} is missing`);
  rmSync(join(scratch.root, 'node_modules'), { recursive: true });
  expect(reasonToInstall(scratch.root)).toBe('node_modules is missing or incomplete');
});
