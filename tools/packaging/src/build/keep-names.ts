import type { Plugin } from 'rolldown';

/** An error's class with a code of its own, which is its first member. */
const errorClass =
  /(\bclass (\w+)\b[^{}]*\{)(?=\s*(?:\/\*\*[^/]*\*\/\s*)?static (?:override )?readonly code\b)/g;

/**
 * Gives each class of errors its name as a text: the name of an error is that of its class, which the users' bundlers shorten
 * when they minify. A getter, as compilers may assign fields, and the name of a class cannot be assigned; and no bundler takes it
 * for a side effect.
 */
export const keepNames: Plugin = {
  name: 'keep-names',
  transform(code, id) {
    if (!id.endsWith('.ts')) return null;
    // On the line of the class, so that the maps stay right
    const named = code.replace(errorClass, "$1 static get name(): string { return '$2'; }");
    return named === code ? null : { code: named, map: null };
  },
};
