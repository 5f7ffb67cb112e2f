import type { ChildProcess } from 'node:child_process';
import { startProgram } from '@workspace/services/vitest';

export const start = (...args: string[]): ChildProcess =>
  startProgram(new URL('../dist/main.js', import.meta.url), args);
