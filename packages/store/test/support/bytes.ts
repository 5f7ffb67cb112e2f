export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function textOf(entry: { value: Uint8Array } | undefined): string | undefined {
  return entry && new TextDecoder().decode(entry.value);
}
