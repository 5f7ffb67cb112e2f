/** `#here` where files are compiled to CommonJS one by one, as in Jest: they may not name `import.meta`. */
export const here: string = `${process.cwd()}/package.json`;
