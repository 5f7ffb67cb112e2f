const workingDirectory = `${process.cwd()}/package.json`;

/** Where a library is looked for: from this package on. A CommonJS bundle has no `import.meta.url`, and looks in the working directory. */
export const here: string = place() ?? workingDirectory;

/** In a `try`, as bundlers warn of `import.meta` elsewhere. */
function place(): string | undefined {
  try {
    return import.meta.url as string | undefined;
  } catch {
    return undefined;
  }
}
