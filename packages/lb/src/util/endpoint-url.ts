/** Whatever an endpoint is asked by, its url is read by these two: every part of it but the fragment counts. */

/** The target of a request below an endpoint's url: its path before that of the request, its query before that of the request. */
export function targetBelow({ pathname, search }: Pick<URL, 'pathname' | 'search'>, target: string): string {
  const prefix = pathname.endsWith('/') ? pathname.slice(0, -1) : pathname;
  if (search === '' || !target.startsWith('/')) return prefix + target;
  const at = target.indexOf('?');
  if (at === -1) return prefix + target + search;
  const query = target.slice(at + 1);
  return `${prefix}${target.slice(0, at)}${search}${query === '' ? '' : `&${query}`}`;
}

/** The credentials in an endpoint's url as an `Authorization`, in UTF-8. A request's own `Authorization` goes before it. */
export function authorizationIn({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  const bytes = new TextEncoder().encode(`${decoded(username)}:${decoded(password)}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

/** Text that is not percent-encoded well is as it is. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
