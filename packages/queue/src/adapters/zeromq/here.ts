/** Where a library is looked for: from this package on. A CommonJS bundle has no `import.meta.url`, and looks in the working directory. */
export const here: string = (import.meta.url as string | undefined) ?? `${process.cwd()}/package.json`;
