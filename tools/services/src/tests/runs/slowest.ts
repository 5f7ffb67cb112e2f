import type { Reporter, TestModule, Vitest } from 'vitest/node';

const most = 10;

/** A reporter of vitest that lists, at the end of a run of several files, those that took longest, import and hooks included. */
export default class Slowest implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    if (modules.length < 2) return;
    const slowest = modules
      .map(module => ({ file: module.relativeModuleId, part: module.project.name, ms: tookMs(module) }))
      .sort((a, b) => b.ms - a.ms)
      .slice(0, most);
    const lines = slowest.map(({ file, part, ms }) => `  ${seconds(ms)}  ${file}${part && ` (${part})`}`);
    this.#vitest?.logger.log(['Slowest files', ...lines, ''].join('\n'));
  }
}

function tookMs(module: TestModule): number {
  const { setupDuration, collectDuration, duration, environmentSetupDuration } = module.diagnostic();
  return setupDuration + collectDuration + duration + environmentSetupDuration;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1).padStart(6)} s`;
}
