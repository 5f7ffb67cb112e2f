/** Where the page of a product is. Any key goes: the path carries it percent-encoded. */
export function productPath(key: string): string {
  return `/product/${encodeURIComponent(key)}`;
}

/** The key in the path of a product page; `undefined` for another page, or when it is not well encoded. */
export function productKey(url: string | undefined): string | undefined {
  const [, encoded] = /^\/product\/([^?#/]+)(?:[?#]|$)/.exec(url ?? '') ?? [];
  if (encoded === undefined) return undefined;
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}
