import { quoted, readmeOf } from './readme.ts';

const directive = /^<!-- section: (?<name>[\w-]+), (?<heading>.+) -->$/gm;

/**
 * What stands below a heading of the second level, without it, up to the next one; undefined where there is no such heading.
 * What looks like a heading in a fenced block is code.
 */
export function sectionOf(markdown: string, heading: string): string | undefined {
  let lines: string[] | undefined;
  let fenced = false;
  for (const line of markdown.split(/\r?\n/)) {
    if (line.startsWith('```')) fenced = !fenced;
    if (!fenced && /^##? /.test(line)) {
      if (lines !== undefined) break;
      if (line === `## ${heading}`) lines = [];
    } else lines?.push(line);
  }
  return lines?.join('\n').trim();
}

/** Puts a section of a README in place of each line `<!-- section: lb, Limits -->`, so that the site says what the README says. */
export function withSections(markdown: string): string {
  return markdown.replace(directive, (_line, name: string, heading: string) => {
    const section = sectionOf(readmeOf(name), heading);
    if (section === undefined) throw new Error(`packages/${name}/README.md has no section \`${heading}\``);
    return quoted(section, name);
  });
}
