import { defineConfig } from 'vitepress';

// The site runs the packages' own sources, so that a demonstration cannot differ from what is published.
const conditions = ['@ashlar/source', 'module', 'browser', 'development|production'];

const base = process.env['DOCS_BASE'] ?? '/';

export default defineConfig({
  title: 'Ashlar',
  description: 'Production primitives for Node.js backends, as small packages that fit together.',
  lang: 'en',
  base,
  cleanUrls: true,
  srcExclude: ['README.md', 'examples/**', 'test/**'],
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: `${base}logo.svg` }]],
  markdown: { theme: { light: 'github-light', dark: 'github-dark' } },
  vite: {
    resolve: { conditions },
    ssr: { noExternal: [/^@ashlar\//], resolve: { conditions } },
  },
  themeConfig: {
    logo: '/logo.svg',
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      { text: 'Getting started', link: '/getting-started' },
      { text: 'Packages', link: '/packages/hash-ring', activeMatch: '^/packages/' },
      { text: 'The storefront', link: '/storefront' },
    ],
    sidebar: [
      {
        text: 'Guide',
        items: [
          { text: 'Getting started', link: '/getting-started' },
          { text: 'The storefront', link: '/storefront' },
          { text: 'CommonJS and Jest', link: '/commonjs-and-jest' },
        ],
      },
      {
        text: 'Packages',
        items: [
          { text: 'hash-ring', link: '/packages/hash-ring' },
          { text: 'lb', link: '/packages/lb' },
          { text: 'cache-policies', link: '/packages/cache-policies' },
          { text: 'store', link: '/packages/store' },
        ],
      },
    ],
  },
});
