import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { imported, textOf } from './imports.ts';

/**
 * The order of test files in which those that take longest begin first, so that all cores have work until the end. A file
 * that was not run before is taken for as many milliseconds as it has characters, with the helpers, faults and
 * conformance tests that it imports: it may have no more than a line of its own.
 */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const took = new Map(files.map(file => [file, this.#tookMs(file)]));
    const sorted = await super.sort(files); // by the order and the names of the projects
    const projects = [...new Set(sorted.map(({ project }) => project))];
    return sorted.sort(
      (a, b) => projects.indexOf(a.project) - projects.indexOf(b.project) || took.get(b)! - took.get(a)!,
    );
  }

  #tookMs({ project, moduleId }: TestSpecification): number {
    const { cache, config } = this.ctx;
    const path = moduleId.slice(config.root.length + 1);
    const before = cache.getFileTestResults(`${project.name}:${path}`);
    return before === undefined ? lengthOf(moduleId, new Set()) : before.duration;
  }
}

function lengthOf(file: string, counted: Set<string>): number {
  if (counted.has(file)) return 0;
  counted.add(file);
  const text = textOf(file);
  const others = imported(file, text).filter(other => !/\/src\/(?!conformance\b)/.test(other));
  return others.reduce((length, other) => length + lengthOf(other, counted), text.length);
}
