/** A name as SQL takes any: `a"b` becomes `"a""b"`. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** `name` or `schema.name`. */
export function quotePath(path: string): string {
  return path.split('.').map(quote).join('.');
}

export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
