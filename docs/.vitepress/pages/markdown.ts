import type { MarkdownEnv, MarkdownRenderer } from 'vitepress';
import { linkFrom } from './repository.ts';
import { withSections } from './sections.ts';
import { withTables } from './tables.ts';

/** What the pages are written with on top of VitePress: tables and sections of READMEs, and links to files of the repository. */
export function extendMarkdown(md: MarkdownRenderer): void {
  md.core.ruler.before('normalize', 'readmes', state => {
    state.src = withSections(withTables(state.src));
  });
  md.core.ruler.push('repository-links', ({ tokens, env }) => {
    const { path } = env as MarkdownEnv;
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      const href = token.attrGet('href');
      if (token.type === 'link_open' && href !== null) token.attrSet('href', linkFrom(path, href));
    }
  });
  // A header cell without text is announced as a header that has no name
  md.core.ruler.push('empty-header-cells', ({ tokens }) => {
    for (const [index, token] of tokens.entries()) {
      const [content, end] = tokens.slice(index + 1, index + 3);
      if (token.type !== 'th_open' || content?.content !== '' || end === undefined) continue;
      token.tag = end.tag = 'td';
    }
  });
}
