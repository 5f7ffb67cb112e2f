import type { Product } from './database.ts';

/** The pages of the shop, plain enough to read with curl. */
export function productPage(
  product: Product,
  replica: string,
  cache: string,
  related: readonly string[] = [],
): string {
  const { key, name, cents } = product;
  return page(
    `${name} no. ${key}`,
    `<p>${(cents / 100).toFixed(2)} €</p>
<p>Served by <b>${replica}</b>, cache <b>${cache}</b>. Reload: the same replica answers, now from its cache.</p>
${related.length === 0 ? '' : `<p>Others also looked at</p>\n${list(related)}\n`}<p><a href="/">Other products</a></p>`,
  );
}

const some: readonly string[] = Array.from({ length: 12 }, (_, at) => String(at + 1));

export function homePage(bestSellers: readonly string[] = []): string {
  return page(
    'Storefront',
    `${bestSellers.length === 0 ? '' : '<p>Best-sellers</p>\n'}${list(bestSellers.length === 0 ? some : bestSellers)}\n<p><a href="/balancer">What the balancer knows</a></p>`,
  );
}

export function errorPage(what: string): string {
  return page(what, '<p><a href="/">Other products</a></p>');
}

function list(keys: readonly string[]): string {
  const links = keys.map(
    key => `<li><a href="/product/${encodeURIComponent(key)}">product ${escaped(key)}</a></li>`,
  );
  return `<ul>\n${links.join('\n')}\n</ul>`;
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${escaped(title)}</title>
<style>body { font: 18px/1.5 system-ui, sans-serif; max-width: 32em; margin: 3em auto; padding: 0 1em }</style>
<h1>${escaped(title)}</h1>
${body}
</html>
`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`);
}
