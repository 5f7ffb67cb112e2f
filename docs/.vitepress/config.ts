import { fileURLToPath } from 'node:url';
import { type DefaultTheme, defineConfig, type PageData } from 'vitepress';
import { writePlainPages } from './pages/llms.ts';
import { extendMarkdown } from './pages/markdown.ts';
import { repository } from './pages/repository.ts';

// The site runs the packages' own sources, so that a demonstration cannot differ from what is published.
const conditions = ['@ashlar/source', 'module', 'browser', 'development|production'];

const base = process.env['DOCS_BASE'] ?? '/';
const pages = new Map<string, PageData>();

const sidebar: DefaultTheme.SidebarItem[] = [
  {
    text: 'Guide',
    items: [
      { text: 'Getting started', link: '/getting-started' },
      { text: 'Redis and PostgreSQL', link: '/servers' },
      { text: 'Coming from another package', link: '/coming-from' },
      { text: 'The storefront', link: '/storefront' },
      { text: 'CommonJS and Jest', link: '/commonjs-and-jest' },
      { text: 'Architecture', link: '/architecture' },
    ],
  },
  {
    text: 'Packages',
    items: [
      { text: 'hash-ring', link: '/packages/hash-ring' },
      { text: 'lb', link: '/packages/lb' },
      { text: 'cache-policies', link: '/packages/cache-policies' },
      { text: 'store', link: '/packages/store' },
      { text: 'queue', link: '/packages/queue' },
      { text: 'replica-failover', link: '/packages/replica-failover' },
      { text: 'cron-precompute', link: '/packages/cron-precompute' },
      { text: 'shard-router', link: '/packages/shard-router' },
    ],
  },
  {
    text: 'Recipes',
    items: [
      { text: 'Cache HTTP responses', link: '/recipes/http-responses' },
      { text: 'Queues in your application', link: '/recipes/queues' },
      { text: 'Read your own writes', link: '/recipes/read-your-writes' },
      { text: 'Precomputed data in your application', link: '/recipes/precomputed-data' },
      { text: 'Metrics and logs', link: '/recipes/metrics-and-logs' },
      { text: 'Traces', link: '/recipes/traces' },
      { text: 'Close what you open', link: '/recipes/close' },
    ],
  },
];

export default defineConfig({
  title: 'Ashlar',
  description: 'Production primitives for Node.js backends, as small packages that fit together.',
  lang: 'en',
  base,
  cleanUrls: true,
  srcExclude: ['README.md', 'examples/**', 'test/**'],
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: `${base}logo.svg` }]],
  // The high-contrast themes: of the plain ones, comments and keywords are too faint for WCAG AA
  markdown: {
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    config: extendMarkdown,
  },
  vite: {
    resolve: {
      conditions,
      // VitePress has this way to replace a part of its theme; ours has the landmark `main`
      alias: [
        {
          find: /^.*\/VPHome\.vue$/,
          replacement: fileURLToPath(new URL('./theme/HomePage.vue', import.meta.url)),
        },
      ],
    },
    ssr: { noExternal: [/^@ashlar\//], resolve: { conditions } },
  },
  transformPageData(page) {
    pages.set(page.relativePath, page);
  },
  transformHead: ({ pageData: { relativePath } }) =>
    pages.has(relativePath)
      ? [['link', { rel: 'alternate', type: 'text/markdown', href: `${base}${relativePath}` }]]
      : [],
  buildEnd: site => writePlainPages(site, pages, sidebar),
  themeConfig: {
    logo: '/logo.svg',
    search: { provider: 'local' },
    outline: [2, 3],
    socialLinks: [
      { icon: 'github', link: repository, ariaLabel: 'The repository' },
      { icon: 'npm', link: 'https://www.npmjs.com/org/ashlar', ariaLabel: 'The packages on npm' },
    ],
    editLink: { pattern: `${repository}/edit/main/docs/:path`, text: 'Edit this page' },
    nav: [
      { text: 'Getting started', link: '/getting-started' },
      { text: 'Packages', link: '/packages/hash-ring', activeMatch: '^/packages/' },
      { text: 'Recipes', link: '/recipes/http-responses', activeMatch: '^/recipes/' },
      { text: 'Architecture', link: '/architecture' },
    ],
    sidebar,
  },
});
